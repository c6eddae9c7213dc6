"""TlsChunk -> HttpRequest, HttpResponse, BodyPart, WebSocketMessage: reassemble each connection and pair its messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec import Struct

from ..core.machine import Bounded, Checkpointed, TakesRuns, encode_state
from ..core.per_key import per_key
from ..core.stream import Operator
from ..events import BodyPart, Connection, Direction, HttpEvent, Loss, TlsChunk, TlsClose, TlsEvent
from ..events.loss import Reason
from ..wire.http2_frames import looks_like_http2
from .sessions.flood import EVENT, Flood
from .sessions.http1 import Http1Session
from .sessions.http2 import Http2Session
from .sessions.session import Context, Session, Side
from .sessions.websocket import WebSocketSession

_BUDGET = 256 << 20
_UNASKED = "responses were read on a connection, and none of the bytes that went the other way: their requests are missing"


def parse_http(*, body_limit: int = 8 << 20, budget: int = _BUDGET, first_exchange: int = 0) -> Operator[TlsEvent, HttpEvent]:
    """
    Reassemble HTTP/1.1, HTTP/2 and WebSockets over any cutting. Everything else passes unchanged.

        out --POST /v1--|-rest of body-----------------------|
        in  -------------------------200 OK, event stream----|
        [                  parse_http()                      ]
        ------------------Request----Response--BodyPart--…---|

    Neighbouring records of a streamed body that come in one batch make one part (`BodyPart.cuts`).

    A message with a hole in it is emitted with `complete=False` and the next one on the connection parses again. Of a body of
    more than `body_limit` bytes the beginning and the end are kept, the bytes between are counted in `body_lost`. The body of
    an event stream is emitted as it arrives. All connections together keep at most `budget` bytes: over that, those not used
    for longest end as partial, and are counted. A connection that makes far more work than its bytes allow is skipped for some
    seconds, and its bytes are counted as malformed.

    The exchanges of a connection are numbered from the one behind `first_exchange`: a run that goes on in a store begins behind
    the numbers of the runs before it, since a connection may live through several.
    """
    return per_key(
        _connection,
        lambda: _Wire(body_limit, first_exchange),
        name="parse_http",
        key_type=Connection,
        options=f"body_limit={body_limit}",
        budget=budget,
        weigh=_size,
    )


def _connection(event: TlsEvent) -> Connection | None:
    return event.origin.connection if type(event) is TlsChunk or type(event) is TlsClose else None


def _size(events: Sequence[TlsEvent]) -> int:
    return sum([len(event.data) for event in events if type(event) is TlsChunk])


class _State(Struct, array_like=True):
    exchange: int
    sides: dict[Direction, Side]
    protocol: str
    session: bytes
    flood: Flood


class _Wire(Bounded[TlsEvent, HttpEvent], TakesRuns[TlsEvent, HttpEvent], Checkpointed[_State]):
    """Both directions of one connection: the position in each, and the protocol."""

    def __init__(self, body_limit: int, first_exchange: int) -> None:
        self._limit = body_limit
        self._first = self._exchange = first_exchange  # goes on where the address is used again, so that no number occurs twice
        self._begin()

    def _begin(self) -> None:
        self._sides: dict[Direction, Side] = {"in": Side("in"), "out": Side("out")}
        self._context = Context(self._limit, self._new_exchange, self._sides)
        self._session: Session = Http1Session(self._context)
        self._flood = Flood()
        self._fresh = True  # nothing came on this connection

    def _new_exchange(self) -> int:
        self._exchange += 1
        return self._exchange

    def feed(self, event: TlsEvent, /) -> Iterable[HttpEvent]:
        if type(event) is TlsChunk:
            _, part = self._session.whole_parts(self._sides[event.origin.direction or "in"], (event,), 0)
            return self._chunk(event) if part is None else (part,)
        return self._close(event) if type(event) is TlsClose else (event,)

    def feed_run(self, events: Sequence[TlsEvent], start: int, /) -> tuple[int, Sequence[HttpEvent]]:
        first = events[start]
        if type(first) is not TlsChunk:
            return start, ()
        stop, part = self._session.whole_parts(self._sides[first.origin.direction or "in"], events, start)
        return stop, () if part is None else (part,)

    def _chunk(self, chunk: TlsChunk) -> list[HttpEvent]:
        side = self._sides[chunk.origin.direction or "in"]
        out: list[HttpEvent] = []
        if chunk.seq < side.seq or chunk.offset < side.offset:  # a new connection; the close of the old one was not captured
            self._session.finish("closed", out)
            out += self._flood.loss(side.last)
            self._begin()
            side = self._sides[side.direction]
        if self._flood.skipping and self._skip(side, chunk, out):
            return out
        if chunk.offset > side.offset:
            self._session.gap(side, chunk.offset - side.offset, "lost", out)
        self._feed(side, chunk, out)
        self._fresh = False
        side.last = chunk.origin
        side.offset = chunk.offset + len(chunk.data)
        side.seq = chunk.seq + 1
        if chunk.lost > 0:
            self._session.gap(side, chunk.lost, "truncated", out)
            side.offset += chunk.lost
        if len(out) > 1 or self._session.work or self._flood.debt:
            self._pay(chunk, out)
        return out

    def _skip(self, side: Side, chunk: TlsChunk, out: list[HttpEvent]) -> bool:
        """Count the chunk and read nothing of it; False where the flood is over."""
        if not self._flood.goes_on(chunk.origin.time_ns):
            out += self._flood.loss(side.last)
            return False
        side.last = chunk.origin
        side.offset = chunk.offset + len(chunk.data) + max(chunk.lost, 0)
        side.seq = chunk.seq + 1
        out += self._flood.skip(len(chunk.data), chunk.origin)
        return True

    def _pay(self, chunk: TlsChunk, made: list[HttpEvent]) -> None:
        """Enter the results of the chunk. One event a record costs no more than the record; parts of bodies are frames."""
        work, self._session.work = self._session.work, 0
        unread, self._session.unread = self._session.unread, 0
        if unread:
            self._flood.skipped += unread
            work += len(chunk.data)
        if len(made) > 1:
            work += EVENT * (sum([type(event) is not BodyPart for event in made]) - 1)
        if self._flood.begins(work, len(chunk.data), chunk.origin.time_ns):
            made += self._give_up("flood")

    def _feed(self, side: Side, chunk: TlsChunk, out: list[HttpEvent]) -> None:
        session = self._session
        if type(session) is Http1Session and chunk.data[:1] == b"\0" and session.awaits_head(side):
            self._find_http2(session, side, chunk, out)
        self._session.feed(side, chunk, out)
        self._succeed(out)

    def _find_http2(self, session: Http1Session, side: Side, chunk: TlsChunk, out: list[HttpEvent]) -> None:
        """A server may speak first, with its settings (RFC 9113 3.4); or the capture begins where frames go on."""
        begins = not chunk.offset and len(chunk.data) > 3 and b"\x04\0\0\0\0\0".startswith(chunk.data[3:9])
        if begins or looks_like_http2(chunk.data):
            session.begin_http2(side, fresh=begins, out=out)
            self._succeed(out)

    def _succeed(self, out: list[HttpEvent]) -> None:
        """Switch to the protocol that was agreed on, with its bytes that came in this record."""
        before = self._session
        if before.successor is not None:
            self._session = before.successor
            for chunk in before.handed:
                self._session.feed(self._sides[chunk.origin.direction or "in"], chunk, out)

    def _close(self, close: TlsClose) -> list[HttpEvent]:
        out: list[HttpEvent] = []
        ends: tuple[tuple[Direction, int], ...] = (("in", close.in_offset), ("out", close.out_offset))
        for direction, end in ends:
            side = self._sides[direction]
            if end > side.offset:
                self._session.gap(side, end - side.offset, "lost", out)
                side.offset = end
        self._session.finish(None if close.in_offset >= 0 else "process_ended", out)
        out += [*self._unasked(), *self._flood.loss(close.origin)]
        self._begin()
        out.append(close)
        return out

    def finish(self) -> list[HttpEvent]:
        return self._stop("capture_end")

    def evict(self) -> list[HttpEvent]:
        return self._give_up("evicted")

    def _give_up(self, reason: str) -> list[HttpEvent]:
        """End open messages, and go on in the middle of unknown messages."""
        out = self._stop(reason)
        session = Http1Session(self._context)
        session.enter_unseen()
        self._session = session
        return out

    def _stop(self, reason: str) -> list[HttpEvent]:
        out: list[HttpEvent] = []
        self._session.finish(reason, out)
        self._session = Http1Session(self._context)
        last = self._sides["in"].last or self._sides["out"].last
        return [*out, *self._unasked(), *self._flood.loss(last)]

    def _unasked(self) -> list[Loss]:
        """Responses on a connection of which nothing was seen in the other direction: its requests were not read."""
        for side, other in (self._sides["in"], self._sides["out"]), (self._sides["out"], self._sides["in"]):
            if side.unasked and side.last is not None and other.last is None and not other.offset:
                count, side.unasked = side.unasked, 0
                return [Loss(side.last, "parse_http", reason=Reason.UNREADABLE, count=count, note=_UNASKED)]
        return []

    def used_ns(self) -> int:
        return max((side.last.time_ns for side in self._sides.values() if side.last), default=0)

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def held(self) -> int:
        return self._session.held() + self._flood.skipped

    def kept(self) -> int:
        return self._session.kept()

    def idle(self) -> bool:
        return self._fresh

    def legacy(self) -> bytes:
        return encode_state(self._exchange) if self._exchange != self._first else b""

    def inherit(self, legacy: bytes, /) -> None:
        self._exchange = msgspec.msgpack.decode(legacy, type=int)

    def snapshot(self) -> _State:
        return _State(self._exchange, self._sides, self._session.name, self._session.snapshot(), self._flood)

    def restore(self, state: _State, /) -> None:
        self._exchange = state.exchange
        self._fresh = all(side.last is None for side in state.sides.values())
        self._sides.update(state.sides)
        self._session = _SESSIONS[state.protocol](self._context, state.session)
        self._flood = state.flood


_SESSIONS: dict[str, Callable[[Context, bytes], Session]] = {
    kind.name: kind.restored for kind in (Http1Session, Http2Session, WebSocketSession)
}
