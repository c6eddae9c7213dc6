"""HttpResponse head + BodyPart -> SseMessage: everything that one event stream said, in one event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from ..core.machine import Bounded, Checkpointed, encode_state
from ..core.per_key import per_key
from ..core.stream import Operator
from ..events import BodyPart, Connection, HttpEvent, HttpResponse, Loss, Origin, SseMessage
from ..events.loss import Reason
from ..llm import find
from .sessions.event_stream import About, EventStream, EventStreamState, restored
from .sessions.message import progress_of
from .sessions.stream_kinds import kind_by_head, kind_of_body

_EVICTED_MOST = 64  # streams of a connection
_MEMORY = 36  # bytes of memory for a byte of the body, at most: an empty event has 6 bytes


def merge_sse(*, timeout: float = 30.0, budget: int = 256 << 20, progress: bool = False) -> Operator[HttpEvent, HttpEvent]:
    """
    Decode each event stream as it arrives and emit one SseMessage where its answer ends. Heads pass unchanged, parts do not.

        --Response--Part--Part--Part(end mark)----Part(last)----|
        [                     merge_sse()                       ]
        --Response----------------------------SseMessage--------|

    The dialect says where an answer ends (`StreamReader.ended`): a client acts then, whatever becomes of the body. It is
    noticed within a step of time, and the message has the time of the end. An answer without an end mark ends with its body.
    If bytes behind the end say more, a later revision has all. If the body does not end as it should behind the end of the
    answer, as where a client hangs up, its last part passes without data.

    A stream that is silent for `timeout` seconds is emitted as partial, and once more if it goes on. Other kinds of streamed
    bodies are read in the same way (`sessions/stream_kinds.py`): a JSON value or a frame is an event. All open streams together
    keep at most `budget` bytes: over that, those silent for longest are emitted as partial, and counted.

    `progress`: emit what an answer of a model says as it comes too, an AnswerProgress at most each 200 ms.
    """
    silence_ns = round(timeout * 1e9)
    return per_key(
        _connection,
        lambda: _EventStreams(silence_ns, progress),
        name="merge_sse",
        key_type=Connection,
        options=f"timeout={timeout}{', progress' if progress else ''}",
        budget=budget,
        weigh=_size,
    )


def _connection(event: HttpEvent) -> Connection | None:
    kind = type(event)
    if kind is BodyPart or kind is SseMessage or (isinstance(event, HttpResponse) and (event.streaming or _kind_of(event))):
        return event.origin.connection
    return None


def _kind_of(event: HttpResponse) -> str:
    """The kind of the stream that the body of an answer to a call is, although its head and its begin did not show it."""
    if event.method != "POST" or event.target is None or not event.body or find(event.host or "", event.target) is None:
        return ""
    return kind_of_body(event.body[: len(event.body) - event.tail])


def _size(events: Sequence[HttpEvent]) -> int:
    return _MEMORY * sum([len(event.data) for event in events if type(event) is BodyPart])


class _Rest(Struct):
    """Bytes received after the stream's message was emitted."""

    origin: Origin
    size: int = 0

    def loss(self) -> list[HttpEvent]:
        if not self.size:
            return []
        return [
            Loss(
                self.origin,
                "merge_sse",
                reason=Reason.EVICTED,
                count=1,
                size=self.size,
                note="bytes after a message that was emitted early",
            )
        ]


class _State(Struct, array_like=True):
    streams: list[EventStreamState]
    evicted: list[tuple[int, _Rest]]


