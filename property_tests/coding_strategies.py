"""Strategies for content codings: bodies as servers encode them, flushed or not, and the events that carry them."""

from __future__ import annotations

import random
import zlib
from typing import Protocol, cast

import brotli  # type: ignore[import-untyped]  # it has no types
import zstandard
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from agentsight_rx.events import BodyPart, HttpEvent, HttpRequest, HttpResponse, Origin, TlsClose
from property_tests.strategies import MS, START_NS, connections, http_events, pieces_of, sse_bodies

__all__ = ["CHAINS", "CHECKED", "CODINGS", "Coded", "Coder", "bodies", "coded_bodies", "coded_events", "damaged"]

CODINGS = ["gzip", "x-gzip", "deflate", "raw", "br", "brotli", "zstd", "zstandard"]  # "raw": deflate without its frame
CHAINS = ["gzip, br", "br, gzip", "zstd, gzip", "deflate, zstd", "raw, br", "gzip, identity, gzip", "br, zstd, gzip"]
CHECKED = ["gzip", "deflate", "zstd"]  # codings with a checksum


class _Encoder(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self, mode: int = ..., /) -> bytes: ...


class _BrotliEncoder(Protocol):
    def process(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...
    def finish(self) -> bytes: ...


class _Brotli:
    """A brotli compressor with the interface of the others."""

    def __init__(self, quality: int) -> None:
        made = brotli.Compressor(quality=quality, lgwin=16)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        self._inner = cast("_BrotliEncoder", made)

    def compress(self, data: bytes, /) -> bytes:
        return self._inner.process(data)

    def flush(self, mode: int = zlib.Z_FINISH, /) -> bytes:
        return self._inner.finish() if mode == zlib.Z_FINISH else self._inner.flush()


class _Zstd:
    """A zstd compressor with the interface of the others."""

    def __init__(self, level: int) -> None:
        self._inner = zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj()

    def compress(self, data: bytes, /) -> bytes:
        return self._inner.compress(data)

    def flush(self, mode: int = zlib.Z_FINISH, /) -> bytes:
        finish, block = zstandard.COMPRESSOBJ_FLUSH_FINISH, zstandard.COMPRESSOBJ_FLUSH_BLOCK
        return self._inner.flush(finish if mode == zlib.Z_FINISH else block)


def _encoder(coding: str, level: int) -> _Encoder:
    if coding in ("br", "brotli"):
        return _Brotli(level)
    if coding in ("zstd", "zstandard"):
        return _Zstd(level)
    return zlib.compressobj(level, zlib.DEFLATED, {"deflate": 15, "raw": -15}.get(coding, 31))


class Coder:
    """Encodes one body with a chain of codings, the first one first."""

    def __init__(self, codings: str, level: int = 5) -> None:
        self._steps = [_encoder(name, level) for name in codings.split(", ") if name != "identity"]

    def write(self, data: bytes) -> bytes:
        for step in self._steps:
            data = step.compress(data)
        return data

    def flushed(self, data: bytes) -> bytes:
        for step in self._steps:
            data = step.compress(data) + step.flush(zlib.Z_SYNC_FLUSH)
        return data

    def end(self) -> bytes:
        data = b""
        for step in self._steps:
            data = step.compress(data) + step.flush(zlib.Z_FINISH)
        return data

    def all(self, data: bytes) -> bytes:
        return self.write(data) + self.end()


class Coded(Struct, frozen=True):
    """A body, plain and encoded as the header says."""

    codings: str
    body: bytes
    coded: bytes


def _noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def _repeated(word: bytes, times: int) -> bytes:
    return word * times


bodies = st.one_of(
    st.binary(max_size=60),
    sse_bodies(),
    st.builds(_noise, st.integers(0, 5000), st.integers(0, 9)),
    st.builds(_repeated, st.binary(min_size=1, max_size=8), st.integers(0, 60_000)),
)


_any_codings = st.sampled_from(CODINGS + CHAINS)


@st.composite
def coded_bodies(draw: st.DrawFn, codings: st.SearchStrategy[str] = _any_codings) -> Coded:
    """Flushed in places or not; sometimes with several members or frames and padding, if the coding allows them."""
    names = draw(codings)
    members = draw(st.integers(1, 3)) if names in ("gzip", "x-gzip", "zstd", "zstandard") else 1
    whole, coded = b"", b""
    for _ in range(members):
        coder, body = Coder(names, draw(st.integers(1, 9))), draw(bodies)
        for piece in draw(pieces_of(body)):
            coded += coder.flushed(piece) if draw(st.booleans()) else coder.write(piece)
        coded += coder.end()
        whole += body
        if names in ("zstd", "zstandard") and draw(st.booleans()):
            coded += b"\x5a\x2a\x4d\x18\x03\0\0\0abc"  # a frame to be skipped
    coded += bytes(draw(st.sampled_from([0, 0, 0, 1, 9])))
    return Coded(names.replace("raw", "deflate"), whole, coded)


@st.composite
def damaged(draw: st.DrawFn, coded: bytes) -> bytes:
    """Cut, changed in one place, or followed by other bytes; sometimes unchanged."""
    place = draw(st.integers(0, len(coded)))
    other = draw(st.binary(min_size=1, max_size=3))
    kind = draw(st.sampled_from(["whole", "cut", "changed", "followed"]))
    return {"whole": coded, "cut": coded[:place], "changed": coded[:place] + other + coded[place + len(other) :]}.get(
        kind, coded + other
    )


# -- the events that carry them --------------------------------------------------------------------------------------------

_mostly = st.sampled_from([True, True, True, False])
_sse = ("content-type", "text/event-stream")


@st.composite
def _named(draw: st.DrawFn) -> Coded:
    """Mostly a body in a known coding, sometimes a plain one under another name or none."""
    if draw(_mostly):
        return draw(coded_bodies())
    body = draw(bodies)
    return Coded(draw(st.sampled_from(["identity", "compress", "gzip, compress", "GZIP"])), body, body)


@st.composite
def _streamed(draw: st.DrawFn, origin: Origin, exchange: int) -> list[HttpEvent]:
    made = draw(_named())
    headers = (_sse, ("content-encoding", made.codings))
    head = HttpResponse(origin, exchange, 200, "OK", "HTTP/1.1", headers, streaming=True, size=draw(st.integers(0, 90)))
    events: list[HttpEvent] = [head] if draw(_mostly) else []
    time_ns = origin.time_ns
    for data in draw(pieces_of(draw(damaged(made.coded)))):
        time_ns += draw(st.sampled_from([0, 1, 30])) * MS
        lost = 0 if draw(_mostly) else draw(st.sampled_from([0, 5]))
        at = replace(origin, time_ns=time_ns)
        events.append(BodyPart(at, exchange, data, lost=lost, size=len(data) + 7, encoding=made.codings))
    if draw(_mostly):
        reason = draw(st.sampled_from([None, None, None, "closed", "lost"]))
        at, data = replace(origin, time_ns=time_ns), draw(st.sampled_from([b"", b"", b"x"]))
        events.append(BodyPart(at, exchange, data, True, reason is None, reason, size=5, encoding=made.codings))
    return events


@st.composite
def _whole(draw: st.DrawFn, origin: Origin, exchange: int) -> HttpEvent:
    made = draw(_named())
    body = draw(damaged(made.coded))
    lost, tail = draw(st.sampled_from([(0, 0), (0, 0), (0, 0), (7, 0), (7, len(body) // 3)]))
    whole = lost == 0
    if draw(st.booleans()):
        headers = (("content-length", str(len(body))), ("content-encoding", made.codings))
        return HttpRequest(
            origin, exchange, "POST", "/v1", "HTTP/1.1", headers, body, whole, None if whole else "lost",
            body_lost=lost, size=len(body) + 50, tail=tail,
        )  # fmt: skip
    headers = (("content-encoding", made.codings), ("server", "nginx"))
    return HttpResponse(
        origin, exchange, 200, "OK", "HTTP/1.1", headers, body, False, whole, None if whole else "lost",
        body_lost=lost, size=len(body) + 50, tail=tail,
    )  # fmt: skip


@st.composite
def coded_events(draw: st.DrawFn) -> list[HttpEvent]:
    """Coded messages, plain and streamed, on some connections that may close in between, and other events."""
    timed: list[tuple[int, HttpEvent]] = []
    for connection in draw(st.lists(connections, max_size=2, unique=True)):
        time_ns = START_NS
        for exchange in range(1, draw(st.integers(1, 3)) + 1):
            origin = Origin(time_ns, connection.pid, connection=connection, direction="in")
            streamed = draw(st.booleans())
            made = draw(_streamed(origin, exchange)) if streamed else [draw(_whole(origin, exchange))]
            timed += [(event.origin.time_ns, event) for event in made]
            time_ns += draw(st.sampled_from([0, 1, 30])) * MS  # the next exchange may overlap
        if draw(st.booleans()):
            timed.append((time_ns, TlsClose(Origin(time_ns, connection.pid, connection=connection))))
    timed += [(event.origin.time_ns, event) for event in draw(http_events())]
    return [event for _, event in sorted(timed, key=lambda pair: pair[0])]
