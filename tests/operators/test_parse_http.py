from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import pytest

from agentsight_rx.events import (
    BodyPart,
    Connection,
    Direction,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Loss,
    Origin,
    TlsChunk,
    TlsClose,
    TlsEvent,
    TlsHandshake,
)
from agentsight_rx.events.loss import Reason
from agentsight_rx.operators import parse_http
from tests.operators import CONNECTION, MS, Running, Wire, run, size_of

E = TypeVar("E", bound=HttpEvent)

GET = b"GET /a HTTP/1.1\r\nHost: api.example\r\n\r\n"
HEAD = b"HEAD /b HTTP/1.1\r\nHost: api.example\r\n\r\n"
POST = b"POST /c HTTP/1.1\r\nHost: api.example\r\nContent-Length: 4\r\n\r\nbody"
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
ALL_CLEAR = b"HTTP/1.1 204 No Content\r\n\r\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
STREAM = STREAM_HEAD + b"9\r\ndata: x\n\n\r\n9\r\ndata: y\n\n\r\n0\r\n\r\n"


def parsed(*events: TlsEvent, body_limit: int = 8 << 20) -> list[HttpEvent]:
    """What comes out; and the sizes add up to the bytes that went in."""
    made = run(parse_http(body_limit=body_limit), events)
    assert size_of(made) == sum(len(event.data) for event in events if isinstance(event, TlsChunk))
    return made


