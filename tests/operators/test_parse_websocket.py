"""parse_http and merge_websocket on WebSockets: real bytes of the `wsproto` package, cut, compressed, with holes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec
import pytest

from agentsight_rx.events import HttpEvent, HttpRequest, HttpResponse, Loss, SseMessage, TlsChunk, TlsEvent, WebSocketMessage
from agentsight_rx.operators import merge_websocket, parse_http
from tests.operators import MS, Running, Wire, run, size_of
from tests.operators.websocket_peers import Sockets

E = TypeVar("E", bound=HttpEvent)

DEFLATE = ["", "permessage-deflate", "permessage-deflate; client_no_context_takeover; server_no_context_takeover"]
LONG = "模型 🙂 " * 9000

CREATE = json.dumps({"type": "response.create", "model": "gpt-5", "input": [{"role": "user", "content": "list the files"}]})
STREAM = [
    {"type": "response.created", "response": {"id": "resp_1", "model": "gpt-5", "status": "in_progress"}},
    {"type": "response.output_text.delta", "output_index": 0, "item_id": "msg_1", "delta": "Here "},
    {"type": "response.output_text.delta", "output_index": 0, "item_id": "msg_1", "delta": "they are"},
    {
        "type": "response.completed",
        "response": {"id": "resp_1", "model": "gpt-5", "status": "completed", "usage": {"input_tokens": 9, "output_tokens": 3}},
    },
]


def parsed(events: Sequence[TlsEvent], body_limit: int = 8 << 20) -> list[HttpEvent]:
    """What comes out; and the sizes add up to the bytes that went in."""
    made = run(parse_http(body_limit=body_limit), events)
    assert size_of(made) == sum(len(event.data) for event in events if isinstance(event, TlsChunk))
    return made


def only(kind: type[E], events: Iterable[HttpEvent]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def read(sockets: Sockets) -> list[HttpEvent]:
    return run(merge_websocket(), parsed(sockets.records))


@pytest.mark.parametrize("record", [1, 7, 512, 16_384])
@pytest.mark.parametrize("deflate", DEFLATE)
def test_messages_both_ways_however_the_bytes_are_cut(deflate: str, record: int) -> None:
    sockets = Sockets(Wire(), deflate=deflate, record=record)
    sockets.asks("hello", 2)
    sockets.tells(LONG[:9000], 3)
    sockets.sends(b"\x00\xff" * 200)
    sockets.pings(b"are you there")
    sockets.tells("hello again")
    sockets.closes(1001, "bye")
    made = parsed(sockets.records)
    assert [(event.kind, event.origin.direction, event.data) for event in only(WebSocketMessage, made)] == [
        ("text", "out", b"hello"),
        ("text", "in", LONG[:9000].encode()),
        ("binary", "out", b"\x00\xff" * 200),
        ("ping", "in", b"are you there"),
        ("text", "in", b"hello again"),
        ("close", "in", b"bye"),
    ]
    assert [event.code for event in only(WebSocketMessage, made)][-1] == 1001
    assert all(event.complete and event.upgrade == 1 for event in only(WebSocketMessage, made))
    assert [event.exchange for event in only(WebSocketMessage, made)] == [2, 3, 4, 5, 6, 7]
    assert {(event.target, event.host) for event in only(WebSocketMessage, made)} == {("/v1/responses", "api.openai.com")}
    assert [event.status for event in only(HttpResponse, made)] == [101]
    assert not only(TlsChunk, made)


def test_a_message_has_the_origin_of_its_first_byte_and_the_time_of_its_last() -> None:
    sockets = Sockets(Wire())
    sockets.tells("a" * 100, 2)
    first, last = sockets.records[-2:]
    (message,) = only(WebSocketMessage, parsed(sockets.records))
    assert (message.origin.time_ns, message.end_ns) == (first.origin.time_ns, last.origin.time_ns)


def test_messages_behind_the_answer_to_the_upgrade_in_the_same_record_are_read() -> None:
    sockets = Sockets(Wire())
    sockets.tells("at once")
    request, answer, emitted = sockets.records
    joined = msgspec.structs.replace(answer, data=answer.data + emitted.data)
    assert [event.data for event in only(WebSocketMessage, parsed([request, joined]))] == [b"at once"]


def test_without_the_upgrade_nobody_takes_the_bytes_for_a_websocket() -> None:
    sockets = Sockets(Wire())
    sockets.asks("hello")
    made = parsed(sockets.records[2:])
    assert [type(event) for event in made] == [TlsChunk]


def test_a_hole_damages_the_message_it_is_in() -> None:
    sockets = Sockets(Wire(), record=100)
    sockets.tells("a" * 250)
    hole = sockets.records[3]
    sockets.tells("whole")
    made = run(parse_http(), [record for record in sockets.records if record is not hole])
    damaged, whole = only(WebSocketMessage, made)
    assert (damaged.complete, damaged.reason, damaged.lost) == (False, "lost", 100)
    assert (whole.data, whole.complete) == (b"whole", True)


def test_a_message_over_the_limit_is_cut_and_the_next_one_is_not() -> None:
    sockets = Sockets(Wire())
    sockets.tells("a" * 250)
    sockets.tells("b")
    cut, whole = only(WebSocketMessage, parsed(sockets.records, body_limit=100))
    assert (cut.data, cut.lost, cut.reason) == (b"a" * 100, 150, "limit")
    assert whole.complete


def test_a_connection_that_ends_in_a_message_says_so() -> None:
    sockets = Sockets(Wire(), record=100)
    sockets.tells("a" * 250)
    made = parsed([*sockets.records[:-1], TlsClose_of(sockets)])
    (message,) = only(WebSocketMessage, made)
    assert (message.complete, message.data[:3]) == (False, b"aaa")


def TlsClose_of(sockets: Sockets) -> TlsEvent:
    return msgspec.structs.replace(sockets.wire.closes(), in_offset=-1, out_offset=-1)


@pytest.mark.parametrize("deflate", DEFLATE)
def test_going_on_from_a_checkpoint_changes_nothing(deflate: str) -> None:
    sockets = Sockets(Wire(), deflate=deflate, record=40)
    for text in ("hello hello hello", LONG[:400], "hello hello"):
        sockets.asks(text, 2)
        sockets.tells(text)
    events = sockets.records
    expected = run(parse_http(), events)
    for cut in range(len(events)):
        before, after = Running(parse_http()), Running(parse_http())
        made = before.feed(*events[:cut])
        state: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(before.snapshot()))
        after.restore(state)
        assert after.held() == before.held()
        assert made + after.feed(*events[cut:]) + after.finish() == expected


# -- calls of models -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deflate", DEFLATE)
@pytest.mark.parametrize("pieces", [1, 3])
def test_a_call_over_a_websocket_is_a_request_and_a_message(deflate: str, pieces: int) -> None:
    sockets = Sockets(Wire(), deflate=deflate)
    for _ in range(2):
        sockets.asks(CREATE, pieces)
        for event in STREAM:
            sockets.tells(json.dumps(event), pieces)
    made = read(sockets)
    _, *calls = only(HttpRequest, made)
    messages = only(SseMessage, made)
    assert [(call.method, call.target, call.version, call.body) for call in calls] == [
        ("POST", "/v1/responses", "WebSocket", CREATE.encode())
    ] * 2
    assert ("host", "api.openai.com") in calls[0].headers
    assert [message.exchange for message in messages] == [call.exchange for call in calls]
    assert {message.dialect for message in messages} == {"openai_responses"}
    assert [message.reply.text for message in messages] == ["Here they are"] * 2
    assert [len(message.events) for message in messages] == [4, 4]
    assert all(message.complete for message in messages)
    assert messages[0].reply.usage is not None
    assert (messages[0].reply.usage.input, messages[0].reply.usage.output) == (9, 3)
    assert not only(WebSocketMessage, made)
    assert size_of(made) + sum(message.size for message in messages) == sum(len(record.data) for record in sockets.records)


def test_an_error_ends_the_call_and_gives_its_status() -> None:
    sockets = Sockets(Wire())
    sockets.asks(CREATE)
    sockets.tells(json.dumps({"type": "error", "status": 429, "error": {"type": "rate_limit", "message": "slow down"}}))
    (message,) = only(SseMessage, read(sockets))
    assert (message.status, message.reply.error) == (429, "rate_limit: slow down")


def test_a_call_that_is_cut_is_partial() -> None:
    sockets = Sockets(Wire())
    sockets.asks(CREATE)
    for event in STREAM[:2]:
        sockets.tells(json.dumps(event))
    sockets.closes(1011, "")
    (message,) = only(SseMessage, read(sockets))
    assert (message.reply.text, message.complete, message.reason) == ("Here ", False, "closed")


def test_an_answer_with_a_hole_is_not_complete() -> None:
    sockets = Sockets(Wire())
    sockets.asks(CREATE)
    for event in STREAM:
        sockets.tells(json.dumps(event))
    made = run(parse_http(), [record for record in sockets.records if b"they are" not in record.data])
    (message,) = only(SseMessage, run(merge_websocket(), made))
    assert message.complete is False


@pytest.mark.parametrize("kind", ["ping", "binary", "text"])
def test_a_hole_that_the_next_message_tells_of_damages_the_answer_whatever_it_is(kind: str) -> None:
    sockets = Sockets(Wire())
    sockets.asks(CREATE)
    for event in STREAM[:2]:
        sockets.tells(json.dumps(event))
    if kind == "ping":
        sockets.pings(b"")
    for event in STREAM[2:]:
        sockets.tells(json.dumps(event))
    made = run(parse_http(), [record for record in sockets.records if b'"Here "' not in record.data])
    made = [msgspec.structs.replace(event, kind=kind) if event in made[6:7] and kind == "binary" else event for event in made]
    (message,) = only(SseMessage, run(merge_websocket(), made))
    assert message.complete is False


def test_what_the_client_says_is_no_answer() -> None:
    sockets = Sockets(Wire())
    for event in STREAM:
        sockets.asks(json.dumps(event))
    assert not only(SseMessage, read(sockets))


def test_where_the_end_of_an_answer_is_missing_the_next_one_is_not_taken_for_it() -> None:
    sockets = Sockets(Wire())
    for _ in range(2):
        sockets.asks(CREATE)
        for event in STREAM:
            sockets.tells(json.dumps(event))
    ends = [record for record in sockets.records if b"response.completed" in record.data]
    made = run(parse_http(), [record for record in sockets.records if record is not ends[0]])
    made = run(merge_websocket(), made)
    first, second = only(SseMessage, made)
    assert (first.complete, first.reason, first.reply.text) == (False, "lost", "Here they are")
    assert second.reply.text == "Here they are"
    assert [first.exchange, second.exchange] == [call.exchange for call in only(HttpRequest, made)[1:]]


def test_a_new_websocket_at_an_address_whose_old_one_nobody_saw_close_gets_its_own_answers() -> None:
    first, second = Sockets(Wire()), Sockets(Wire(start_ns=100 * MS))
    first.asks(CREATE)
    second.asks(CREATE)
    for event in STREAM:
        second.tells(json.dumps(event))
    made = run(merge_websocket(), run(parse_http(), [*first.records, *second.records]))
    (message,) = only(SseMessage, made)
    assert message.exchange == only(HttpRequest, made)[-1].exchange
    assert message.complete


def test_a_call_in_silence_is_told_as_partial_and_again_when_it_goes_on() -> None:
    sockets = Sockets(Wire())
    sockets.asks(CREATE)
    sockets.tells(json.dumps(STREAM[1]))
    events = parsed(sockets.records)
    running = Running(merge_websocket(timeout=1.0))
    running.feed(*events)
    late_ns = sockets.wire.now_ns + 1_100 * MS
    (partial,) = only(SseMessage, running.tick(late_ns))
    assert (partial.reason, partial.reply.text) == ("timeout", "Here ")
    assert running.tick(late_ns + 1_000 * MS) == []


def test_other_websockets_are_messages_only() -> None:
    sockets = Sockets(Wire(), target="/chat", host="localhost")
    sockets.asks(CREATE)
    sockets.tells(json.dumps(STREAM[3]))
    assert [type(event) for event in read(sockets)][2:] == [WebSocketMessage, WebSocketMessage]


def test_what_is_no_part_of_a_call_goes_by() -> None:
    sockets = Sockets(Wire())
    sockets.asks('{"type":"session.update"}')
    sockets.tells('{"type":"session.updated"}')
    sockets.pings(b"")
    assert [event.data for event in only(WebSocketMessage, read(sockets))] == [
        b'{"type":"session.update"}',
        b'{"type":"session.updated"}',
        b"",
    ]


def test_a_recording_gives_the_same_again() -> None:
    sockets = Sockets(Wire())
    sockets.asks(CREATE)
    for event in STREAM:
        sockets.tells(json.dumps(event))
    once = read(sockets)
    assert run(merge_websocket(), once) == once


def test_nothing_that_is_no_json_makes_it_fail() -> None:
    sockets = Sockets(Wire())
    for text in ("", "{", "[]", "null", '{"type":[]}', "x" * 1000, '{"type":"response.create"', "[" * 100_000):
        sockets.asks(text)
        sockets.tells(text)
    made = read(sockets)
    assert len(only(WebSocketMessage, made)) == 16
    assert not only(SseMessage, made)
    assert not only(Loss, made)
