from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from typing import TypeVar

import msgspec
import pytest
import zstandard
from msgspec.structs import replace

from agentsight_rx.core.stream import Operator
from agentsight_rx.events import (
    BodyPart,
    Connection,
    Headers,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Loss,
    Origin,
    SseMessage,
    TlsChunk,
    TlsClose,
)
from agentsight_rx.events.loss import Reason
from agentsight_rx.operators import merge_sse
from agentsight_rx.operators.decode_content import decode_content
from tests.operators import CONNECTION, Running, run

B = TypeVar("B")

JSON = b'{"model":"claude","messages":[]}' * 4
ZIPPED = gzip.compress(JSON)
EVENTS = [
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"c"}}\n\n',
    b"event: x\ndata: y\n\n",
]
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def origin(connection: Connection = CONNECTION, time_ns: int = 0) -> Origin:
    return Origin(time_ns, connection.pid, connection=connection, direction="in")


def coded_as(*codings: str) -> Headers:
    return (("content-type", "x"), *(("content-encoding", each) for each in codings), ("content-length", "9"), ("server", "n"))


PLAIN: Headers = (("content-type", "x"), ("server", "n"))


def request(body: bytes, *codings: str) -> HttpRequest:
    return HttpRequest(origin(), 1, "POST", "/v1", "HTTP/1.1", coded_as(*codings), body, size=len(body) + 90)


def response(body: bytes, *codings: str, connection: Connection = CONNECTION) -> HttpResponse:
    return HttpResponse(origin(connection), 1, 200, "OK", "HTTP/1.1", coded_as(*codings), body, size=len(body) + 90)


def head(coding: str = "gzip", exchange: int = 1, connection: Connection = CONNECTION) -> HttpResponse:
    made = HttpResponse(origin(connection), exchange, 200, "OK", "HTTP/1.1", coded_as(coding), streaming=True, size=90)
    return replace(made, target="/v1/messages")


def part(
    data: bytes, coding: str = "gzip", exchange: int = 1, *, lost: int = 0, connection: Connection = CONNECTION
) -> BodyPart:
    return BodyPart(origin(connection, 5), exchange, data, lost=lost, size=len(data) + 7, encoding=coding)


def last(data: bytes = b"", coding: str = "gzip", exchange: int = 1, *, reason: str | None = None) -> BodyPart:
    return BodyPart(origin(time_ns=9), exchange, data, True, reason is None, reason, size=5, encoding=coding)


def flushed(*pieces: bytes) -> list[bytes]:
    """The pieces, each one zipped and flushed, and the end."""
    zipper = zlib.compressobj(wbits=31)
    return [*(zipper.compress(piece) + zipper.flush(zlib.Z_SYNC_FLUSH) for piece in pieces), zipper.flush()]


def decoded(*events: HttpEvent, limit: int = 64 << 20) -> list[HttpEvent]:
    return run(decode_content(limit=limit), events)


def parts_of(events: Sequence[HttpEvent]) -> list[BodyPart]:
    return [event for event in events if isinstance(event, BodyPart)]


# -- whole messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [request(ZIPPED, "gzip"), response(ZIPPED, "gzip")], ids=["request", "response"])
def test_a_whole_body_is_decoded_and_the_headers_that_no_longer_hold_are_gone(message: HttpRequest | HttpResponse) -> None:
    assert decoded(message) == [replace(message, headers=PLAIN, body=JSON, encoding="gzip")]


def test_the_encoding_is_named_as_the_head_named_it() -> None:
    twice = response(gzip.compress(ZIPPED), "GZIP", "identity, x-gzip")
    assert decoded(twice) == [replace(twice, headers=PLAIN, body=JSON, encoding="GZIP, identity, x-gzip")]


@pytest.mark.parametrize(
    "message",
    [
        response(b"", "gzip"),
        replace(response(b"", "gzip"), status=304),
        response(JSON, "compress"),
        response(ZIPPED, "gzip, compress"),
        response(JSON, "identity"),
        response(JSON),
        replace(response(ZIPPED, "gzip"), origin=Origin(0, 1)),
    ],
)
def test_what_has_nothing_to_decode_is_untouched(message: HttpResponse) -> None:
    (same,) = decoded(message)
    assert same is message


def test_other_events_go_by() -> None:
    events: list[HttpEvent] = [
        TlsChunk(origin(), ZIPPED, 0, 0),
        TlsClose(origin()),
        BodyPart(origin(), 1, ZIPPED),
        Loss(origin(), "tls", Reason.KERNEL_LOST, 1),
    ]
    assert decoded(*events) == events


def test_a_second_pass_changes_nothing() -> None:
    once = decoded(response(ZIPPED, "gzip"), head(), part(ZIPPED), last())
    assert decoded(*once) == once


def test_a_body_that_ends_early_keeps_what_there_is() -> None:
    first, *_ = flushed(JSON, JSON)
    (made,) = decoded(response(first, "gzip"))
    assert made == replace(
        response(first, "gzip"), headers=PLAIN, body=JSON, complete=False, reason="coding_truncated", encoding="gzip"
    )