def only(kind: type[E], events: Sequence[HttpEvent]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def split(wire: Wire, direction: Direction, data: bytes, size: int) -> list[TlsChunk]:
    return [wire.record(direction, data[at : at + size]) for at in range(0, len(data), size)]


def test_a_request_and_its_response_are_one_exchange() -> None:
    wire = Wire()
    made = parsed(wire.writes(POST), wire.reads(HELLO))
    origin = Origin(MS, 7, 8, 1000, "agent", 0, CONNECTION, "out")
    headers = (("host", "api.example"), ("content-length", "4"))
    assert made == [
        HttpRequest(origin, 1, "POST", "/c", "HTTP/1.1", headers, b"body", end_ns=MS, size=len(POST)),
        HttpResponse(
            msgspec.structs.replace(origin, time_ns=2 * MS, direction="in"),
            1,
            200,
            "OK",
            "HTTP/1.1",
            (("content-length", "5"),),
            b"hello",
            end_ns=2 * MS,
            size=len(HELLO),
            method="POST",
            target="/c",
            host="api.example",
        ),
    ]


@pytest.mark.parametrize("size", [1, 7, 512, 16384])
def test_the_size_of_records_changes_times_only(size: int) -> None:
    wire = Wire()
    out, back = b"".join([POST, GET, HEAD, POST]), b"".join([HELLO, ALL_CLEAR, HELLO[:-5], HELLO])
    made = parsed(*split(wire, "out", out, size), *split(wire, "in", back, size))
    assert [(event.exchange, event.method, event.body, event.size) for event in only(HttpRequest, made)] == [
        (1, "POST", b"body", len(POST)),
        (2, "GET", b"", len(GET)),
        (3, "HEAD", b"", len(HEAD)),
        (4, "POST", b"body", len(POST)),
    ]
    assert [(event.exchange, event.method, event.body, event.size) for event in only(HttpResponse, made)] == [
        (1, "POST", b"hello", len(HELLO)),
        (2, "GET", b"", len(ALL_CLEAR)),
        (3, "HEAD", b"", len(HELLO) - 5),
        (4, "POST", b"hello", len(HELLO)),
    ]


def test_a_message_has_the_origin_of_its_first_byte_and_the_time_of_its_last() -> None:
    wire = Wire()
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
    made = parsed(
        wire.reads(HELLO[:3]),
        wire.reads(HELLO[3:-2]),
        wire.reads(b"lo" + chunked),
        wire.reads(b"\r\n" + HELLO[:9]),
        wire.reads(HELLO[9:]),
    )
    assert [(event.origin.time_ns // MS, event.end_ns // MS) for event in only(HttpResponse, made)] == [(1, 3), (3, 4), (4, 5)]


def test_a_body_of_300_kib_in_three_writes_is_one_request() -> None:
    wire, body = Wire(), b"x" * (300 << 10)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    (request,) = parsed(wire.writes(head + body[:100_000]), wire.writes(body[100_000:200_000]), wire.writes(body[200_000:]))
    assert isinstance(request, HttpRequest)
    assert (request.body, request.complete) == (body, True)


@pytest.mark.parametrize("answers", [[HELLO[:-5] + HELLO], [HELLO[:-5], HELLO]])
def test_answers_to_pipelined_requests_are_framed_by_their_own_requests(answers: list[bytes]) -> None:
    wire = Wire()
    made = parsed(wire.writes(HEAD + GET), *map(wire.reads, answers))
    assert [(event.exchange, event.method, event.body) for event in only(HttpResponse, made)] == [
        (1, "HEAD", b""),
        (2, "GET", b"hello"),
    ]


def test_an_interim_response_belongs_to_the_exchange_and_leaves_it_open() -> None:
    wire = Wire()
    made = parsed(wire.writes(POST[:-4]), wire.reads(b"HTTP/1.1 100 Continue\r\n\r\n"), wire.writes(b"body"), wire.reads(HELLO))
    assert [(type(event), getattr(event, "exchange", None)) for event in made] == [
        (HttpResponse, 1),
        (HttpRequest, 1),
        (HttpResponse, 1),
    ]


def test_a_process_that_serves_reads_requests_and_writes_responses() -> None:
    wire = Wire()
    made = parsed(wire.reads(HEAD + GET), wire.writes(HELLO[:-5] + HELLO))
    assert [(event.exchange, event.method, event.body) for event in only(HttpResponse, made)] == [
        (1, "HEAD", b""),
        (2, "GET", b"hello"),
    ]


def test_an_answer_to_a_request_that_nobody_saw_has_a_number_of_its_own() -> None:
    wire = Wire()
    made = parsed(wire.reads(HELLO), wire.writes(GET), wire.reads(HELLO))
    assert [(event.exchange, event.method) for event in only(HttpResponse, made)] == [(1, None), (2, "GET")]


def test_two_connections_do_not_mix() -> None:
    first, second = Wire(), Wire(Connection(7, 700, "/lib/libssl.so.3", 0x7F01))
    records = zip(split(first, "out", POST, 5), split(second, "out", POST, 5), strict=True)
    made = parsed(*(record for pair in records for record in pair))
    assert [(event.origin.connection, event.body) for event in only(HttpRequest, made)] == [
        (first.connection, b"body"),
        (second.connection, b"body"),
    ]


def test_what_has_no_connection_goes_by() -> None:
    events: list[TlsEvent] = [TlsChunk(Origin(1, 2), GET, 0, 0), TlsHandshake(Origin(1, 2, connection=CONNECTION))]
    assert run(parse_http(), events) == events


# -- event streams ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 512])
def test_the_body_of_an_event_stream_comes_in_parts_even_where_one_record_holds_it_all(size: int) -> None:
    wire = Wire()
    made = parsed(wire.writes(GET), *split(wire, "in", STREAM + HELLO, size))
    head, *parts, following = made[1:]
    assert isinstance(head, HttpResponse)
    assert (head.streaming, head.exchange, head.target, head.size) == (True, 1, "/a", len(STREAM_HEAD))
    bodies = [part for part in parts if isinstance(part, BodyPart)]
    assert b"".join(part.data for part in bodies) == b"data: x\n\ndata: y\n\n"
    assert [part.last for part in bodies] == [False] * (len(bodies) - 1) + [True]
    assert (bodies[-1].complete, bodies[-1].exchange) == (True, 1)
    assert isinstance(following, HttpResponse)


def test_an_event_stream_without_a_body_is_a_plain_response() -> None:
    for answer in (STREAM_HEAD, STREAM_HEAD + HELLO[:9]):
        wire = Wire()
        response = parsed(wire.writes(HEAD), wire.reads(answer))[1]
        assert isinstance(response, HttpResponse)
        assert (response.streaming, response.complete) == (False, True)


def test_a_hole_in_an_event_stream_is_told_by_the_part_behind_it() -> None:
    wire = Wire()
    records = [wire.reads(STREAM_HEAD + b"9\r\nda")]
    wire.misses("in", 3)
    made = parsed(*records, wire.reads(b" x\n\n\r\n0\r\n\r\n"))
    assert [(part.data, part.lost, part.last, part.reason) for part in only(BodyPart, made)] == [
        (b"da", 0, False, None),
        (b" x\n\n", 3, False, None),
        (b"", 0, True, "lost"),
    ]


# -- limits -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "kept", "reason"), [(5, b"hello", None), (4, b"helo", "body_limit"), (0, b"", "body_limit")])
def test_of_a_long_body_the_beginning_and_the_end_are_kept_and_the_rest_counted(
    limit: int, kept: bytes, reason: str | None
) -> None:
    wire = Wire()
    _, response, following = parsed(wire.writes(GET), *split(wire, "in", HELLO, 3), wire.reads(ALL_CLEAR), body_limit=limit)
    assert isinstance(response, HttpResponse)
    assert (response.body, response.body_lost, response.reason) == (kept, 5 - len(kept), reason)
    assert response.complete is (reason is None)
    assert isinstance(following, HttpResponse)
    assert following.status == 204


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_where_the_end_begins_behind_the_cut_is_told(size: int) -> None:
    body = bytes(range(200))
    for limit in (0, 1, 3, 4, 8, 100, 199, 200, 201):
        wire, head = Wire(), b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n"
        _, response = parsed(wire.writes(GET), *split(wire, "in", head + body, size), body_limit=limit)
        assert isinstance(response, HttpResponse)
        begun, end = response.body[: len(response.body) - response.tail], response.body[len(response.body) - response.tail :]
        assert len(response.body) <= limit
        assert len(response.body) + response.body_lost == 200
        assert body.startswith(begun)
        assert body.endswith(end)
        assert (response.tail > 0) == (4 <= limit < 200)
        assert response.complete is (limit >= 200)


@pytest.mark.parametrize(("limit", "behind"), [(1000, b"abcdef"), (16, b"abcdef"), (8, b"aef")])
def test_where_bytes_of_a_body_are_missing_is_told(limit: int, behind: bytes) -> None:
    wire = Wire()
    records = [wire.reads(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n12345")]
    wire.misses("in", 4)
    response = only(HttpResponse, parsed(*records, wire.reads(b"abcdef"), body_limit=limit))[0]
    assert (response.body, response.tail) == (b"12345" + behind, len(behind))
    assert len(response.body) + response.body_lost == 15


def test_the_trailers_of_a_chunked_body_are_told() -> None:
    wire = Wire()
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nDigest: a\r\nSet-Cookie: b\r\n\r\n"
    for at in range(1, len(answer)):
        response = only(HttpResponse, parsed(wire.reads(answer[:at]), wire.reads(answer[at:])))[0]
        assert (response.body, response.trailers) == (b"hi", (("digest", "a"), ("set-cookie", "b")))


def test_over_the_budget_the_connection_not_used_for_longest_is_told_as_partial() -> None:
    first, second = Wire(), Wire(Connection(7, 700, "/lib/libssl.so.3", 0x7F01), start_ns=10 * MS)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"
    events = [first.reads(head), first.reads(b"a" * 4000), second.reads(head), second.reads(b"b" * 6000)]
    made = run(parse_http(budget=9900), [*events, second.reads(b"b" * 3000), first.reads(b"a" * 5000), first.reads(HELLO)])
    assert [(event.body[:1], len(event.body), event.reason) for event in only(HttpResponse, made)] == [
        (b"a", 4000, "evicted"),
        (b"b", 9000, None),
        (b"h", 5, None),
    ]
    assert [event.exchange for event in only(HttpResponse, made)] == [1, 1, 2]


def test_pairs_behind_a_hole_are_inferred_and_those_before_it_are_not() -> None:
    wire = Wire()
    records = [wire.writes(GET), wire.reads(HELLO), wire.writes(POST + GET)]
    wire.misses("out", len(POST))
    made = parsed(*records, wire.writes(GET), *(wire.reads(HELLO) for _ in range(4)))
    assert [(event.method, event.exchange, event.inferred) for event in only(HttpResponse, made)[:4]] == [
        ("GET", 1, False),
        ("POST", 2, False),
        ("GET", 3, False),
        ("GET", 4, True),
    ]


def test_an_answer_behind_a_hole_in_the_answers_is_inferred() -> None:
    wire = Wire()
    records = [wire.writes(GET)]
    wire.misses("in", len(HELLO) + 7)
    made = parsed(*records, wire.writes(GET), wire.reads(HELLO), wire.writes(GET), wire.reads(HELLO))
    assert [(event.exchange, event.inferred) for event in only(HttpResponse, made)] == [(2, True), (3, True)]


def test_after_an_eviction_no_piece_of_a_body_begins_a_message() -> None:
    first, second = Wire(), Wire(Connection(7, 700, "/lib/libssl.so.3", 0x7F01), start_ns=10 * MS)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n"
    trap = b"FOO /evil HTTP/1.1\r\nHost: b\r\n\r\n"
    events = [first.writes(head + b"a" * 4000), second.writes(head + b"b" * 6000), first.writes(trap)]
    made = run(parse_http(budget=9900), [*events, first.writes(POST)])
    assert [(event.method, event.reason) for event in only(HttpRequest, made)] == [
        ("POST", "evicted"),
        ("POST", None),
        ("POST", "capture_end"),
    ]


def test_requests_without_an_answer_are_bounded_and_the_answers_stay_theirs() -> None:
    wire = Wire()
    made = parsed(wire.writes(GET * 1030), wire.reads(ALL_CLEAR * 1030), wire.writes(GET), wire.reads(ALL_CLEAR))
    paired = [event.exchange if event.method else None for event in only(HttpResponse, made)]
    assert paired[:1024] == list(range(1, 1025))
    assert paired[1024:1030] == [None] * 6
    assert paired[1030:] == [only(HttpRequest, made)[-1].exchange]


# -- closing ----------------------------------------------------------------------------------------------------------------

UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nhello"
REQUESTS_MISSING = (Reason.UNREADABLE, 2)


@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize("closes", [True, False])
def test_responses_on_a_connection_whose_other_direction_was_not_seen_are_a_loss(direction: Direction, closes: bool) -> None:
    wire = Wire()
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"  # answers nothing yet
    made = parsed(wire.record(direction, interim + HELLO), wire.record(direction, HELLO), *[wire.closes()] * closes)
    assert [(loss.reason, loss.count) for loss in only(Loss, made)] == [REQUESTS_MISSING]


def test_where_the_other_direction_was_seen_a_response_alone_is_no_loss() -> None:
    """Its request is among the bytes that could not be parsed, which were said."""
    wire = Wire()
    assert not only(Loss, parsed(wire.writes(b"\x01\x02\x03\x04" * 20), wire.reads(HELLO), wire.closes()))


def test_bytes_of_the_other_direction_that_the_kernel_lost_are_not_said_again() -> None:
    wire = Wire()
    wire.misses("out", len(GET))
    assert not only(Loss, parsed(wire.reads(HELLO), wire.closes()))


def test_a_server_may_end_an_idle_connection_with_a_status_that_answers_nothing() -> None:
    wire = Wire()
    timeout = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
    assert not only(Loss, parsed(wire.reads(timeout), wire.closes()))


def test_a_body_that_lasts_until_close_is_complete_once_the_close_was_seen() -> None:
    wire = Wire()
    _, response, close = parsed(wire.writes(GET), wire.reads(UNTIL_CLOSE), wire.closes())
    assert isinstance(response, HttpResponse)
    assert (response.body, response.complete) == (b"hello", True)
    assert isinstance(close, TlsClose)


def test_bytes_that_are_missing_at_the_close_are_known_from_its_offsets() -> None:
    wire = Wire()
    records = [wire.writes(GET), wire.reads(UNTIL_CLOSE)]
    wire.misses("in", 9)
    response = parsed(*records, wire.closes())[1]
    assert isinstance(response, HttpResponse)
    assert (response.reason, response.body_lost) == ("lost", 9)


def test_a_connection_whose_process_ended_was_not_closed_in_order() -> None:
    wire = Wire()
    response = parsed(wire.reads(UNTIL_CLOSE), TlsClose(wire.origin(None)))[0]
    assert isinstance(response, HttpResponse)
    assert (response.complete, response.reason) == (False, "process_ended")


def test_what_is_open_at_the_end_of_the_capture_is_told_as_partial() -> None:
    wire = Wire()
    made = parsed(wire.writes(POST[:-1]), wire.reads(UNTIL_CLOSE))
    assert [(event.complete, event.reason) for event in only(HttpRequest, made)] == [(False, "capture_end")]
    assert [(event.complete, event.reason) for event in only(HttpResponse, made)] == [(False, "capture_end")]


def test_a_connection_at_an_address_that_was_used_before_counts_on() -> None:
    first, second = Wire(), Wire(start_ns=10 * MS)
    made = parsed(first.writes(GET), first.reads(HELLO), first.closes(), second.writes(GET), second.reads(HELLO))
    assert [event.exchange for event in only(HttpRequest, made)] == [1, 2]
    assert [event.exchange for event in only(HttpResponse, made)] == [1, 2]


def test_a_new_connection_is_known_by_its_numbers_where_nobody_saw_the_old_one_close() -> None:
    first, second = Wire(), Wire(start_ns=10 * MS)
    made = parsed(first.writes(GET), first.reads(UNTIL_CLOSE), first.writes(GET), second.writes(GET), second.reads(HELLO))
    responses = only(HttpResponse, made)
    assert [(event.body, event.reason, event.exchange) for event in responses] == [(b"hello", "closed", 1), (b"hello", None, 3)]


@pytest.mark.parametrize("records", [1, 2])
def test_a_new_connection_is_known_even_if_its_first_record_is_missing(records: int) -> None:
    first, second = Wire(), Wire(start_ns=10 * MS)
    old = [first.reads(HELLO * 3) for _ in range(records)]
    second.misses("in", len(HELLO))
    made = parsed(first.writes(POST[:-1]), *old, second.reads(HELLO))
    assert [event.body for event in only(HttpResponse, made)] == [b"hello"] * (3 * records + 1)
    assert [event.reason for event in only(HttpRequest, made)] == ["closed"]


# -- holes ------------------------------------------------------------------------------------------------------------------


def test_a_truncated_record_damages_its_message_only() -> None:
    wire = Wire()
    made = parsed(wire.writes(GET), wire.reads(HELLO[:-5] + b"he", lost=3), wire.writes(GET), wire.reads(HELLO))
    assert [(event.body, event.reason, event.body_lost) for event in only(HttpResponse, made)] == [
        (b"he", "truncated", 3),
        (b"hello", None, 0),
    ]


def test_an_answer_behind_a_hole_belongs_to_the_last_request_and_is_framed_by_it() -> None:
    wire = Wire()
    records = [wire.writes(HEAD)]
    wire.misses("in", len(HELLO) - 5)
    made = parsed(*records, wire.writes(GET), wire.reads(HELLO))
    assert [(event.exchange, event.method, event.body) for event in only(HttpResponse, made)] == [(2, "GET", b"hello")]


def test_an_answer_behind_a_hole_may_be_to_a_request_that_nobody_saw() -> None:
    wire = Wire()
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    records = [wire.writes(HEAD)]
    wire.misses("in", len(HELLO) - 5)
    wire.misses("out", len(POST))
    made = parsed(*records, wire.reads(interim), wire.reads(HELLO), wire.writes(GET), wire.reads(HELLO))
    assert [event.body for event in only(HttpResponse, made)] == [b"", b"hello", b"hello"]


def test_a_request_that_was_lost_leaves_the_others_paired() -> None:
    wire = Wire()
    records = [wire.writes(GET), wire.reads(HELLO)]
    wire.misses("out", len(HEAD))
    records += [wire.reads(HELLO[:-5]), wire.writes(GET), wire.reads(HELLO), wire.writes(GET), wire.reads(HELLO)]
    made = parsed(*records)
    responses = only(HttpResponse, made)
    assert [(event.method, event.body) for event in responses] == [
        ("GET", b"hello"),
        (None, b""),
        ("GET", b"hello"),
        ("GET", b"hello"),
    ]
    assert [event.exchange for event in responses if event.method] == [event.exchange for event in only(HttpRequest, made)]


def test_attached_in_the_middle_of_a_body_the_next_exchange_parses() -> None:
    wire = Wire()
    wire.misses("in", 1000)
    wire.misses("out", 1000)
    made = parsed(wire.reads(b"the rest of an answer"), wire.writes(GET), wire.reads(HELLO))
    assert [event.exchange for event in made if isinstance(event, HttpRequest | HttpResponse)] == [1, 1]
    assert [event.data for event in only(TlsChunk, made)] == [b"the rest of an answer"]


def test_a_hole_ends_a_message_at_the_time_of_its_last_byte() -> None:
    wire = Wire()
    records = [wire.reads(HELLO[:-3])]
    wire.misses("in", 100)
    response = parsed(*records, wire.reads(HELLO))[0]
    assert isinstance(response, HttpResponse)
    assert response.end_ns == records[0].origin.time_ns


# -- raw bytes --------------------------------------------------------------------------------------------------------------


def test_a_record_that_is_no_http_goes_by_as_it_is() -> None:
    wire = Wire()
    chunk = msgspec.structs.replace(wire.reads(b"\0\1\2"), marked=True, latency_ns=5)
    assert parsed(chunk)[0] is chunk


def test_bytes_that_are_no_http_keep_their_place_and_their_time() -> None:
    wire = Wire()
    made = parsed(wire.reads(HELLO + b"GET"), wire.reads(b"\0" + HELLO), wire.reads(HELLO))
    assert [(chunk.data, chunk.offset, chunk.origin.time_ns // MS) for chunk in only(TlsChunk, made)] == [
        (b"GET", len(HELLO), 1),
        (b"\0" + HELLO, len(HELLO) + 3, 2),
    ]


def test_bytes_that_were_held_do_not_take_the_mark_of_the_record_that_frees_them() -> None:
    wire = Wire()
    held, marked = wire.reads(b"GET"), msgspec.structs.replace(wire.reads(b"\0"), marked=True)
    assert [(chunk.data, chunk.marked) for chunk in only(TlsChunk, parsed(held, marked))] == [(b"GET", False), (b"\0", True)]


def test_what_is_held_at_the_end_comes_out_raw() -> None:
    wire = Wire()
    (chunk,) = parsed(wire.writes(GET[:5]), wire.writes(GET[5:9]))
    assert isinstance(chunk, TlsChunk)
    assert (chunk.data, chunk.offset, chunk.origin.direction) == (GET[:9], 0, "out")


def test_a_tunnel_is_raw_in_both_directions() -> None:
    wire = Wire()
    asked = [wire.writes(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"), wire.reads(b"HTTP/1.1 200 OK\r\n\r\n")]
    tunnel = [wire.reads(HELLO), wire.writes(GET), wire.reads(HELLO)]
    assert parsed(*asked, *tunnel)[2:] == tunnel


# -- checkpoints ------------------------------------------------------------------------------------------------------------


def test_going_on_from_a_checkpoint_changes_nothing() -> None:
    wire = Wire()
    events: list[TlsEvent] = [*split(wire, "out", POST + HEAD + GET, 11), *split(wire, "in", HELLO + HELLO[:-5] + STREAM, 9)]
    wire.misses("in", 3)
    events += [*split(wire, "in", HELLO, 9), wire.closes()]
    expected = run(parse_http(), events)
    for cut in range(len(events)):
        before, after = Running(parse_http()), Running(parse_http())
        made = before.feed(*events[:cut])
        state: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(before.snapshot()))
        after.restore(state)
        assert after.held() == before.held()
        assert made + after.feed(*events[cut:]) + after.finish() == expected
