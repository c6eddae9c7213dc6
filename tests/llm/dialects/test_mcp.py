from __future__ import annotations

import json
from typing import Any

from agentsight_rx.events import Reply, SseEvent
from agentsight_rx.llm import StreamReader
from agentsight_rx.llm.dialects.mcp import MCP


def read(*messages: dict[str, Any]) -> StreamReader:
    reader = MCP.reader()
    for message in messages:
        reader.feed(SseEvent("message", json.dumps({"jsonrpc": "2.0", **message})))
    return reader


def test_an_error_of_the_protocol_ends_a_stream() -> None:
    reader = read({"id": 1, "error": {"code": -32601, "message": "Method not found"}})
    assert (reader.ended, reader.reply()) == (True, Reply(error="-32601: Method not found"))


def test_an_error_of_a_tool_is_a_result() -> None:
    content = [{"type": "text", "text": "no"}, {"type": "image", "data": "aGk="}, {"type": "text", "text": "way"}]
    assert read({"id": 1, "result": {"isError": True, "content": content}}).reply().error == "no\nway"
    assert read({"id": 1, "result": {"isError": True}}).reply().error == "error"


def test_results_of_any_shape_and_notifications_are_no_errors() -> None:
    results: list[Any] = [{}, {"tools": []}, [], "text", {"isError": None}]
    for result in results:
        assert read({"id": 1, "result": result}).reply() == Reply()
    assert not read({"method": "notifications/progress", "params": {}}).ended


def test_a_field_that_cannot_be_read_is_named() -> None:
    reader = read({"id": 1, "result": {"isError": "yes", "content": [{"text": 1}, {"text": "a"}]}, "error": 5})
    assert reader.reply() == Reply(unknown=("error", "result.isError", "result.content[].text"))
    assert reader.unknown == 0


def test_messages_of_another_version_are_unknown() -> None:
    assert read({"jsonrpc": "1.0", "result": {}}).unknown == 1
