"""A connection that makes far more work than its bytes allow is skipped for some seconds, counted, and then read again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import pytest

from agentsight_rx.core.engine import Engine
from agentsight_rx.core.stream import of
from agentsight_rx.events import (
    BodyPart,
    Channel,
    Direction,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Loss,
    Origin,
    RpcMessage,
    SseMessage,
    StdioChunk,
    TlsChunk,
    WebSocketMessage,
    time_of,
)
from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.operators import decode_content, merge_sse, parse_http, parse_jsonrpc
from benchmarks.hostile_traffic import TRAFFIC, records
from tests.operators import MS, Running, Wire, run, size_of
from tests.operators.http2_peers import Peers

E = TypeVar("E")

S = 1_000_000_000
GET = b"GET /a HTTP/1.1\r\nHost: api.example\r\n\r\n"
TINY = b"GET / HTTP/1.1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
RECORD = 16_384


def only(kind: type[E], events: Sequence[object]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def flood(wire: Wire, size: int, unit: bytes = TINY, direction: Direction = "out") -> list[TlsChunk]:
    data = unit * (size // len(unit))
    return [wire.record(direction, data[at : at + RECORD]) for at in range(0, len(data), RECORD)]


def held_in(records: Sequence[TlsChunk]) -> int:
    return sum(len(record.data) for record in records)


# -- connections -------------------------------------------------------------------------------------------------------


FLOODS = [
    "chunks of one byte",
    "heads of short fields",
    "pipelined tiny requests, answered",
    "empty continuations",
    "rapid resets",
    "header bomb (HPACK)",
    "empty DATA frames",
    "empty settings",
    "tiny WebSocket messages",
    "empty WebSocket fragments",
]


@pytest.mark.parametrize("name", FLOODS)
def test_each_byte_of_a_flood_is_in_an_event_or_counted(name: str) -> None:
    sent = list(records(TRAFFIC[name](1_000_000)))
    running, weight, made = Running(parse_http()), 0, list[HttpEvent]()
    for record in sent:
        weight += len(record.data)
        made += running.feed(record)
        assert size_of(made) + running.held() == weight
    made += running.finish()
    assert (size_of(made), running.held()) == (weight, 0)
    losses = [loss for loss in only(Loss, made) if loss.reason is Reason.MALFORMED]
    assert sum(loss.size for loss in losses) > 400_000
    assert {loss.note for loss in losses} == {"a flood: far more frames or messages than its bytes allow"}


@pytest.mark.parametrize("size", [RECORD, 65_536, 65_600, 1_000_000])
@pytest.mark.parametrize("behind", [b"", b"\0\0\5\0\0\0\0\0\1he", bytes(40)])
def test_a_flood_is_left_within_its_record_too(size: int, behind: bytes) -> None:
    """One write may have 16 MB, of which 63 bytes stand for a head of 240 KB. `behind`: what may follow."""
    sent = TRAFFIC["header bomb (HPACK)"](size)
    data = b"".join(part for _, part in sent) + behind
    wire, running = Wire(), Running(parse_http())
    made = list(running.feed(wire.record("out", data)))
    assert size_of(made) + running.held() == len(data)
    made += running.finish()
    assert (size_of(made), running.held()) == (len(data), 0)
    assert 2 < len(only(HttpRequest, made)) < 20


def test_many_heads_in_one_large_record_are_no_flood() -> None:
    peers = Peers(Wire())
    bodies = [b"%d" % number * 900 for number in range(100)]
    for number, body in enumerate(bodies):
        peers.asks("POST", f"/{number}", [("cookie", "c" * 8000)], body)
    data = b"".join(record.data for record in peers.records if record.origin.direction == "out")
    made = run(parse_http(), [Wire().record("out", data)])
    assert [(each.target, each.body, each.complete) for each in only(HttpRequest, made)] == [
        (f"/{number}", body, True) for number, body in enumerate(bodies)
    ]
    assert len(data) > 3 * 65_536
    assert size_of(made) == len(data)


def test_after_the_flood_the_connection_is_read_again() -> None:
    wire = Wire()
    made = run(parse_http(), [*flood(wire, 500_000)])
    few = len(only(HttpRequest, made))
    assert 1000 < few < 500_000 // len(TINY) / 2
    wire = Wire()
    running = Running(parse_http())
    for record in flood(wire, 500_000):
        running.feed(record)
    assert running.feed(wire.writes(GET)) == []  # it is still skipped
    wire.now_ns += 10 * S
    loss, request, response = [*running.feed(wire.writes(GET)), *running.feed(wire.reads(OK))]
    assert isinstance(loss, Loss)
    assert isinstance(request, HttpRequest)
    assert isinstance(response, HttpResponse)
    assert (request.target, request.complete) == ("/a", True)
    assert (response.body, response.complete) == (b"ok", True)


def test_what_is_open_when_a_flood_begins_ends_with_that_reason() -> None:
    wire = Wire()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    made = run(parse_http(), [wire.writes(GET), wire.reads(head), *flood(wire, 500_000, b"1\r\na\r\n", "in")])
    (response,) = only(HttpResponse, made)
    assert (response.complete, response.reason) == (False, "flood")
    assert response.body.startswith(b"aaaa")


@pytest.mark.parametrize("closed", [True, False])
def test_a_new_connection_at_the_same_address_is_read_from_its_first_byte(closed: bool) -> None:
    wire, later = Wire(), Wire()
    running = Running(parse_http())
    sent = flood(wire, 500_000)
    made = [event for record in sent for event in running.feed(record)]
    if closed:
        made += running.feed(wire.closes())
    later.now_ns = wire.now_ns
    made += [*running.feed(later.writes(GET)), *running.feed(later.reads(OK))]
    assert only(HttpRequest, made)[-1].target == "/a"
    assert only(HttpResponse, made)[-1].complete
    assert size_of(made) == held_in(sent) + len(GET) + len(OK)


def test_a_flood_goes_on_from_a_checkpoint() -> None:
    wire, running = Wire(), Running(parse_http())
    for record in flood(wire, 500_000):
        running.feed(record)
    resumed = Running(parse_http())
    resumed.restore(running.snapshot())
    assert resumed.held() == running.held() > 0
    late = wire.writes(GET)
    assert resumed.feed(late) == running.feed(late) == []
    assert resumed.finish() == running.finish()


@pytest.mark.parametrize("alone", [b"1\r\na\r\n", b"5\r\nhello\r\n"])
def test_a_record_for_each_tiny_piece_is_no_flood(alone: bytes) -> None:
    """The record itself costs more than what is in it, on both sides."""
    wire = Wire()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    made = run(parse_http(), [wire.writes(GET), wire.reads(head), *(wire.reads(alone) for _ in range(20_000))])
    assert not only(Loss, made)
    assert len(only(BodyPart, made)) == 20_001


def test_small_messages_at_a_usual_rate_are_no_flood() -> None:
    """500 a second for 100 seconds, two in each record."""
    wire = Wire()
    upgrade = b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    sent = [wire.writes(upgrade), wire.reads(switch)]
    for _ in range(25_000):
        wire.now_ns += 3 * MS
        sent.append(wire.reads(b"\x81\x05hello" * 2))
    made = run(parse_http(), sent)
    assert len(only(WebSocketMessage, made)) == 50_000
    assert not only(Loss, made)


def test_a_busy_http2_connection_is_no_flood() -> None:
    """2,000 calls without a pause, with 20 fields and a small answer each."""
    peers = Peers(Wire())
    fields = [(f"x-field-{number}", f"value of field {number}") for number in range(20)]
    for number in range(2000):
        stream = peers.asks("POST", f"/v1/{number}", fields, b'{"model":"m"}')
        peers.answers(stream, [("content-type", "application/json")], b'{"id":"msg","content":"a short answer"}')
    made = run(parse_http(), peers.records)
    assert len(only(HttpRequest, made)) == len(only(HttpResponse, made)) == 2000
    assert {loss.reason for loss in only(Loss, made)} <= {Reason.OVERHEAD}


# -- header lists ------------------------------------------------------------------------------------------------------


def test_fields_of_a_head_over_256_kib_are_left_out_and_counted() -> None:
    """100 octets that name an entry of 4,000 bytes: 64 of the fields fit, with 32 bytes for each."""
    wire = Wire()
    entry = b"\x83\x84\x87\x40\x01x\x7f\xa1\x1e" + b"v" * 4000
    named = b"\x83\x84\x87" + b"\xbe" * 100
    frames = [b"\0\0" + bytes([0]) + b"\x04\0\0\0\0\0"]
    for stream, block in ((1, entry), (3, named)):
        frames.append(len(block).to_bytes(3, "big") + b"\x01\x05" + stream.to_bytes(4, "big") + block)
    made = run(parse_http(), [wire.writes(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"".join(frames))])
    _, request = only(HttpRequest, made)
    kept = sum(1 for name, _ in request.headers if name == "x")
    assert 60 < kept < 66
    assert not request.headers_complete
    (loss,) = [loss for loss in only(Loss, made) if loss.reason is Reason.TRUNCATED]
    assert (loss.count, loss.size, loss.note) == (100 - kept, 0, "fields of a head over its limit of 256 KiB")
    values = [value for name, value in request.headers if name == "x"]
    assert all(value is values[0] for value in values)  # one text, however often it is named


# -- coded bodies ------------------------------------------------------------------------------------------------------


def test_the_bodies_of_a_connection_become_so_much_longer_and_no_more() -> None:
    engine = Engine()
    sent = list(records(TRAFFIC["gzip bombs, one after another"](1_000_000)))
    made: list[HttpEvent] = []
    of(sent, time_of=time_of).pipe(parse_http(), decode_content()).subscribe(made.append, scheduler=engine)
    engine.run_inline()
    answers = only(HttpResponse, made)
    sizes = [len(answer.body) for answer in answers]
    assert 32 << 20 < sum(sizes) < 80 << 20
    assert sizes[-1] == 0
    last = answers[-1]
    assert (last.complete, last.reason) == (False, "coding_limit")
    assert last.body_lost > 30_000  # all of its coded bytes


def test_a_pause_gives_a_connection_its_share_again() -> None:
    wire, running = Wire(), Running(parse_http())
    (ask, *answer) = [data for _, data in TRAFFIC["gzip bombs, one after another"](40_000)]
    decoding = Running(decode_content())

    def bomb() -> HttpResponse:
        events = [*running.feed(wire.writes(ask)), *(event for data in answer for event in running.feed(wire.reads(data)))]
        return only(HttpResponse, decoding.feed(*events))[0]

    bodies = [len(bomb().body) for _ in range(5)]
    assert bodies[0] > 10 << 20
    assert bodies[-1] == 0
    wire.now_ns += 60 * S
    assert len(bomb().body) == bodies[0]


# -- event streams -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [b"data:a\n\n", b":\n", b"\n", b"data:\r\r", b"id\n"])
def test_a_stream_of_tiny_lines_is_read_up_to_a_limit_and_the_rest_is_counted(unit: bytes) -> None:
    wire = Wire()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    part = unit * (16_000 // len(unit))
    chunk = b"%x\r\n%b\r\n" % (len(part), part)
    engine, made = Engine(), list[HttpEvent]()
    sent = [wire.writes(GET), wire.reads(head), *(wire.reads(chunk) for _ in range(100)), wire.reads(b"0\r\n\r\n")]
    of(sent, time_of=time_of).pipe(parse_http(), merge_sse()).subscribe(made.append, scheduler=engine)
    engine.run_inline()
    (message,) = only(SseMessage, made)
    (loss,) = [loss for loss in only(Loss, made) if loss.stage == "merge_sse"]
    assert (message.complete, message.reason) == (False, "stream_limit")
    assert message.size + loss.size == 100 * len(part)
    assert loss.size > 500_000
    assert loss.note == "a flood of tiny events"


def test_a_hole_in_the_part_of_a_stream_that_is_not_read_changes_nothing() -> None:
    connection = Wire().connection
    origin = Origin(1, 7, connection=connection, direction="in")
    head = HttpResponse(origin, 1, 200, "OK", "HTTP/1.1", (("content-type", "text/event-stream"),), streaming=True)
    part = b"data:a\n\n" * 8000
    running = Running(merge_sse())
    made = running.feed(head, *(BodyPart(origin, 1, part, size=len(part)) for _ in range(10)))
    made += running.feed(BodyPart(origin, 1, part, lost=5), BodyPart(origin, 1, b"", last=True))
    (message,) = only(SseMessage, made)
    (loss,) = only(Loss, made)
    assert message.size + loss.size == 11 * len(part)


# -- pipes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [b"\n", b"y\n", b'{"jsonrpc":"2.0","id":1,"method":"a"}\n'])
def test_a_channel_of_tiny_lines_passes_as_chunks_from_there_on(unit: bytes) -> None:
    channel, data = Channel("pipe", 5), unit * (2_000_000 // len(unit))
    sent = [
        StdioChunk(Origin(number * MS, 7, 8, direction="out"), channel, 1, data[at : at + RECORD], at, number)
        for number, at in enumerate(range(0, len(data), RECORD))
    ]
    engine, made = Engine(), list[object]()
    of(sent, time_of=time_of).pipe(parse_jsonrpc()).subscribe(made.append, scheduler=engine)
    engine.run_inline()
    messages, chunks = only(RpcMessage, made), only(StdioChunk, made)
    assert 0 < len(messages) < 90_000
    assert sum(message.size for message in messages) + sum(len(chunk.data) for chunk in chunks) == len(data)
    assert chunks[-1] == sent[-1]
    assert list[Entry]() == engine.ledger.entries()
