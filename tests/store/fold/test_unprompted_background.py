"""Calls whose answer is made in the background: the POST says that it is being made, a later GET has it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx.events import Connection, Event, HttpRequest, HttpResponse, Reply, SseMessage, TlsClose
from agentsight_rx.events.tokens import Usage
from agentsight_rx.view import CallRow, TokenRow, ToolRow
from tests.view.scenes import AGENT, HOST, OTHER, answers, asks, emitted, last, origin

HERE = Connection(AGENT, 700, "/lib/libssl.so.3", 0x7F00)


def starts(ms: int) -> list[Event]:
    event = asks(ms, target="/v1/responses", connection=HERE)
    body = json.dumps({"model": "gpt-x", "input": "think", "background": True}).encode()
    return [replace(event, body=body), says(ms + 1, 1, {"id": "resp_1", "status": "queued", "model": "gpt-x"})]


def says(ms: int, exchange: int, body: dict[str, Any], *, connection: Connection = HERE, status: int = 200) -> HttpResponse:
    return replace(answers(ms, exchange, connection=connection), body=json.dumps(body).encode(), status=status)


def polls(ms: int, exchange: int, *, connection: Connection = HERE, id: str = "resp_1", query: str = "") -> HttpRequest:
    here, target = origin(ms, connection=connection), f"/v1/responses/{id}{query}"
    return HttpRequest(here, exchange, method="GET", target=target, version="HTTP/1.1", headers=(HOST,))


DONE: dict[str, Any] = {
    "id": "resp_1",
    "status": "completed",
    "model": "gpt-x-1",
    "output": [
        {"type": "message", "content": [{"type": "output_text", "text": "done"}]},
        {"type": "function_call", "call_id": "c1", "name": "ls", "arguments": "{}"},
    ],
    "usage": {"input_tokens": 7, "output_tokens": 3},
}


def test_the_answer_comes_with_a_later_request() -> None:
    made = emitted(
        *starts(1), TlsClose(origin(3, connection=HERE)), polls(5, 1, connection=OTHER),
        says(6, 1, {"id": "resp_1", "status": "in_progress"}, connection=OTHER),
        polls(8, 2, connection=OTHER), says(9, 2, DONE, connection=OTHER),
    )  # fmt: skip
    (call,) = last(CallRow, made)
    assert (call.status, call.text, call.total_tokens, call.match_method) == ("complete", "done", 10, "id")
    assert (call.start_timestamp_ms, call.end_timestamp_ms, call.response_id) == (1, 10, "resp_1")
    assert [row.tool_name for row in last(ToolRow, made)] == ["ls"]
    assert [row.total_tokens for row in last(TokenRow, made)] == [10]


@pytest.mark.parametrize(
    "between",
    [
        [],
        [polls(5, 2), says(6, 2, {"id": "resp_1", "status": "in_progress"})],
        [polls(5, 2), says(6, 2, {"error": {"message": "slow down"}}, status=429)],
        [polls(5, 2, id="resp_2"), says(6, 2, {**DONE, "id": "resp_2"})],
    ],
)
def test_until_then_it_is_pending_also_at_the_end_of_the_capture(between: list[Event]) -> None:
    rows = [row for row in emitted(*starts(1), *between) if isinstance(row, CallRow)]
    assert [(row.status, row.status_code, row.reason) for row in rows] == [("pending", None, None), ("pending", 200, None)]


def test_a_second_request_for_a_finished_answer_adds_nothing() -> None:
    made = emitted(*starts(1), polls(5, 2), says(6, 2, DONE), polls(7, 3), says(8, 3, DONE))
    assert [row.status for row in last(CallRow, made)] == ["complete"]
    assert [row.end_timestamp_ms for row in last(CallRow, made)] == [7]


def streams(ms: int, exchange: int, text: str, *, connection: Connection = HERE, reason: str | None = None) -> SseMessage:
    usage = Usage(input=7, output=3) if reason is None else None
    reply = Reply(id="resp_1", model="gpt-x-1", text=text, usage=usage, finish_reason=None if reason else "stop")
    return SseMessage(
        origin(ms, connection=connection), exchange, "openai_responses", reply, (), ms * 1_000_000, status=200,
        complete=reason is None, reason=reason,
    )  # fmt: skip


@pytest.mark.parametrize("again", [1, 2, 3])
def test_a_stream_that_is_fetched_again_is_the_same_call(again: int) -> None:
    """Its connection broke, and the rest came with a GET that names the last event; or all of it once more."""
    begun = starts(1)[:1]
    made = emitted(
        *begun,
        streams(3, 1, "Hello", reason="closed"),
        *(event for n in range(again) for event in (
            polls(5 + 2 * n, 1, connection=OTHER, query="?stream=true&starting_after=5"),
            streams(6 + 2 * n, 1, "Hello, all", connection=OTHER),
        )),
    )  # fmt: skip
    (call,) = last(CallRow, made)
    assert (call.status, call.text, call.total_tokens, call.response_id) == ("complete", "Hello, all", 10, "resp_1")
    assert [row.total_tokens for row in last(TokenRow, made)] == [10]


def test_a_stream_that_breaks_again_has_what_came_so_far() -> None:
    made = emitted(
        *starts(1)[:1],
        streams(3, 1, "Hello", reason="closed"),
        polls(5, 1, connection=OTHER, query="?stream=true&starting_after=5"),
        streams(6, 1, ", all", connection=OTHER, reason="closed"),
    )
    (call,) = last(CallRow, made)
    assert (call.status, call.text) == ("partial", "Hello, all")


def test_the_stream_of_an_answer_that_was_fetched_whole_adds_nothing() -> None:
    made = emitted(*starts(1), polls(5, 2), says(6, 2, DONE), polls(7, 3, query="?stream=true"), streams(8, 3, "done"))
    assert [(row.status, row.end_timestamp_ms) for row in last(CallRow, made)] == [("complete", 7)]