class _EventStreams(Bounded[HttpEvent, HttpEvent], Checkpointed[_State]):
    """The event streams of one connection: with HTTP/1.1 one at a time."""

    def __init__(self, silence_ns: int, progress: bool) -> None:
        self._silence_ns = silence_ns
        self._progress = progress
        self._open: dict[int, EventStream] = {}
        self._evicted: dict[int, _Rest] = {}  # streams emitted early because memory was short

    def feed(self, event: HttpEvent, /) -> Iterable[HttpEvent]:
        if type(event) is not BodyPart:
            return self._other(event)
        stream = self._open.get(event.exchange)
        if stream is None and event.exchange in self._evicted:
            return self._skip(event)
        if stream is None:  # its head was dropped by a filter before us
            about = About(event.origin, event.exchange, status=0, method=None, target=None, host=None)
            stream = self._open[event.exchange] = EventStream(about)
        stream.take(event)
        if not event.last:
            return ()
        del self._open[event.exchange]
        return stream.end(event)

    def _skip(self, part: BodyPart) -> Iterable[HttpEvent]:
        """The message was emitted as incomplete; a second one would hold less than the first."""
        rest = self._evicted[part.exchange]
        rest.origin, rest.size = part.origin, rest.size + len(part.data)
        if not part.last:
            return ()
        del self._evicted[part.exchange]
        return rest.loss()

    def _other(self, event: HttpEvent) -> Iterable[HttpEvent]:
        if type(event) is HttpResponse and not event.streaming:
            return _read_whole(event)
        if type(event) is HttpResponse:
            before = self._open.pop(event.exchange, None)
            rest = self._evicted.pop(event.exchange, None)
            if rest is not None and rest.size:
                return [*rest.loss(), event]
            self._open[event.exchange] = EventStream(_about(event))
            return [*before.cut("lost"), event] if before else (event,)
        if type(event) is SseMessage:  # a recording of what was merged already: nothing to wait for
            self._open.pop(event.exchange, None)
        return (event,)

    def tick(self, now_ns: int, /) -> Iterable[HttpEvent]:
        if not self._open:
            return ()
        over = [
            stream
            for stream in self._open.values()
            if stream.is_due() or (not stream.emitted and now_ns - stream.last_ns > self._silence_ns)
        ]
        # In the order in which finer ticks would have found them
        over.sort(key=lambda stream: (not stream.is_due(), stream.last_ns))
        made: list[HttpEvent] = [stream.message(stream.reason_in_silence()) for stream in over]
        return [*progress_of(self._open.values(), now_ns), *made] if self._progress else made

    def finish(self) -> Iterable[HttpEvent]:
        return self._stop("capture_end")

    def evict(self) -> Iterable[HttpEvent]:
        gone = [(number, rest.origin) for number, rest in self._evicted.items()]
        gone += [(number, stream.about.origin) for number, stream in self._open.items()]
        out = self._stop("evicted")
        self._evicted = {number: _Rest(origin) for number, origin in gone[-_EVICTED_MOST:]}
        return out

    def _stop(self, reason: str) -> list[HttpEvent]:
        open_streams, self._open = self._open, {}
        evicted, self._evicted = self._evicted, {}
        lost = [loss for rest in evicted.values() for loss in rest.loss()]
        return lost + [event for stream in open_streams.values() for event in stream.cut(reason)]

    def idle(self) -> bool:
        return not (self._open or self._evicted)

    def kept(self) -> int:
        return sum(stream.kept() for stream in self._open.values())

    def used_ns(self) -> int:
        return max((stream.last_ns for stream in self._open.values()), default=0)

    def held(self) -> int:
        return sum(stream.size for stream in self._open.values()) + sum(rest.size for rest in self._evicted.values())

    def legacy(self) -> bytes:
        return encode_state([(number, rest.origin) for number, rest in self._evicted.items()]) if self._evicted else b""

    def inherit(self, legacy: bytes, /) -> None:
        evicted = msgspec.msgpack.decode(legacy, type=list[tuple[int, Origin]])
        self._evicted = {number: _Rest(origin) for number, origin in evicted}

    def snapshot(self) -> _State:
        return _State([stream.snapshot() for stream in self._open.values()], list(self._evicted.items()))

    def restore(self, state: _State, /) -> None:
        self._evicted = dict(state.evicted)
        self._open = {stream.about.exchange: stream for stream in map(restored, state.streams)}


def _read_whole(event: HttpResponse) -> list[HttpEvent]:
    """A body that is a stream and came whole, as one behind a content coding that gave nothing before its end."""
    about, now = msgspec.structs.replace(_about(event), kind=_kind_of(event)), event.origin
    stream, whole = EventStream(about), event.body[: len(event.body) - event.tail]
    stream.take(BodyPart(now, event.exchange, whole, size=len(whole)))
    if event.body_lost or event.tail:
        stream.take(BodyPart(now, event.exchange, event.body[len(whole) :], lost=event.body_lost or -1, size=event.tail))
    stream.last_ns = max(event.end_ns, now.time_ns)
    last = BodyPart(now, event.exchange, b"", last=True, complete=event.complete, reason=event.reason)
    made = [
        msgspec.structs.replace(each, end_ns=stream.last_ns, first_chunk_ns=0) if type(each) is SseMessage else each
        for each in stream.end(last)
    ]
    return [msgspec.structs.replace(event, body=b"", streaming=True, body_lost=0, tail=0), *made]


def _about(head: HttpResponse) -> About:
    return About(
        head.origin,
        head.exchange,
        status=head.status,
        method=head.method,
        target=head.target,
        host=head.host,
        kind=kind_by_head(head.headers, head.target or ""),
        inferred=head.inferred,
    )