def test_a_corrupt_body_keeps_what_stands_before_and_counts_the_rest() -> None:
    (made,) = decoded(response(ZIPPED + b"garbage", "gzip"))
    assert isinstance(made, HttpResponse)
    assert (made.body, made.complete, made.reason, made.body_lost) == (JSON, False, "coding_malformed", 7)


def test_a_bomb_stops_at_the_limit() -> None:
    bomb = gzip.compress(bytes(1 << 20))
    (made,) = decoded(request(bomb, "gzip"), limit=1000)
    assert isinstance(made, HttpRequest)
    assert (made.body, made.complete, made.reason) == (bytes(1000), False, "coding_limit")
    assert 0 < made.body_lost < len(bomb)


def test_of_a_body_with_a_hole_only_what_stands_before_it_is_decoded() -> None:
    before, _, after = flushed(JSON, JSON)
    cut = replace(response(before + after, "gzip"), complete=False, reason="body_limit", body_lost=50, tail=len(after))
    (made,) = decoded(cut)
    assert made == replace(cut, headers=PLAIN, body=JSON, body_lost=50 + len(after), tail=0, encoding="gzip")


def test_the_reason_that_a_message_had_stays() -> None:
    cut = replace(response(ZIPPED[:-9], "gzip"), complete=False, reason="closed", body_lost=9)
    (made,) = decoded(cut)
    assert isinstance(made, HttpResponse)
    assert (made.complete, made.reason, made.body_lost) == (False, "closed", 9)
    assert JSON.startswith(made.body)


def test_what_was_incomplete_stays_so_even_if_its_coding_is_whole() -> None:
    (made,) = decoded(replace(request(ZIPPED, "gzip"), complete=False, reason="trailers_lost"))
    assert isinstance(made, HttpRequest)
    assert (made.body, made.complete, made.reason) == (JSON, False, "trailers_lost")


# -- streamed bodies ----------------------------------------------------------------------------------------------------------


def test_each_part_is_decoded_as_it_arrives() -> None:
    one, two, end = flushed(*EVENTS)
    made = decoded(head(), part(one), part(two), last(end))
    assert made == [
        replace(head(), headers=PLAIN, encoding="gzip"),
        replace(part(one), data=EVENTS[0], encoding=""),
        replace(part(two), data=EVENTS[1], encoding=""),
        replace(last(end), data=b"", encoding=""),
    ]


def test_an_event_cut_over_parts_comes_out_with_the_part_that_completes_it() -> None:
    one = flushed(*EVENTS)[0]
    made = parts_of(decoded(head(), *(part(one[at : at + 1]) for at in range(len(one)))))
    assert b"".join(each.data for each in made) == EVENTS[0]
    assert [each.size for each in made] == [8] * len(one)


def test_parts_without_a_head_are_decoded_as_they_say_themselves() -> None:
    one, two, end = flushed(*EVENTS)
    made = parts_of(decoded(part(one, "GZIP"), part(two, "GZIP"), last(end, "GZIP")))
    assert [each.data for each in made] == [*EVENTS, b""]
    assert made[-1].complete


def test_a_stream_in_a_coding_that_nobody_knows_is_untouched() -> None:
    events: list[HttpEvent] = [head("compress"), part(b"?", "compress"), last(b"?", "compress")]
    assert [id(event) for event in events] == [id(event) for event in decoded(*events)]


def test_a_stream_without_a_byte_is_complete() -> None:
    assert decoded(head(), last())[1:] == [replace(last(), encoding="")]


def test_a_stream_that_ends_inside_its_coding_is_not_complete() -> None:
    one = flushed(*EVENTS)[0]
    assert decoded(head(), part(one), last())[-1] == replace(last(), encoding="", complete=False, reason="coding_truncated")
    assert decoded(head(), part(one), last(reason="closed"))[-1] == replace(last(reason="closed"), encoding="")


def test_behind_a_hole_nothing_can_be_decoded() -> None:
    one, two, end = flushed(*EVENTS)
    made = parts_of(decoded(head(), part(one), part(two, lost=3), part(b"more"), last(end)))
    assert [(each.data, each.lost) for each in made] == [
        (EVENTS[0], 0),
        (b"", 3 + len(two)),
        (b"", 4),
        (b"", len(end)),
    ]
    assert [each.complete for each in made] == [True, True, True, False]
    assert made[-1].reason == "lost"


def test_without_a_coding_a_hole_is_just_a_hole() -> None:
    assert decoded(part(b"a", "identity"), part(b"b", "identity", lost=3)) == [
        replace(part(b"a"), encoding=""),
        replace(part(b"b", lost=3), encoding=""),
    ]


def test_what_is_corrupt_inside_a_part_stands_behind_what_is_not() -> None:
    one = flushed(*EVENTS)[0]
    bad = part(one + b"\x07 and more")
    made = parts_of(decoded(head(), bad, last()))
    assert made == [
        BodyPart(bad.origin, 1, EVENTS[0], size=bad.size),
        BodyPart(bad.origin, 1, b"", lost=10),
        replace(last(), encoding="", complete=False, reason="coding_malformed"),
    ]


