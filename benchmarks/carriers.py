"""One streamed answer of OpenAI's Responses, carried by HTTP/2, WebSocket and zstd, against the same over chunked HTTP/1.1."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import msgspec
import zstandard
from hpack import Encoder

from agentsight_rx import operators as op
from agentsight_rx.core.engine import Engine
from agentsight_rx.core.stream import of
from agentsight_rx.events import Connection, Direction, Origin, SseMessage, TlsChunk, TlsEvent, time_of
from benchmarks.figures import Figure, Size
from benchmarks.recording import chunked, cut
from benchmarks.timing import Case, Work, measure
from benchmarks.wire import frame

__all__ = ["figures"]

_CALLS, _DELTAS = 30, 200
_BATCH = 4096
_FLOOR = "event stream over HTTP/1.1"
_KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
_UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
_ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
_DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
_STREAM = [(":status", "200"), ("content-type", "text/event-stream")]
_ASKED = b'{"type":"response.create","model":"gpt-5.5","input":"go on","stream":true}'


def figures(size: Size) -> Iterator[Figure]:
    calls, events = size.many(_CALLS, 2), _events(size.many(_DELTAS, 20))
    carried = {name: carry(calls, events) for name, carry in _CARRIERS.items()}
    for name, chunks in carried.items():
        assert _replies(chunks) == calls, f"not every answer is found in {name}"
    total = calls * len(events)
    cases = [
        Case(name, partial(_read, chunks), total, floor="" if name == _FLOOR else _FLOOR) for name, chunks in carried.items()
    ]
    for row in measure("carriers", cases, size.rounds):
        if row.ratio is not None:
            yield Figure(
                group="wire",
                name=f"{row.name} to chunked HTTP/1.1",
                value=row.ratio,
                target=_TARGETS.get(row.name),
                note=f"{row.us_per_event:.2f} µs a streamed event",
            )


def _events(deltas: int) -> list[bytes]:
    """Each event as JSON."""
    nothing: list[Any] = []
    answer = {"id": "resp_1", "object": "response", "model": "gpt-5.5", "status": "in_progress", "output": nothing}
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    pieces = [f"word {number} of the answer; " for number in range(deltas)]
    said = {"type": "output_text", "text": "".join(pieces), "annotations": nothing}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [said]}
    done = answer | {"status": "completed", "output": [message], "usage": {"input_tokens": 12, "output_tokens": deltas}}
    steps: list[dict[str, Any]] = [
        {"type": "response.created", "response": answer},
        *({"type": "response.output_text.delta", **at, "delta": piece} for piece in pieces),
        {"type": "response.completed", "response": done},
    ]
    return [msgspec.json.encode(step | {"sequence_number": number}) for number, step in enumerate(steps)]


class _Records:
    """Numbers the records of one connection."""

    def __init__(self) -> None:
        self.chunks: list[TlsChunk] = []
        self._connection = Connection(4000, 7, "/usr/lib/libssl.so.3", 0x7F00)
        self._places: dict[Direction, tuple[int, int]] = {}

    def add(self, direction: Direction, data: bytes) -> None:
        offset, seq = self._places.get(direction, (0, 0))
        self._places[direction] = offset + len(data), seq + 1
        origin = Origin(1_000_000 + len(self.chunks) * 10_000, 4000, 4000, 0, "codex", 0, self._connection, direction)
        self.chunks.append(TlsChunk(origin, data, offset, seq))


def _asked() -> bytes:
    head = (
        b"POST /v1/responses HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    return head % len(_ASKED) + _ASKED


def _sse(event: bytes) -> bytes:
    kind = msgspec.json.decode(event)["type"].encode()
    return b"event: %b\ndata: %b\n\n" % (kind, event)


class _Coder(Protocol):
    def __call__(self, data: bytes, *, last: bool = False) -> bytes: ...


def _http1(calls: int, events: Sequence[bytes], coder: Callable[[], _Coder], coding: bytes = b"") -> list[TlsChunk]:
    made = _Records()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%bTransfer-Encoding: chunked\r\n\r\n" % coding
    for _ in range(calls):
        made.add("out", _asked())
        made.add("in", head)
        code = coder()
        for event in events:
            made.add("in", chunked(code(_sse(event), last=event is events[-1])))
        made.add("in", b"0\r\n\r\n")
    return made.chunks


def _plain(calls: int, events: Sequence[bytes]) -> list[TlsChunk]:
    return _http1(calls, events, lambda: _as_it_is)


def _as_it_is(data: bytes, *, last: bool = False) -> bytes:
    return data


def _zstd(calls: int, events: Sequence[bytes]) -> list[TlsChunk]:
    """A flush behind each event, as servers do it."""

    def coder() -> _Coder:
        compressor = zstandard.ZstdCompressor().compressobj()

        def code(data: bytes, *, last: bool = False) -> bytes:
            how = zstandard.COMPRESSOBJ_FLUSH_FINISH if last else zstandard.COMPRESSOBJ_FLUSH_BLOCK
            return compressor.compress(data) + compressor.flush(how)

        return code

    return _http1(calls, events, coder, b"Content-Encoding: zstd\r\n")


def _http2(calls: int, events: Sequence[bytes]) -> list[TlsChunk]:
    made, asking, answering = _Records(), Encoder(), Encoder()
    made.add("out", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""))
    made.add("in", frame(4, 0, 0, b""))
    head = [(":method", "POST"), (":scheme", "https"), (":authority", "api.openai.com"), (":path", "/v1/responses")]
    for stream in range(1, 2 * calls, 2):
        made.add("out", frame(1, 4, stream, asking.encode(head)) + frame(0, 1, stream, _ASKED))
        made.add("in", frame(1, 4, stream, answering.encode(_STREAM)))
        for event in events:
            made.add("in", frame(0, 0, stream, _sse(event)))
        made.add("in", frame(0, 1, stream, b""))
    return made.chunks


def _websocket(calls: int, events: Sequence[bytes], extension: bytes = b"") -> list[TlsChunk]:
    """A message an event, in frames as RFC 6455 has them; with an extension compressed by RFC 7692."""
    made = _Records()
    head = b"GET /v1/responses HTTP/1.1\r\nHost: api.openai.com\r\nSec-WebSocket-Version: 13\r\n"
    made.add("out", head + _UPGRADE + _KEY + extension + b"\r\n")
    made.add("in", b"HTTP/1.1 101 Switching Protocols\r\n" + _UPGRADE + _ACCEPT + extension + b"\r\n")
    compressor = zlib.compressobj(wbits=-15)
    for _ in range(calls):
        made.add("out", _message(_ASKED, mask=True))
        for event in events:
            if extension:
                packed = compressor.compress(event) + compressor.flush(zlib.Z_SYNC_FLUSH)
                made.add("in", _message(packed[:-4], first=0xC1))
            else:
                made.add("in", _message(event))
    return made.chunks


def _message(data: bytes, *, first: int = 0x81, mask: bool = False) -> bytes:
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
    if len(data) > 0xFFFF:
        size = b"\x7f" + len(data).to_bytes(8, "big")
    if mask:  # by a key of zeros, which leaves the bytes as they are
        size = bytes([size[0] | 0x80]) + size[1:] + bytes(4)
    return bytes([first]) + size + data


_CARRIERS: dict[str, Callable[[int, Sequence[bytes]], list[TlsChunk]]] = {
    _FLOOR: _plain,
    "zstd, flushed behind each event": _zstd,
    "HTTP/2, a DATA frame an event": _http2,
    "WebSocket": _websocket,
    "WebSocket, permessage-deflate": partial(_websocket, extension=_DEFLATE),
}
_TARGETS = {"HTTP/2, a DATA frame an event": 3.0}


def _read(chunks: Sequence[TlsChunk]) -> Work:
    batches: list[Sequence[TlsEvent]] = list(cut(chunks, _BATCH))

    def work() -> None:
        engine = Engine()
        of(*batches, time_of=time_of).pipe(op.read_http()).subscribe(_nothing, scheduler=engine)
        engine.run_inline()

    return work


def _nothing(_: object) -> None:
    pass


def _replies(chunks: Sequence[TlsChunk]) -> int:
    """How many complete answers are read."""
    found: list[object] = []
    engine = Engine()
    of(*cut(chunks, _BATCH), time_of=time_of).pipe(op.read_http()).subscribe(found.append, scheduler=engine)
    engine.run_inline()
    return sum(isinstance(event, SseMessage) and event.complete for event in found)
