from __future__ import annotations

from agentsight_rx.wire.mcp import read_cancelled, read_failed, read_server, read_tool


def test_the_parts_of_mcp_messages_are_read() -> None:
    assert read_tool('{"name":"add","arguments":{}}') == "add"
    assert read_cancelled('{"requestId":3,"reason":"late"}') == "3"
    assert read_cancelled('{"requestId":"3"}') == '"3"'
    assert read_failed('{"content":[],"isError":true}')
    assert not read_failed('{"content":[]}')
    assert read_server('{"serverInfo":{"name":"demo","version":"1.2"}}') == "demo 1.2"
    assert read_server('{"tools":[],"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"new"}}}') == "new"
    for odd in ("", "null", "[1]", "7", '{"name":3,"isError":"x","serverInfo":[],"requestId":{}}'):
        assert read_tool(odd) == ""
        assert read_cancelled(odd) is None
        assert not read_failed(odd)
        assert read_server(odd) == ""