def test_what_is_corrupt_inside_the_last_part_too() -> None:
    bad = last(ZIPPED + b"no")
    assert parts_of(decoded(head(), bad)) == [
        BodyPart(bad.origin, 1, JSON, size=5),
        BodyPart(bad.origin, 1, b"", True, False, "coding_malformed", 2),
    ]


def test_streams_and_connections_do_not_mix() -> None:
    other = Connection(8, 800, "", 1)
    one, two, three = flushed(EVENTS[0]), flushed(EVENTS[1]), flushed(STOP)
    made = parts_of(
        decoded(
            head(exchange=1), head(exchange=2), head(exchange=1, connection=other),
            part(two[0], exchange=2), part(three[0], connection=other), part(one[0]),
            last(two[1], exchange=2), last(one[1]),
        )
    )  # fmt: skip
    assert [each.data for each in made] == [EVENTS[1], STOP, EVENTS[0], b"", b""]
    assert all(each.complete for each in made)


def test_a_new_head_begins_anew() -> None:
    one, _, _ = flushed(*EVENTS)
    made = parts_of(decoded(head(), part(one), head("x-gzip"), part(ZIPPED, "x-gzip"), last(coding="x-gzip")))
    assert [each.data for each in made] == [EVENTS[0], JSON, b""]
    assert made[-1].complete


@pytest.mark.parametrize("ending", [last(), TlsClose(origin())], ids=["last part", "close"])
def test_behind_the_end_the_number_may_be_used_again(ending: HttpEvent) -> None:
    *_, again = parts_of(decoded(head(), part(flushed(*EVENTS)[0]), ending, part(ZIPPED)))
    assert (again.data, again.lost) == (JSON, 0)


def test_at_most_256_streams_of_a_connection_are_open() -> None:
    one, two, _ = flushed(*EVENTS)
    running = Running(decode_content())
    for number in range(1, 333):
        running.feed(head(exchange=number), part(one, exchange=number))
    made = parts_of(running.feed(part(two, exchange=77), part(two, exchange=332), part(two, exchange=76)))
    assert [each.data for each in made] == [EVENTS[1], EVENTS[1], b""]
    assert made[-1].lost >= len(two) - 1


def test_the_machine_holds_nothing_back() -> None:
    running = Running(decode_content())
    running.feed(head(), part(ZIPPED[:20]))
    assert running.held() == 0


def test_from_a_snapshot_of_a_very_long_stream_it_does_not_go_on() -> None:
    running: Running[HttpEvent, HttpEvent] = Running(decode_content())
    stored = zlib.compressobj(0, wbits=31)
    running.feed(head(), part(stored.compress(bytes(1 << 21)) + stored.flush(zlib.Z_SYNC_FLUSH)))
    other: Running[HttpEvent, HttpEvent] = Running(decode_content())
    other.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(running.snapshot())))
    made = parts_of(other.feed(part(b"more"), last()))
    assert [(each.data, each.lost, each.reason) for each in made] == [
        (b"", 4, None),
        (b"", 0, "coding_unrestorable"),
    ]


# -- in the graph -------------------------------------------------------------------------------------------------------------


def chained(first: Operator[HttpEvent, HttpEvent], second: Operator[HttpEvent, B], events: Sequence[HttpEvent]) -> list[B]:
    return run(second, run(first, events))


def merged(*events: HttpEvent) -> SseMessage:
    messages = [event for event in chained(decode_content(), merge_sse(), events) if isinstance(event, SseMessage)]
    (message,) = messages
    return message


def test_a_coded_event_stream_becomes_one_message() -> None:
    pieces = flushed(*EVENTS, STOP)
    message = merged(head(), *map(part, pieces), last())
    assert (message.complete, message.reason, message.reply.id) == (True, None, "m")
    assert len(message.events) == 3


def test_a_client_that_leaves_at_the_end_mark_has_it_all() -> None:
    pieces = flushed(*EVENTS, STOP)[:-1]
    assert merged(head(), *map(part, pieces), last(reason="closed")).complete


def test_of_a_corrupt_event_stream_what_came_before_is_kept() -> None:
    pieces = flushed(*EVENTS)[:-1]
    message = merged(head(), part(pieces[0] + pieces[1] + b"\x07 and more"), last())
    assert (message.complete, len(message.events)) == (False, 2)


def test_over_the_budget_the_oldest_decoders_go_and_their_bodies_say_so() -> None:
    running = Running(decode_content())
    coder = zstandard.ZstdCompressor().compressobj()
    one = coder.compress(EVENTS[0]) + coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    two = coder.compress(EVENTS[1]) + coder.flush()
    connections = [Connection(7, 700, "/lib/libssl.so.3", number) for number in range(200)]
    for connection in connections:
        running.feed(head("zstd", connection=connection), part(one, "zstd", connection=connection))
    made = [parts_of(running.feed(part(two, "zstd", connection=connection)))[0] for connection in connections]
    emitted = [each.data == EVENTS[1] for each in made]
    assert 100 < sum(emitted) < 200
    assert emitted == sorted(emitted)
    assert all(each.lost == len(two) for each, whole in zip(made, emitted, strict=True) if not whole)
