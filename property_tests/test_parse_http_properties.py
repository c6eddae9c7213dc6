"""parse_http on whole connections: without loss it says what was sent; with loss all that it calls complete was sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.core.engine import Engine
from agentsight_rx.core.stream import of
from agentsight_rx.events import (
    BodyPart,
    Connection,
    Direction,
    Headers,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Origin,
    TlsChunk,
    TlsClose,
    TlsEvent,
    WebSocketMessage,
    time_of,
)
from agentsight_rx.operators import parse_http
from property_tests import http2_strategies, websocket_strategies
from property_tests.cuts import pieces_of
from property_tests.strategies import MS, START_NS, Segment

E = TypeVar("E", bound=HttpEvent)

CONNECTION = Connection(1, 7, "/usr/lib/libssl.so.3", 1)


@st.composite
def records_of(draw: st.DrawFn, said: Sequence[Segment], most: int = 3) -> list[TlsChunk]:
    """What a source gives of it, cut anywhere."""
    offsets: dict[Direction, int] = {"in": 0, "out": 0}
    seqs: dict[Direction, int] = {"in": 0, "out": 0}
    records: list[TlsChunk] = []
    for direction, words in said:
        for data in draw(pieces_of(words, most=most)):
            origin = Origin(START_NS + len(records) * MS, 1, 1, connection=CONNECTION, direction=direction)
            records.append(TlsChunk(origin, data, offsets[direction], seqs[direction]))
            offsets[direction] += len(data)
            seqs[direction] += 1
    return records


def closed(records: Sequence[TlsChunk]) -> list[TlsEvent]:
    """And then its end, with all that went over it."""
    ends = {way: sum(len(each.data) for each in records if each.origin.direction == way) for way in ("in", "out")}
    return [*records, TlsClose(Origin(START_NS + 10_000 * MS, 1, connection=CONNECTION), ends["in"], ends["out"])]


def parsed(events: Sequence[TlsEvent]) -> list[HttpEvent]:
    engine, out = Engine(), list[HttpEvent]()
    of(events, time_of=time_of).pipe(parse_http()).subscribe(out.append, scheduler=engine)
    engine.run_inline()
    return out


def only(kind: type[E], events: Sequence[HttpEvent]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def plain(headers: Headers) -> Headers:
    """Without what `parse_http` adds: the authority as host."""
    authority = dict(headers).get(":authority")
    added = headers[:1] == (("host", authority),)
    return headers[1:] if added else headers


def body_of(response: HttpResponse, events: Sequence[HttpEvent]) -> tuple[bytes, bool, Headers]:
    """The body, whether it is whole, and the trailers of a response that may be streamed."""
    if not response.streaming:
        return response.body, response.complete, response.trailers
    parts = [part for part in only(BodyPart, events) if part.exchange == response.exchange]
    whole = bool(parts) and parts[-1].last and parts[-1].complete
    return b"".join(part.data for part in parts), whole, ()


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_the_streams_of_an_http_2_connection_come_out_as_they_were_sent(data: st.DataObject) -> None:
    talk = data.draw(http2_strategies.conversations())
    made = parsed(closed(data.draw(records_of(talk.segments))))
    assert not only(TlsChunk, made)
    asked = {event.stream: event for event in only(HttpRequest, made)}
    told = {event.stream: event for event in only(HttpResponse, made) if event.status >= 200}
    for exchange in talk.exchanges:
        request, sent = asked.get(exchange.stream), exchange.request
        assert request is not None
        assert plain(request.headers) == sent.headers
        assert request.headers_complete
        if exchange.reset is None:
            assert (request.body, request.trailers, request.complete) == (sent.body, sent.trailers, sent.ended)
        response = told.get(exchange.stream)
        assert (response is not None) == bool(exchange.response.headers)
        if response is not None:
            body, whole, trailers = body_of(response, made)
            assert response.headers == exchange.response.headers
            assert response.exchange == request.exchange
            if exchange.reset is None:
                assert (body, whole) == (exchange.response.body, exchange.response.ended)
                assert response.streaming or trailers == exchange.response.trailers


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_what_is_called_complete_behind_holes_in_http_2_was_sent(data: st.DataObject) -> None:
    talk = data.draw(http2_strategies.conversations())
    records = data.draw(records_of(talk.segments, most=6))
    lost = data.draw(st.sets(st.integers(0, max(0, len(records) - 1)), min_size=1, max_size=4))
    whole = closed(records)
    made = parsed([event for place, event in enumerate(whole) if place not in lost])
    sent_requests = {exchange.stream: exchange.request for exchange in talk.exchanges}
    sent_responses = {exchange.stream: exchange.response for exchange in talk.exchanges}
    for request in only(HttpRequest, made):
        if request.stream in sent_requests and request.complete:
            sent = sent_requests[request.stream]
            assert request.body == sent.body
            if request.headers_complete:
                assert plain(request.headers) == sent.headers
            else:
                assert set(plain(request.headers)) <= set(sent.headers)
    for response in only(HttpResponse, made):
        if response.status >= 200 and response.stream in sent_responses:
            body, complete, _ = body_of(response, made)
            if complete:
                assert body == sent_responses[response.stream].body
            if response.headers_complete:
                assert response.headers == sent_responses[response.stream].headers


@st.composite
def upgraded(draw: st.DrawFn) -> tuple[list[Segment], websocket_strategies.Conversation]:
    talk = draw(websocket_strategies.conversations())
    extensions = f"Sec-WebSocket-Extensions: {talk.extensions}\r\n" if talk.extensions else ""
    asked = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    told = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n{extensions}\r\n".encode()
    server: Direction = "in" if talk.client == "out" else "out"
    return [(talk.client, asked), (server, told), *talk.records], talk


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_the_messages_of_a_websocket_come_out_as_they_were_sent(data: st.DataObject) -> None:
    said, talk = data.draw(upgraded())
    made = parsed(closed(data.draw(records_of(said))))
    for way in ("in", "out"):
        heard = [each for each in only(WebSocketMessage, made) if each.origin.direction == way]
        assert [(each.kind, each.data, each.code) for each in heard] == [tuple(each) for each in talk.sent[way]]
        assert all(each.complete and each.upgrade == 1 for each in heard)


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_what_is_called_complete_behind_holes_in_a_websocket_was_sent(data: st.DataObject) -> None:
    """Of payloads that cannot be mistaken for frames: nothing in one direction tells others from frames."""
    ways = {
        "out": data.draw(websocket_strategies.clear_ways(masked=True)),
        "in": data.draw(websocket_strategies.clear_ways(masked=False)),
    }
    asked = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    said: list[Segment] = [("out", asked), ("in", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")]
    said.append(("out", ways["out"].raw))
    said.append(("in", ways["in"].raw))
    records = data.draw(records_of(said, most=8))
    begin = next(place for place, each in enumerate(records) if each.data in ways["out"].raw and place > 1)
    lost = data.draw(st.sets(st.integers(begin, len(records) - 1), min_size=1, max_size=4))
    made = parsed([event for place, event in enumerate(closed(records)) if place not in lost])
    for way, meant in ways.items():
        sent = [(each.kind, each.data) for each in meant.sent]
        heard = [each for each in only(WebSocketMessage, made) if each.origin.direction == way and each.complete]
        assert [(each.kind, each.data) for each in heard if (each.kind, each.data) not in sent] == []
