"""A size -> what a hostile peer sends in so many bytes: frames that cost more than they weigh, and content that grows."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from random import Random
from typing import TypeAlias, cast

import brotli  # type: ignore[import-untyped]  # it has no types
import zstandard
from hpack import Encoder

from agentsight_rx.events import Connection, Direction, Origin, TlsChunk

__all__ = ["CONTENT", "TRAFFIC", "records"]

_RECORD = 16 << 10

Sent: TypeAlias = Sequence[tuple[Direction, bytes]]

_ASK = b"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nContent-Length: 2\r\n\r\n{}"
_CALL = b"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nContent-Type: application/json\r\n"
_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_BODY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_UPGRADE = b"GET /v1/responses HTTP/1.1\r\nHost: api.openai.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
_SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
_HEAD = [(":method", "POST"), (":scheme", "https"), (":authority", "api.anthropic.com"), (":path", "/v1/messages")]

DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _filled(unit: bytes, size: int) -> bytes:
    return unit * (size // len(unit))


def _answered(head: bytes, body: bytes) -> Sent:
    return [("out", _ASK), ("in", head), ("in", body)]


def _coded(coding: bytes, body: bytes) -> Sent:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n"
    return _answered(head % (coding, len(body)), body)


def _coded_stream(coding: bytes, body: bytes) -> Sent:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n"
    return _answered(head % (coding, len(body)), body)


def _many(unit: Callable[[int], bytes], size: int, *, before: bytes = b"") -> bytes:
    """Units numbered from 0, as many as fit."""
    made = bytearray(before)
    for number in count():
        if len(made) >= size:
            return bytes(made)
        made += unit(number)
    raise AssertionError


def _resets(size: int) -> Sent:
    head = Encoder()
    first = head.encode(_HEAD)
    later = head.encode(_HEAD)
    stop = (8).to_bytes(4, "big")

    def unit(number: int) -> bytes:
        stream = 2 * number + 1
        block = later if number else first
        return _frame(HEADERS, END_HEADERS | END_STREAM, stream, block) + _frame(RST_STREAM, 0, stream, stop)

    return [("out", _many(unit, size, before=_PREFACE + _frame(SETTINGS, 0, 0)))]


def _header_bomb(size: int) -> Sent:
    """The first head adds an entry of 4,000 bytes to the table; one octet of each later head names it: 60 are 240 KB."""
    named = b"\x83\x84\x87" + b"\xbe" * 60  # POST, /, https
    long = b"\x83\x84\x87\x40\x01x\x7f\xa1\x1e" + b"v" * 4000

    def unit(number: int) -> bytes:
        return _frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, named if number else long)

    return [("out", _many(unit, size, before=_PREFACE + _frame(SETTINGS, 0, 0)))]


def _http2_flood(unit: bytes, size: int) -> Sent:
    before = _PREFACE + _frame(SETTINGS, 0, 0) + _frame(HEADERS, END_HEADERS, 1, Encoder().encode(_HEAD))
    return [("out", before + _filled(unit, size))]


def _continuations(size: int) -> Sent:
    before = _PREFACE + _frame(SETTINGS, 0, 0) + _frame(HEADERS, 0, 1, Encoder().encode(_HEAD))
    return [("out", before + _filled(_frame(CONTINUATION, 0, 1), size))]


def _websocket(unit: bytes, size: int, *, before: bytes = b"") -> Sent:
    return [("out", _UPGRADE), ("in", _SWITCH), ("in", before + _filled(unit, size))]


def _pipelined(size: int) -> Sent:
    ask, answer = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    sent: list[tuple[Direction, bytes]] = []
    for _ in range(size // (_RECORD * 2)):
        sent.append(("out", _filled(ask, _RECORD)))
        sent.append(("in", _filled(answer, _RECORD)))
    return sent


def _heads(size: int) -> Sent:
    """Heads of 250 KB that are nothing but short fields."""
    head = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a:b\r\n" * 50_000 + b"\r\n"
    return [("out", head * max(1, size // len(head)))]


def _posted(body: bytes) -> Sent:
    return [("out", _CALL + b"Content-Length: %d\r\n\r\n" % len(body) + body)]


def _deep(size: int) -> Sent:
    half = min(size, 1 << 20) // 2
    return [*_posted(b"[" * half + b"]" * half)] * max(1, size // (2 * half))


def _bomb(size: int) -> bytes:
    """What a codec makes 400 times as small."""
    block = bytes(1 << 16)
    random = Random(1)
    return b"".join(block + random.randbytes(100) for _ in range(min(size * 400, 1 << 28) >> 16))


def _json(begin: bytes, unit: bytes, size: int) -> Sent:
    """A call whose request is a list of many small things, as much as one body keeps, and an answer like it."""
    most = min(size // 2, 8_000_000)
    asked = begin + unit * ((most - len(begin)) // len(unit) - 1) + unit[:-1] + b"]}"
    answer = b'{"type":"message","content":[' + b'{"type":"text"},' * (most // 16 - 3) + b'{"type":"text"}]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
    return [*_posted(asked), ("in", head + answer)]


def _zipped(request: bytes) -> Sent:
    body = gzip.compress(request.partition(b"\r\n\r\n")[2])
    return [("out", _CALL + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)]


def _brotli(body: bytes) -> bytes:
    return cast("bytes", brotli.compress(body, quality=5))  # pyright: ignore[reportUnknownMemberType]


def _bombs(size: int, each: int) -> Sent:
    """Answers of one connection, each `each` bytes that become 400 times as many."""
    body = gzip.compress(_bomb(each), 9)
    one = [*_coded(b"gzip", body)]
    return one * max(1, size // len(body))


_FRAMES: dict[str, Callable[[int], Sent]] = {
    "chunks of one byte": lambda size: _answered(_BODY, _filled(b"1\r\na\r\n", size)),
    "chunks of one byte, event stream": lambda size: _answered(_STREAM, _filled(b"1\r\n:\r\n", size)),
    "chunk lines with long extensions": lambda size: _answered(_BODY, _filled(b"1;" + b"x" * 4000 + b"\r\na\r\n", size)),
    "endless trailer fields": lambda size: _answered(_BODY, b"0\r\n" + _filled(b"a:b\r\n", size)),
    "endless header lines": lambda size: [("out", b"GET / HTTP/1.1\r\n" + _filled(b"a:b\r\n", size))],
    "heads of short fields": _heads,
    "pipelined tiny requests, answered": _pipelined,
    "pipelined tiny requests": lambda size: [("out", _filled(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", size))],
    "empty continuations": _continuations,
    "rapid resets": _resets,
    "header bomb (HPACK)": _header_bomb,
    "empty DATA frames": lambda size: _http2_flood(_frame(DATA, 0, 1), size),
    "DATA frames of one byte": lambda size: _http2_flood(_frame(DATA, 0, 1, b"a"), size),
    "pings": lambda size: _http2_flood(_frame(PING, 0, 0, bytes(8)), size),
    "window updates": lambda size: _http2_flood(_frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"), size),
    "empty settings": lambda size: _http2_flood(_frame(SETTINGS, 0, 0), size),
    "tiny WebSocket messages": lambda size: _websocket(b"\x81\x01a", size),
    "empty WebSocket fragments": lambda size: _websocket(b"\0\0", size, before=b"\x01\x01a"),
    "WebSocket pings": lambda size: _websocket(b"\x89\0", size),
    "tiny SSE events": lambda size: _answered(_STREAM, _filled(b"4000\r\n" + _filled(b"data:a\n\n", 0x4000) + b"\r\n", size)),
    "empty lines of an event stream": lambda size: _answered(_STREAM, _filled(b"4000\r\n" + b"\n" * 0x4000 + b"\r\n", size)),
    "bytes that are nothing": lambda size: [("out", _filled(b"\xff\0\x01 ", size))],
}

# Content that becomes more than it is on the wire: what it costs depends on what it becomes
CONTENT: dict[str, Callable[[int], Sent]] = {
    "deep JSON": _deep,
    "wide JSON": lambda size: _json(b'{"model":"a","messages":[', b'{"role":"user"},', size),
    "wide JSON, tiny items": lambda size: _json(b'{"model":"a","messages":[', b"{},", size),
    "wide JSON, compressed": lambda size: _zipped(_json(b'{"model":"a","messages":[', b'{"role":"user"},', size * 32)[0][1]),
    "gzip bomb": lambda size: _coded(b"gzip", gzip.compress(_bomb(size), 9)),
    "gzip bomb, event stream": lambda size: _coded_stream(b"gzip", gzip.compress(_bomb(size), 9)),
    "gzip bombs, one after another": lambda size: _bombs(size, 40_000),
    "gzip bombs, many small ones": lambda size: _bombs(size, 2_000),
    "br bomb": lambda size: _coded(b"br", _brotli(_bomb(size))),
    "zstd bomb": lambda size: _coded(b"zstd", zstandard.compress(_bomb(size), 9)),
}
TRAFFIC = _FRAMES | CONTENT


def records(sent: Sent) -> Iterator[TlsChunk]:
    """What was sent, on one connection, in records of 16 KiB, a millisecond apart."""
    connection = Connection(7, 700, "/lib/libssl.so.3", 0x7F00)
    offsets: dict[Direction, int] = {"in": 0, "out": 0}
    numbers: dict[Direction, int] = {"in": 0, "out": 0}
    now = count(1)
    for direction, data in sent:
        for at in range(0, len(data), _RECORD):
            part = data[at : at + _RECORD]
            origin = Origin(next(now) * 1_000_000, 7, 8, comm="agent", connection=connection, direction=direction)
            yield TlsChunk(origin, part, offsets[direction], numbers[direction])
            offsets[direction] += len(part)
            numbers[direction] += 1
