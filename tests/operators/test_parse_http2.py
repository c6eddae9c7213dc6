"""parse_http on HTTP/2: real bytes of the `h2` package, cut, interleaved, with holes, and watched from either end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import pytest

from agentsight_rx.events import BodyPart, Direction, HttpEvent, HttpRequest, HttpResponse, Loss, TlsChunk, TlsEvent
from agentsight_rx.events.loss import Reason
from agentsight_rx.operators import parse_http
from tests.operators import MS, Running, Wire, run, size_of
from tests.operators.http2_peers import Peers

E = TypeVar("E", bound=HttpEvent)

JSON = ("content-type", "application/json")
SSE = ("content-type", "text/event-stream; charset=utf-8")


def parsed(events: Sequence[TlsEvent], body_limit: int = 8 << 20) -> list[HttpEvent]:
    """What comes out; and the sizes add up to the bytes that went in."""
    made = run(parse_http(body_limit=body_limit), events)
    assert size_of(made) == sum(len(event.data) for event in events if isinstance(event, TlsChunk))
    return made


def only(kind: type[E], events: Sequence[HttpEvent]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def without(records: Sequence[TlsChunk], *left_out: TlsChunk) -> list[TlsChunk]:
    return [record for record in records if record not in left_out]


def conversation(record: int = 16_384, *, server_is_watched: bool = False) -> list[TlsChunk]:
    """Two calls at once, a stream between them, trailers and an interim answer."""
    peers = Peers(Wire(), record=record, server_is_watched=server_is_watched)
    first = peers.asks("POST", "/v1/messages?beta=true", [JSON, ("authorization", "Bearer x")], b'{"a":1}' * 5000)
    second = peers.asks("GET", "/models")
    peers.answers(first, [SSE], b"data: 1\n\n", end=False)
    peers.server.send_headers(second, [(":status", "103"), ("link", "</a>")])
    peers.answers(second, [JSON, ("set-cookie", "a"), ("set-cookie", "b")], b"[]" * 9000, trailers=[("digest", "d")])
    peers.goes_on(first, b"data: 2\n\n", end=True)
    return peers.records


@pytest.mark.parametrize("server_is_watched", [False, True])
@pytest.mark.parametrize("record", [1, 7, 512, 16_384])
def test_two_calls_at_once_however_the_bytes_are_cut(record: int, server_is_watched: bool) -> None:
    made = parsed(conversation(record, server_is_watched=server_is_watched))
    asked: Direction = "in" if server_is_watched else "out"
    post, get = only(HttpRequest, made)
    assert (post.method, post.target, post.version, post.stream, post.origin.direction) == (
        "POST", "/v1/messages?beta=true", "HTTP/2", 1, asked,
    )  # fmt: skip
    assert post.headers[0] == ("host", "api.example")
    assert ("authorization", "Bearer x") in post.headers
    assert post.body == b'{"a":1}' * 5000
    assert (get.method, get.body, get.stream, get.complete) == ("GET", b"", 3, True)

    head, interim, answer = only(HttpResponse, made)
    assert (head.status, head.streaming, head.exchange, head.target, head.host) == (
        200, True, post.exchange, "/v1/messages?beta=true", "api.example",
    )  # fmt: skip
    assert (interim.status, interim.exchange) == (103, get.exchange)
    assert (answer.status, answer.body, answer.exchange) == (200, b"[]" * 9000, get.exchange)
    assert [value for name, value in answer.headers if name == "set-cookie"] == ["a", "b"]
    assert answer.trailers == (("digest", "d"),)

    parts = only(BodyPart, made)
    assert b"".join(part.data for part in parts) == b"data: 1\n\ndata: 2\n\n"
    assert [(part.last, part.complete) for part in parts][-1] == (True, True)
    assert {part.exchange for part in parts} == {post.exchange}
    assert not only(TlsChunk, made)
    assert {loss.reason for loss in only(Loss, made)} <= {"filtered"}


@pytest.mark.parametrize("server_is_watched", [False, True])
@pytest.mark.parametrize("record", [7, 512, 16_384])
def test_of_a_connection_whose_requests_were_not_seen_it_is_told_how_many(record: int, server_is_watched: bool) -> None:
    answering: Direction = "out" if server_is_watched else "in"
    whole = conversation(record, server_is_watched=server_is_watched)
    (loss,) = only(Loss, parsed([each for each in whole if each.origin.direction == answering]))
    assert (loss.reason, loss.count) == (Reason.UNREADABLE, 2)
    assert not only(Loss, parsed(whole))


def test_a_message_has_the_origin_of_its_first_byte_and_the_time_of_its_last() -> None:
    peers = Peers(Wire(), record=1000)
    before = len(peers.records)
    stream = peers.asks("POST", "/a", body=b"x" * 2500)
    (request,) = only(HttpRequest, parsed(peers.records))
    sent = [record for record in peers.records[before:] if record.origin.direction == "out"]
    assert request.origin.time_ns == sent[0].origin.time_ns
    assert request.end_ns == next(record for record in reversed(sent) if len(record.data) > 100).origin.time_ns
    assert stream == 1


def test_a_server_that_speaks_first_is_http_2_all_the_same() -> None:
    peers = Peers(Wire())
    stream = peers.asks("GET", "/a")
    peers.answers(stream, [JSON], b"[]")
    settings = next(record for record in peers.records if record.origin.direction == "in")
    rest = without(peers.records, settings)
    early = msgspec.structs.replace(settings, origin=msgspec.structs.replace(settings.origin, time_ns=MS // 2))
    made = parsed([early, *rest])
    assert [type(event) for event in made if not isinstance(event, Loss)] == [HttpRequest, HttpResponse]


@pytest.mark.parametrize("record", range(4, 12))
def test_the_settings_of_a_server_that_speaks_first_may_be_cut_behind_its_type(record: int) -> None:
    peers = Peers(Wire(), record=record)
    peers.answers(peers.asks("GET", "/a"), [JSON], b"[]")
    back = [each for each in peers.records if each.origin.direction == "in"]
    out = [each for each in peers.records if each.origin.direction == "out"]
    made = parsed([*back[:1], *out, *back[1:]])
    assert [type(event) for event in made if not isinstance(event, Loss)] == [HttpRequest, HttpResponse]


def test_the_preface_may_be_cut_by_the_settings_of_the_server() -> None:
    peers = Peers(Wire(), record=10)
    peers.answers(peers.asks("GET", "/a"), [JSON], b"[]")
    out = [record for record in peers.records if record.origin.direction == "out"]
    back = [record for record in peers.records if record.origin.direction == "in"]
    made = parsed([out[0], *back[:3], *out[1:], *back[3:]])
    assert [type(event) for event in made if not isinstance(event, Loss)] == [HttpRequest, HttpResponse]


def test_attached_in_the_middle_what_can_be_known_is_told_and_what_cannot_is_marked() -> None:
    peers = Peers(Wire())
    for _ in range(2):
        stream = peers.asks("POST", "/v1/messages", [JSON, ("x-app", "cli")], b"{}")
        peers.answers(stream, [JSON, ("server", "fake")], b"[]")
    begin = next(place for place, record in enumerate(peers.records) if b"[]" in record.data) + 1
    stream = peers.asks("POST", "/v1/messages", [JSON, ("x-app", "cli"), ("x-new", "1")], b'{"a":1}')
    peers.answers(stream, [JSON, ("server", "fake"), ("x-new", "2")], b'{"b":2}')
    made = parsed(peers.records[begin:])
    request, response = only(HttpRequest, made)[-1], only(HttpResponse, made)[-1]
    assert (request.method, request.body, request.headers_complete) == ("POST", b'{"a":1}', False)
    assert ("x-new", "1") in request.headers
    assert ("x-app", "cli") not in request.headers
    assert (response.status, response.body, response.headers_complete) == (200, b'{"b":2}', False)
    assert (response.exchange, response.method) == (request.exchange, "POST")


def test_a_hole_inside_a_body_damages_that_message_only() -> None:
    peers = Peers(Wire(), record=4000)
    first = peers.asks("POST", "/a", body=b"a" * 15_000)
    peers.asks("POST", "/b", body=b"b")
    inside = [record for record in peers.records if set(record.data) == {ord("a")}][1]
    peers.answers(first, [JSON], b"[]")
    damaged, whole = only(HttpRequest, parsed_with_a_hole(peers.records, inside))
    assert (damaged.body, damaged.body_lost, damaged.complete, damaged.reason) == (b"a" * 11_000, 4000, False, "lost")
    assert (whole.target, whole.body, whole.complete, whole.headers_complete) == ("/b", b"b", True, True)


def parsed_with_a_hole(records: Sequence[TlsChunk], missing: TlsChunk) -> list[HttpEvent]:
    made = run(parse_http(), without(records, missing))
    assert size_of(made) == sum(len(record.data) for record in records) - len(missing.data)
    return made


def test_behind_a_hole_between_frames_a_stream_says_that_something_may_be_missing() -> None:
    peers = Peers(Wire())
    stream = peers.asks("POST", "/v1/messages")
    peers.answers(stream, [SSE], b"data: do NOT run\n\n", end=False)
    peers.goes_on(stream, b"data: anything like this\n\n")
    missing = peers.records[-1] if peers.records[-1].origin.direction == "in" else peers.records[-2]
    peers.goes_on(stream, b"data: rm -rf\n\n", end=True)
    assert b"anything" in missing.data
    made = parsed_with_a_hole(peers.records, missing)
    assert [(part.data[:9], part.lost, part.last) for part in only(BodyPart, made)] == [
        (b"data: do ", 0, False),
        (b"data: rm ", -1, False),
        (b"", 0, True),
    ]
    assert only(BodyPart, made)[-1].reason == "lost"


def test_where_a_body_may_have_a_hole_what_stands_behind_it_is_told() -> None:
    peers = Peers(Wire())
    stream = peers.asks("POST", "/a", body=b"a" * 20_000)
    holes = [record for record in peers.records if b"a" * 200 in record.data]
    peers.answers(stream, [JSON], b"[]")
    (request, *_) = only(HttpRequest, parsed_with_a_hole(peers.records, holes[0]))
    assert request.complete is False
    assert len(request.body) == request.tail


def test_behind_a_hole_that_took_a_head_the_streams_go_on() -> None:
    peers = Peers(Wire())
    before = len(peers.records)
    first = peers.asks("POST", "/a", [("x-first", "1")], b"{}" * 50)
    (head,) = [record for record in peers.records[before:] if record.origin.direction == "out"][:1]
    peers.answers(first, [JSON], b"[1]")
    second = peers.asks("POST", "/b", [("x-second", "2")], b"{}")
    peers.answers(second, [JSON], b"[2]")
    made = parsed_with_a_hole(peers.records, head)
    (unseen, request) = only(HttpRequest, made)
    assert (unseen.method, unseen.target, unseen.complete, unseen.headers_complete) == ("", "", False, False)
    assert (request.target, request.complete, request.body) == ("/b", True, b"{}")
    assert ("x-second", "2") in request.headers
    assert [response.body for response in only(HttpResponse, made)] == [b"[1]", b"[2]"]
    assert all(response.complete and response.headers_complete for response in only(HttpResponse, made))


def test_a_stream_that_is_reset_is_partial_and_says_why() -> None:
    peers = Peers(Wire())
    first = peers.asks("GET", "/a")
    peers.answers(first, [SSE], b"data: 1\n\n", end=False)
    peers.client.reset_stream(first, 8)
    peers.talk()
    second = peers.asks("GET", "/b")
    peers.answers(second, [JSON], b"[", end=False)
    peers.server.reset_stream(second, 2)
    peers.talk()
    made = parsed(peers.records)
    assert [(part.last, part.reason) for part in only(BodyPart, made)] == [(False, None), (True, "cancelled")]
    assert only(HttpResponse, made)[1].reason == "reset"


def test_a_server_that_goes_away_leaves_the_streams_behind_its_last_unanswered() -> None:
    peers = Peers(Wire())
    for path in ("/a", "/b"):
        stream = peers.client.get_next_available_stream_id()
        head = [(":method", "POST"), (":scheme", "https"), (":authority", "a"), (":path", path)]
        peers.client.send_headers(stream, head)
        peers.client.send_data(stream, b"half")
    peers.talk()
    peers.server.close_connection(last_stream_id=1)
    peers.talk()
    requests = only(HttpRequest, parsed(peers.records))
    assert [(request.target, request.body, request.reason) for request in requests] == [
        ("/b", b"half", "goaway"),
        ("/a", b"half", "capture_end"),
    ]


def test_what_is_open_when_the_connection_closes_is_partial() -> None:
    peers = Peers(Wire())
    stream = peers.asks("GET", "/a")
    peers.answers(stream, [JSON], b"[", end=False)
    made = parsed([*peers.records, peers.wire.closes()])
    (response,) = only(HttpResponse, made)
    assert (response.body, response.complete, response.reason) == (b"[", False, "closed")


def test_a_long_body_keeps_its_beginning_and_its_end() -> None:
    peers = Peers(Wire())
    peers.answers(peers.asks("GET", "/a"), [JSON], bytes(range(256)) * 100)
    (response,) = only(HttpResponse, parsed(peers.records, body_limit=400))
    assert (response.body, response.tail) == (bytes(range(256)) + bytes(range(44)) + bytes(range(156, 256)), 100)
    assert (response.body_lost, response.reason) == (25_600 - 400, "body_limit")


def test_a_head_alone_and_an_answer_without_a_body() -> None:
    peers = Peers(Wire())
    peers.answers(peers.asks("HEAD", "/"), [("content-length", "100"), SSE])
    peers.answers(peers.asks("DELETE", "/x"), [], status="204")
    made = parsed(peers.records)
    assert [(event.status, event.streaming, event.complete) for event in only(HttpResponse, made)] == [
        (200, False, True),
        (204, False, True),
    ]


@pytest.mark.parametrize("record", [50, 1000])
def test_going_on_from_a_checkpoint_changes_nothing(record: int) -> None:
    events: list[TlsEvent] = list(conversation(record))
    del events[len(events) // 2]
    expected = run(parse_http(), events)
    for cut in range(0, len(events), 1 + len(events) // 60):
        before, after = Running(parse_http()), Running(parse_http())
        made = before.feed(*events[:cut])
        state: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(before.snapshot()))
        after.restore(state)
        assert after.held() == before.held()
        assert made + after.feed(*events[cut:]) + after.finish() == expected


def test_many_streams_are_bounded_and_the_ones_that_make_room_are_told() -> None:
    peers = Peers(Wire())
    peers.server.local_settings[0x3] = 2000
    peers.client.remote_settings[0x3] = 2000
    peers.client.remote_settings.acknowledge()
    for number in range(1030):
        stream = peers.client.get_next_available_stream_id()
        head = [(":method", "POST"), (":scheme", "https"), (":authority", "a"), (":path", f"/{number}")]
        peers.client.send_headers(stream, head)
    peers._carry("out", peers.client.data_to_send())  # pyright: ignore[reportPrivateUsage]
    made = parsed(peers.records)
    assert [(event.target, event.reason) for event in only(HttpRequest, made)][:6] == [(f"/{n}", "evicted") for n in range(6)]
    assert sum(loss.count for loss in only(Loss, made) if loss.reason == "evicted") == 6
