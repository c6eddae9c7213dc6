"""TlsChunk -> HttpRequest, HttpResponse, BodyPart: messages reassembled per connection and paired with each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from ..events import (
    BodyPart,
    Connection,
    Direction,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Origin,
    TlsChunk,
    TlsClose,
    TlsEvent,
)
from ..kernels import per_key
from ..stream import Machine, Operator, State
from ..wire.http1 import Body, End, Foreign, Http1Decoder, Item, RequestHead, ResponseHead, field

__all__ = ["parse_http"]

_PENDING_MOST = 1024  # requests without an answer on one connection; pipelining clients send tens


def parse_http(*, body_limit: int = 8 << 20) -> Operator[TlsEvent, HttpEvent]:
    """
    Reassemble HTTP/1.1 over any cutting and pair each response with its request. What is not HTTP/1.1 goes by unchanged.

        out --POST /v1--|-rest of body-----------------------|
        in  -------------------------200 OK, event stream----|
        [                  parse_http()                      ]
        ------------------Request----Response--BodyPart--…---|

    A message with a hole in it is emitted with `complete=False` and the next one on the connection parses again. Of a body
    the first `body_limit` bytes are kept, the rest is counted in `body_lost`. The body of an event stream is emitted as it
    arrives.
    """
    return per_key(
        _connection,
        lambda: _Conversation(body_limit),
        name="parse_http",
        key_type=Connection,
        options=f"body_limit={body_limit}",
    )


def _connection(event: TlsEvent) -> Connection | None:
    return event.origin.connection if type(event) is TlsChunk or type(event) is TlsClose else None


class _Asked(Struct):
    """A request whose answer has not begun."""

    exchange: int
    method: str
    target: str
    host: str | None


class _Message(Struct):
    """What is known of the message that a side is in the middle of."""

    origin: Origin
    exchange: int
    head: RequestHead | ResponseHead
    parts: list[bytes]
    kept: int = 0
    lost: int = 0
    streaming: bool = False
    asked: _Asked | None = None
    size: int = 0  # bytes on the wire that are not part of anything given out


class _Side:
    """One direction: where it stands in the bytes of the connection, its decoder, its unfinished message."""

    def __init__(self, decoder: Http1Decoder) -> None:
        self.decoder = decoder
        self.offset = 0
        self.seq = 0
        self.first: Origin | None = None  # of the first byte held by the decoder
        self.last: Origin | None = None
        self.message: _Message | None = None

    def held(self) -> int:
        return self.decoder.held() + (self.message.size if self.message else 0)


class _Conversation(Machine[TlsEvent, HttpEvent]):
    """Both directions of one connection."""

    def __init__(self, body_limit: int) -> None:
        self._limit = body_limit
        self._exchange = 0  # counts on where the address is used again: two exchanges under one number would become one
        self._begin()

    def _begin(self) -> None:
        self._asked: deque[_Asked] = deque()
        self._unkept = 0  # requests behind those in `_asked` that there was no room for
        self._answered: deque[_Asked | None] = deque()  # by the responses of the record at hand
        self._unsure = False  # a hole may have swallowed whole responses
        self._sides: dict[Direction, _Side] = {
            "in": _Side(Http1Decoder(self._answer)),
            "out": _Side(Http1Decoder(self._answer)),
        }

    def _answer(self, status: int) -> str | None:
        """The method of the request that the next response answers; None where the framing should not rely on it."""
        unsure = self._unsure
        if unsure:  # without pipelining an answer belongs to the last request before it
            while self._asked and len(self._asked) + self._unkept > 1:
                self._asked.popleft()
            self._unkept = min(self._unkept, 1)
        asked = self._asked[0] if self._asked else None
        if status >= 200 or status == 101:
            self._unsure = False
            if asked:
                self._asked.popleft()
            else:
                self._unkept = max(0, self._unkept - 1)
        self._answered.append(asked)
        return asked.method if asked and not unsure else None

    def feed(self, event: TlsEvent, /) -> Iterable[HttpEvent]:
        if isinstance(event, TlsChunk):
            side = self._sides[event.origin.direction or "in"]
            streaming = side.message is not None and side.message.streaming
            part = self._whole_part(side, event) if streaming else None
            return self._chunk(event) if part is None else (part,)
        if isinstance(event, TlsClose):
            return self._close(event)
        return (event,)

    def _whole_part(self, side: _Side, chunk: TlsChunk) -> BodyPart | None:
        """The common case of a streamed answer: the record is exactly one chunk, and nothing is missing around it."""
        if chunk.offset != side.offset or chunk.seq != side.seq or chunk.lost or side.message is None:
            return None
        body = side.decoder.whole_chunk(chunk.data)
        if body is None:
            return None
        side.last = chunk.origin
        side.offset += len(chunk.data)
        side.seq += 1
        return BodyPart(chunk.origin, side.message.exchange, body.data, lost=body.lost, size=body.size)

    def _chunk(self, chunk: TlsChunk) -> list[HttpEvent]:
        direction = chunk.origin.direction or "in"
        side = self._sides[direction]
        out: list[HttpEvent] = []
        if chunk.seq < side.seq or chunk.offset < side.offset:  # a new connection here, and nobody saw the old one close
            out += self._finish("closed")
            self._begin()
            side = self._sides[direction]
        if chunk.offset > side.offset:
            self._hole(side, chunk.offset - side.offset, "lost", out)
        decoder = side.decoder
        if not decoder.held():
            side.first = chunk.origin
        self._take(side, decoder.feed(chunk.data), chunk, out)
        side.last = chunk.origin
        side.offset = chunk.offset + len(chunk.data)
        side.seq = chunk.seq + 1
        if chunk.lost > 0:
            self._hole(side, chunk.lost, "truncated", out)
            side.offset += chunk.lost
        if decoder.tunnelled:
            other = self._sides["in" if direction == "out" else "out"]
            self._take(other, other.decoder.tunnel(), other.last or chunk.origin, out)
        return out

    def _hole(self, side: _Side, size: int, reason: str, out: list[HttpEvent]) -> None:
        items = side.decoder.gap(size, reason)
        if side.last is not None:
            self._take(side, items, side.last, out)
        if side.decoder.dark:
            self._unsure = True

    def _close(self, close: TlsClose) -> list[HttpEvent]:
        out: list[HttpEvent] = []
        ends: tuple[tuple[Direction, int], ...] = (("in", close.in_offset), ("out", close.out_offset))
        for direction, end in ends:
            side = self._sides[direction]
            if end > side.offset:
                self._hole(side, end - side.offset, "lost", out)
        out += self._finish(None if close.in_offset >= 0 else "process_ended")
        self._begin()
        out.append(close)
        return out

    def _finish(self, reason: str | None) -> list[HttpEvent]:
        out: list[HttpEvent] = []
        for side in self._sides.values():
            if side.last is not None:
                self._take(side, side.decoder.finish(reason), side.last, out)
        return out

    def finish(self) -> list[HttpEvent]:
        return self._finish("capture_end")

    # -- decoded items -> events -----------------------------------------------------------------------------------

    def _take(self, side: _Side, items: list[Item], source: TlsChunk | Origin, out: list[HttpEvent]) -> None:
        origin = source.origin if isinstance(source, TlsChunk) else source
        for item in items:
            if isinstance(item, Body):
                self._body(side, item, origin, out)
            elif isinstance(item, End):
                self._end(side, item, origin, out)
                side.first = origin
            elif isinstance(item, Foreign):
                out.append(_raw(item, source, side))
                side.first = origin
            elif isinstance(item, RequestHead):
                self._request(side, item)
            else:
                self._response(side, item, out)

    def _request(self, side: _Side, head: RequestHead) -> None:
        assert side.first is not None
        asked = _Asked(self._new_exchange(), head.method, head.target, field(head.headers, "host"))
        if len(self._asked) < _PENDING_MOST and not self._unkept:
            self._asked.append(asked)
        else:
            self._unkept += 1
        side.message = _Message(side.first, asked.exchange, head, [], asked=asked, size=head.size)

    def _response(self, side: _Side, head: ResponseHead, out: list[HttpEvent]) -> None:
        assert side.first is not None
        asked = self._answered.popleft()
        exchange = asked.exchange if asked else self._new_exchange()
        message = side.message = _Message(side.first, exchange, head, [], asked=asked, size=head.size)
        kind = (field(head.headers, "content-type") or "").partition(";")[0].strip().lower()
        if kind == "text/event-stream" and head.body:
            message.streaming = True
            out.append(self._made(message, None, side.first))
            message.size = 0

    def _new_exchange(self) -> int:
        self._exchange += 1
        return self._exchange

    def _body(self, side: _Side, body: Body, origin: Origin, out: list[HttpEvent]) -> None:
        message = side.message
        if message is None:
            return
        if message.streaming:
            out.append(BodyPart(origin, message.exchange, body.data, lost=body.lost, size=body.size))
            return
        message.size += body.size
        message.lost += body.lost
        room = self._limit - message.kept
        part = body.data if len(body.data) <= room else body.data[:room]
        if part:
            message.parts.append(part)
        message.kept += len(part)
        message.lost += len(body.data) - len(part)

    def _end(self, side: _Side, end: End, origin: Origin, out: list[HttpEvent]) -> None:
        message, side.message = side.message, None
        if message is None:
            return
        if message.streaming:
            out.append(BodyPart(origin, message.exchange, b"", True, end.reason is None, end.reason, size=end.size))
            return
        message.size += end.size
        reason = end.reason or ("body_limit" if message.lost else None)
        out.append(self._made(message, reason, origin))

    def _made(self, message: _Message, reason: str | None, last: Origin) -> HttpRequest | HttpResponse:
        head, body = message.head, b"".join(message.parts)
        if isinstance(head, RequestHead):
            return HttpRequest(
                message.origin,
                message.exchange,
                head.method,
                head.target,
                head.version,
                head.headers,
                body,
                reason is None,
                reason,
                last.time_ns,
                message.lost,
                message.size,
            )
        asked = message.asked
        return HttpResponse(
            message.origin,
            message.exchange,
            head.status,
            head.phrase,
            head.version,
            head.headers,
            body,
            message.streaming,
            reason is None,
            reason,
            last.time_ns,
            message.lost,
            message.size,
            asked.method if asked else None,
            asked.target if asked else None,
            asked.host if asked else None,
        )

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def held(self) -> int:
        return sum(side.held() for side in self._sides.values())

    def snapshot(self) -> State:
        sides = {
            name: [side.decoder.snapshot(), side.offset, side.seq, side.first, side.last, side.message]
            for name, side in self._sides.items()
        }
        return [list(self._asked), self._unkept, self._exchange, self._unsure, sides]

    def restore(self, state: State, /) -> None:
        asked, self._unkept, self._exchange, self._unsure, sides = state
        self._asked.extend(msgspec.convert(asked, list[_Asked]))
        for name, saved in sides.items():
            side = self._sides[name]
            decoder, side.offset, side.seq, first, last, message = saved
            side.decoder.restore(decoder)
            side.first, side.last = _origin(first), _origin(last)
            side.message = None if message is None else _message(message)


def _origin(saved: Any) -> Origin | None:
    return None if saved is None else msgspec.convert(saved, Origin)


def _message(saved: Any) -> _Message:
    return msgspec.convert(saved, _Message)


def _raw(item: Foreign, source: TlsChunk | Origin, side: _Side) -> TlsChunk:
    """Bytes that are no HTTP, as the chunk they came in where that is possible."""
    if not isinstance(source, TlsChunk):
        return TlsChunk(side.first or source, item.data, side.offset + item.at, side.seq)
    if item.data is source.data:
        return source
    if item.at < 0:  # held from before
        return TlsChunk(side.first or source.origin, item.data, source.offset + item.at, source.seq)
    return TlsChunk(source.origin, item.data, source.offset + item.at, source.seq, 0, source.latency_ns, source.marked)
