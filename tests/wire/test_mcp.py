from __future__ import annotations

import pytest

from agentsight_rx.wire.mcp import is_mcp, read_cancelled, read_failed, read_server, read_tool


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


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("initialize", '{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"a","version":"1"}}'),
        ("initialize", '{ "protocolVersion" : "2025-06-18", "capabilities'),  # cut
        ("server/discover", "{}"),
        ("ping", ""),
        *((method, "{}") for method in ("tools/list", "tools/call", "resources/templates/list", "prompts/get", "tasks/result")),
        *((method, "{}") for method in ("completion/complete", "logging/setLevel", "sampling/createMessage", "roots/list")),
    ],
)
def test_the_methods_and_the_greeting_of_mcp_are_known(method: str, params: str) -> None:
    assert is_mcp(method, params)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("initialize", '{"clientInfo":{"name":"vibe_programmatic","version":"3.0.3"},"capabilities":{"callbackKinds":[]}}'),
        ("initialize", '{"protocolVersion":1,"clientCapabilities":{"fs":{}}}'),  # Agent Client Protocol
        ("initialize", '{"processId":7,"rootUri":"file:///x","capabilities":{"textDocument":{}}}'),  # a language server
        ("initialize", ""),
        *((method, "{}") for method in ("session/start", "session/prompt", "turn/start", "textDocument/hover", "shutdown")),
        *((method, "{}") for method in ("tools", "server/restart", "mytools/call", "pinged", "workspace/symbol", "")),
    ],
)
def test_other_json_rpc_is_no_mcp(method: str, params: str) -> None:
    assert not is_mcp(method, params)
