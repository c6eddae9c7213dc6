from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import pytest

from agentsight_rx.events import HttpEvent, HttpRequest, HttpResponse, Origin, Reply, RpcMessage, SseEvent, SseMessage, TlsClose
from agentsight_rx.operators import merge_mcp
from tests.operators import CONNECTION, MS, Running, run

E = TypeVar("E")

JSON = (("content-type", "application/json"),)


def at(ms: int, direction: Any = "out") -> Origin:
    return Origin(ms * MS, 7, 7, 1000, "agent", 0, CONNECTION, direction)


def asks(ms: int, *said: object, exchange: int = 1) -> HttpRequest:
    body = json.dumps(said[0] if len(said) == 1 else list(said)).encode()
    return HttpRequest(at(ms), exchange, "POST", "/mcp", "HTTP/1.1", JSON, body)


def answers(ms: int, said: object, exchange: int = 1, status: int = 200) -> HttpResponse:
    body = json.dumps(said).encode()
    return HttpResponse(
        at(ms, "in"), exchange, status, "", "HTTP/1.1", JSON, body, end_ns=(ms + 1) * MS, method="POST", target="/mcp"
    )


def streams(ms: int, *said: object, exchange: int = 1, reason: str | None = None) -> SseMessage:
    events = tuple(SseEvent("message", json.dumps(each)) for each in said)
    return SseMessage(
        at(ms, "in"), exchange, "mcp", Reply(), events, (ms + 5) * MS, complete=reason is None, reason=reason, status=200
    )


def call(number: int, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def result(number: int, **said: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": said}


def only(kind: type[E], events: Sequence[object]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def emitted(*events: HttpEvent) -> list[RpcMessage]:
    made = run(merge_mcp(), events)
    assert [event for event in made if not isinstance(event, RpcMessage)] == list(events)
    return only(RpcMessage, made)


def test_a_request_and_its_answer_are_one_message() -> None:
    (made,) = emitted(asks(10, call(1, "tools/call", name="ls", arguments={})), answers(15, result(1, content=[])))
    assert (made.kind, made.method, made.id, made.tool, made.outcome) == ("request", "tools/call", "1", "ls", "ok")
    assert (made.params, made.result) == ('{"name": "ls", "arguments": {}}', '{"content": []}')
    assert (made.channel.kind, made.channel.inode, made.writer_pid) == ("http", CONNECTION.handle, 7)
    assert (made.origin.time_ns, made.end_ns, made.latency_ns, made.complete) == (10 * MS, 16 * MS, 6 * MS, True)


def test_a_streamed_answer_may_say_more_than_the_result() -> None:
    progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
    made = emitted(asks(10, call(1, "tools/call", name="ls")), streams(15, progress, result(1, isError=True)))
    assert [(each.kind, each.method, each.outcome) for each in made] == [
        ("notification", "notifications/progress", "sent"),
        ("request", "tools/call", "tool_error"),
    ]


@pytest.mark.parametrize("streamed", [False, True])
def test_the_server_is_known_from_its_introduction(streamed: bool) -> None:
    hello = result(0, serverInfo={"name": "files", "version": "2"})
    introduced = streams(2, hello) if streamed else answers(2, hello)
    made = emitted(
        asks(1, call(0, "initialize")),
        introduced,
        asks(3, {"jsonrpc": "2.0", "method": "notifications/initialized"}, exchange=2),
        asks(5, call(1, "tools/list"), exchange=3),
        answers(6, result(1, tools=[]), exchange=3),
    )
    assert [(each.method, each.server) for each in made] == [
        ("initialize", "files 2"),
        ("notifications/initialized", "files 2"),
        ("tools/list", "files 2"),
    ]


def test_an_error_of_the_protocol_and_one_of_http() -> None:
    refused = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no such tool"}}
    assert [each.outcome for each in emitted(asks(1, call(1, "tools/call")), answers(2, refused))] == ["rpc_error"]
    (made,) = emitted(asks(1, call(1, "tools/call")), answers(2, "no", status=403))
    assert (made.outcome, made.complete, made.reason) == ("rpc_error", False, "http_403")


def test_members_of_a_batch_are_answered_each() -> None:
    made = emitted(asks(1, call(1, "ping"), call(2, "tools/list")), answers(2, [result(2, tools=[]), result(1)]))
    assert [(each.id, each.outcome) for each in made] == [("2", "ok"), ("1", "ok")]


def test_what_gets_no_answer_says_so() -> None:
    (accepted,) = emitted(asks(1, call(1, "ping")), answers(2, "", status=202))
    assert (accepted.outcome, accepted.reason) == ("no_answer", "no_answer")
    (cut,) = emitted(asks(1, call(1, "ping")), streams(2, reason="closed"))
    assert (cut.outcome, cut.reason) == ("no_answer", "closed")
    (closed,) = emitted(asks(1, call(1, "ping")), TlsClose(at(2)))
    assert (closed.outcome, closed.reason) == ("no_answer", "closed")
    (ended,) = emitted(asks(1, call(1, "ping")))
    assert (ended.outcome, ended.reason) == ("no_answer", "capture_end")


def test_a_stream_in_silence_may_still_answer() -> None:
    made = emitted(asks(1, call(1, "ping")), streams(2, reason="timeout"), streams(40, result(1)))
    assert [each.outcome for each in made] == ["ok"]


def test_other_json_is_no_json_rpc() -> None:
    body = {"model": "gpt", "messages": [{"role": "user", "content": '"jsonrpc"'}]}
    assert emitted(asks(1, body), answers(2, {"jsonrpc": "1.0", "id": 1, "result": 1})) == []
    assert emitted(asks(1, [])) == []
    assert emitted(msgspec.structs.replace(asks(1, call(1, "ping")), method="GET")) == []


def test_long_texts_are_cut_and_counted() -> None:
    events: list[HttpEvent] = [asks(1, call(1, "ping", text="x" * 100)), answers(2, result(1, text="y" * 100))]
    (made,) = only(RpcMessage, run(merge_mcp(text_limit=50), events))
    assert (len(made.params), len(made.result)) == (50, 50)
    assert made.lost == len('{"text": ""}') * 2 + 200 - 100


def test_requests_without_an_answer_are_bounded() -> None:
    made = emitted(*(asks(number, call(number, "ping"), exchange=number) for number in range(1, 300)))
    assert [each.reason for each in made] == ["pending_limit"] * 43 + ["capture_end"] * 256


def test_a_recording_that_has_both_is_not_read_twice() -> None:
    events: list[HttpEvent] = [asks(1, call(1, "ping")), answers(2, result(1)), TlsClose(at(3))]
    once = run(merge_mcp(), events)
    assert len(once) == 4
    again: list[Any] = list(once)
    assert run(merge_mcp(), again) == once


def test_going_on_from_a_checkpoint_changes_nothing() -> None:
    progress = {"jsonrpc": "2.0", "method": "notifications/progress"}
    events: list[HttpEvent] = [
        asks(1, call(0, "initialize")),
        answers(2, result(0, serverInfo={"name": "a", "version": "1"})),
        asks(3, call(1, "tools/call", name="x"), exchange=2),
        streams(4, progress, result(1), exchange=2),
        asks(9, call(2, "ping"), exchange=3),
    ]
    expected = run(merge_mcp(), events)
    for cut in range(len(events)):
        before, after = Running(merge_mcp()), Running(merge_mcp())
        made = before.feed(*events[:cut])
        after.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(before.snapshot())))
        assert made + after.feed(*events[cut:]) + after.finish() == expected
