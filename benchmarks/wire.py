"""The wire, protocol by protocol: event streams over chunked HTTP/1.1, HTTP/2 against HTTP/1.1, long streams, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hpack import Encoder

from agentsight_rx import operators as op
from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.stream import of
from agentsight_rx.events import BodyPart, Connection, Direction, Origin, TlsChunk, TlsEvent, time_of
from agentsight_rx.llm.dialects.anthropic import ANTHROPIC
from agentsight_rx.operators.sessions.event_stream import About, EventStream
from agentsight_rx.wire.http1 import Http1Decoder
from agentsight_rx.wire.sse import SseDecoder
from benchmarks.recording import answer, chunked, cut, request_body
from benchmarks.sse import SAID
from benchmarks.timing import Case, Row, Work, measure

__all__ = ["frame", "rows"]

_DELTAS = 10_000
_LONG = 10  # times as many
_MANY = 1_000  # connections
_FEW = 10
_BODY = 60_000
_RECORD = 16 << 10
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_BATCH = 256


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    short, long = (answer(max(10, int(count * scale))) for count in (_DELTAS, _DELTAS * _LONG))
    size = sum(map(len, short))
    many = max(_FEW, int(_MANY * scale))
    one_by_one, at_once = (_streams(count, many * 40 // count) for count in (min(_FEW, many), many))
    shared, mixed = _one_stream(short, first=1), _one_stream(short, size=_RECORD)
    bodies = max(2, int(40 * scale))
    old, new = _http1(bodies), _http2(bodies)
    floor, wire, whole = "find the data, decode it", "chunks, events, reply", "the same, as the operators do it"
    cases = [
        Case(floor, partial(_plain, short), len(short), size),
        Case(wire, partial(_decoded, short), len(short), size, floor, 2.0),
        Case(whole, partial(_streamed, short), len(short), size, floor),
        Case(f"{whole}, {_LONG} times as long", partial(_streamed, long), len(long), sum(map(len, long)), whole, 1.25),
        Case(f"parse_http, merge_sse, {_FEW} connections", partial(_graph, one_by_one), len(one_by_one)),
        Case(
            f"parse_http, merge_sse, {_MANY} connections",
            partial(_graph, at_once),
            len(at_once),
            floor=f"parse_http, merge_sse, {_FEW} connections",
            target=1.5,
        ),
        Case("parse_http, the head and the first chunk in one record", partial(_parsed, shared), len(short), size),
        Case("parse_http, many chunks a record, cut anywhere", partial(_parsed, mixed), len(short), size),
        Case("parse_http, bodies of 60 KB over HTTP/1.1", partial(_graph, old), bodies, _size(old)),
        Case(
            "parse_http, bodies of 60 KB over HTTP/2",
            partial(_graph, new),
            bodies,
            _size(new),
            "parse_http, bodies of 60 KB over HTTP/1.1",
            3.0,
        ),
    ]
    return measure("wire", cases, rounds)


def _size(chunks: Sequence[TlsChunk]) -> int:
    return sum(len(chunk.data) for chunk in chunks)


def _plain(events: Sequence[bytes]) -> Work:
    def work() -> None:
        for event in events:
            SAID.decode(event[event.find(b"data: ") + 6 : -2])

    return work


def _decoded(events: Sequence[bytes]) -> Work:
    """From the records of one connection to what was said, by the wire alone."""
    records = [chunked(event) for event in events]

    def work() -> None:
        http, sse, reader = Http1Decoder(lambda _: "POST"), SseDecoder(), ANTHROPIC.reader()
        http.feed(_HEAD)
        decode, waiting = http.whole_chunk, list[bytes]()
        for record in records:
            data = decode(record)
            assert data is not None
            waiting.append(data)
            if len(waiting) >= 128:
                reader.feed_all(sse.feed(b"".join(waiting)))
                waiting.clear()
        reader.feed_all(sse.feed(b"".join(waiting)))
        assert reader.reply().finish_reason == "tool_use"

    return work


def _streamed(events: Sequence[bytes]) -> Work:
    """From the records of one connection to what was said, as the operators do it and without them."""
    origin, records = Origin(1, 1), [chunked(event) for event in events]

    def work() -> None:
        decoder = Http1Decoder(lambda _: "POST")
        decoder.feed(_HEAD)
        stream = EventStream(About(origin, 1, 200, "POST", "/v1/messages", "api.anthropic.com"))
        decode = decoder.whole_chunk
        for record in records:
            data = decode(record)
            if data is not None:
                stream.take(BodyPart(origin, 1, data, size=len(record)))
        assert stream.message(None).reply.finish_reason == "tool_use"

    return work


def _graph(chunks: Sequence[TlsChunk]) -> Work:
    batches: list[Sequence[TlsEvent]] = list(cut(chunks, _BATCH))

    def work() -> None:
        engine = Engine()
        of(*batches, time_of=time_of).pipe(op.parse_http(), op.merge_sse()).subscribe(_nothing, scheduler=engine)
        engine.run_inline()

    return work


def _parsed(chunks: Sequence[TlsChunk]) -> Work:
    kernel = op.parse_http().kernel(Site(Engine(), "wire"))
    batches = cut(chunks, _BATCH)

    def work() -> None:
        for batch in batches:
            kernel.feed(batch)

    return work


def _nothing(_: object) -> None:
    pass


class _Records:
    """Numbers the records of many connections."""

    def __init__(self) -> None:
        self.chunks: list[TlsChunk] = []
        self._places: dict[tuple[Connection, Direction], tuple[int, int]] = {}

    def add(self, connection: Connection, direction: Direction, data: bytes) -> None:
        offset, seq = self._places.get((connection, direction), (0, 0))
        self._places[connection, direction] = (offset + len(data), seq + 1)
        origin = Origin(1_000_000 + len(self.chunks) * 10_000, connection.pid, 1, 0, "claude", 0, connection, direction)
        self.chunks.append(TlsChunk(origin, data, offset, seq))


def _connections(count: int) -> list[Connection]:
    return [Connection(1000 + number, 7, "/usr/lib/libssl.so.3", number) for number in range(count)]


def _streams(count: int, deltas: int) -> list[TlsChunk]:
    """`count` answers at once, one event of each in turn."""
    made, connections = _Records(), _connections(count)
    for connection in connections:
        made.add(connection, "in", _HEAD)
    for event in answer(deltas):
        record = chunked(event)
        for connection in connections:
            made.add(connection, "in", record)
    return made.chunks


def _one_stream(events: Sequence[bytes], *, first: int = 0, size: int = 0) -> list[TlsChunk]:
    """One answer: its head shares a record with the `first` events, or all is cut into records of `size` bytes."""
    made, (connection,), chunks = _Records(), _connections(1), [chunked(event) for event in events]
    made.add(connection, "out", b"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nContent-Length: 0\r\n\r\n")
    records = [_HEAD + b"".join(chunks[:first]), *chunks[first:]]
    whole = b"".join(records)
    for record in [whole[at : at + size] for at in range(0, len(whole), size)] if size else records:
        made.add(connection, "in", record)
    return made.chunks


def _http1(count: int) -> list[TlsChunk]:
    made, (connection,), body = _Records(), _connections(1), request_body(size=_BODY)
    head = f"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for _ in range(count):
        for record in _in_records(head + body):
            made.add(connection, "out", record)
    return made.chunks


def _http2(count: int) -> list[TlsChunk]:
    made, (connection,), body = _Records(), _connections(1), request_body(size=_BODY)
    encoder, settings = Encoder(), frame(4, 0, 0, b"")
    made.add(connection, "out", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
    head = [(":method", "POST"), (":scheme", "https"), (":authority", "api.anthropic.com"), (":path", "/v1/messages")]
    for number in range(count):
        frames = frame(1, 4, 1 + 2 * number, encoder.encode(head))
        parts = [body[at : at + _RECORD] for at in range(0, len(body), _RECORD)]
        for place, part in enumerate(parts, 1):
            frames += frame(0, int(place == len(parts)), 1 + 2 * number, part)
        for record in _in_records(frames):
            made.add(connection, "out", record)
    return made.chunks


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _in_records(data: bytes) -> list[bytes]:
    return [data[at : at + _RECORD] for at in range(0, len(data), _RECORD)]
