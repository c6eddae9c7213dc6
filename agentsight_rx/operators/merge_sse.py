"""HttpResponse head + BodyPart -> SseMessage: everything that one event stream said, in one event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from ..events import BodyPart, Connection, HttpEvent, HttpResponse, Loss, Origin, Reply, SseEvent, SseMessage
from ..kernels import per_key
from ..llm import PROVIDERS, Provider, StreamReader, dialect_of, find
from ..loss import Reason
from ..stream import Machine, Operator, State
from ..wire.sse import SseDecoder

__all__ = ["merge_sse"]


# Clients hang up at the stream's own end mark, before the last chunk of the body: all was said
_UNREAD = frozenset({"closed", "capture_end", "process_ended"})


def merge_sse(*, timeout: float = 30.0) -> Operator[HttpEvent, HttpEvent]:
    """
    Decode each event stream as it arrives and emit one SseMessage at its end; the head goes by, the parts are used up.

        --Response--Part--Part--Part(last)----|
        [            merge_sse()              ]
        --Response--------------SseMessage----|

    A stream that is silent for `timeout` seconds is emitted as partial, and once more if it goes on.
    """
    silence_ns = round(timeout * 1e9)
    return per_key(
        _connection, lambda: _Streams(silence_ns), name="merge_sse", key_type=Connection, options=f"timeout={timeout}"
    )


def _connection(event: HttpEvent) -> Connection | None:
    kind = type(event)
    if kind is BodyPart or kind is SseMessage or (isinstance(event, HttpResponse) and event.streaming):
        return event.origin.connection
    return None


class _About(Struct, frozen=True):
    """What the head of the response said."""

    origin: Origin
    exchange: int
    status: int
    method: str | None
    target: str | None
    host: str | None


class _Stream:
    def __init__(self, about: _About) -> None:
        self.about = about
        self.decoder = SseDecoder()
        self.events: list[SseEvent] = []
        self.provider: Provider | None = find(about.host or "", about.target) if about.target else None
        self.reader: StreamReader | None = self.provider.reader() if self.provider else None
        self.size = 0  # bytes of the body that no message and no loss stands for yet
        self.last_ns = about.origin.time_ns
        self.first_chunk_ns = 0
        self.chunks = 0
        self.revision = 0
        self.damage: str | None = None
        self.told = False  # emitted as it stands
        self.whole = False  # and complete

    def take(self, part: BodyPart) -> None:
        if part.data or part.lost:
            self.told = False
        self.last_ns = part.origin.time_ns
        self.size += len(part.data)
        if part.lost:
            self.damage = self.damage or "lost"
            self.decoder.finish()
        reader = self.reader
        for event in self.decoder.feed(part.data):
            self.events.append(event)
            if reader is None:
                reader = self._recognise(event)
            if reader is not None and reader.feed(event):
                self.chunks += 1
                self.first_chunk_ns = self.first_chunk_ns or self.last_ns
        if self.decoder.lost:
            self.damage = self.damage or "event_limit"

    def _recognise(self, event: SseEvent) -> StreamReader | None:
        self.provider = dialect_of(event)
        if self.provider is not None:
            self.reader = self.provider.reader()
            for earlier in self.events[:-1]:
                self.reader.feed(earlier)
        return self.reader

    def message(self, reason: str | None) -> SseMessage:
        about = self.about
        size = self.size - self.decoder.held() - self.decoder.lost
        made = SseMessage(
            about.origin,
            about.exchange,
            self.provider.name if self.provider else "",
            self.reader.reply() if self.reader else Reply(),
            tuple(self.events),
            self.last_ns,
            self.first_chunk_ns,
            self.chunks,
            reason is None,
            reason,
            self.revision,
            size,
            about.method,
            about.target,
            about.host,
            about.status,
        )
        self.revision += 1
        self.size -= size
        self.told = True
        self.whole = made.complete
        return made

    def reason_in_silence(self) -> str | None:
        """Clients need not read on behind the end mark: then all was said although the body has not ended."""
        return None if self.reader is not None and self.reader.ended and not self.damage else "timeout"

    def loss(self) -> list[HttpEvent]:
        """What the decoder dropped, once nothing more comes: the bytes that no message stands for."""
        if not self.size:
            return []
        note = "an event was cut or too long"
        return [Loss(self.about.origin, "merge_sse", Reason.MALFORMED, 1, self.size, note)]

    def cut(self, reason: str) -> list[HttpEvent]:
        """All that is left to say where its end was not seen."""
        self.decoder.finish()
        told: list[HttpEvent] = [] if self.told else [self.message(reason)]
        return told + self.loss()

    def reason_at_end(self, last: BodyPart) -> str | None:
        """Why the message is not complete, if it is not: the body's own reason, a hole, or no end mark."""
        cut = self.decoder.finish()
        if self.damage:
            return self.damage
        if self.reader is not None and self.reader.ended and last.reason in _UNREAD:
            return None
        if last.reason:
            return last.reason
        if self.reader is not None and not (self.reader.ended or self.reader.finished_choices):
            return "no_end_mark"
        return "no_end_mark" if cut and self.reader is None else None


class _Streams(Machine[HttpEvent, HttpEvent]):
    """The event streams of one connection: with HTTP/1.1 one at a time."""

    def __init__(self, silence_ns: int) -> None:
        self._silence_ns = silence_ns
        self._open: dict[int, _Stream] = {}

    def feed(self, event: HttpEvent, /) -> Iterable[HttpEvent]:
        if not isinstance(event, BodyPart):
            return self._other(event)
        stream = self._open.get(event.exchange)
        if stream is None:  # its head was dropped by a filter before us
            about = _About(event.origin, event.exchange, 0, None, None, None)
            stream = self._open[event.exchange] = _Stream(about)
        stream.take(event)
        if not event.last:
            return ()
        del self._open[event.exchange]
        if stream.told and stream.whole:
            return stream.cut("closed")
        return [stream.message(stream.reason_at_end(event)), *stream.loss()]

    def _other(self, event: HttpEvent) -> Iterable[HttpEvent]:
        if isinstance(event, HttpResponse):
            about = _About(event.origin, event.exchange, event.status, event.method, event.target, event.host)
            before = self._open.pop(event.exchange, None)
            self._open[event.exchange] = _Stream(about)
            return [*before.cut("lost"), event] if before else (event,)
        if isinstance(event, SseMessage):  # a recording of what was merged already: nothing to wait for
            self._open.pop(event.exchange, None)
        return (event,)

    def tick(self, now_ns: int, /) -> Iterable[HttpEvent]:
        if not self._open:
            return ()
        return [
            stream.message(stream.reason_in_silence())
            for stream in self._open.values()
            if not stream.told and now_ns - stream.last_ns > self._silence_ns
        ]

    def finish(self) -> Iterable[HttpEvent]:
        open_streams, self._open = self._open, {}
        return [event for stream in open_streams.values() for event in stream.cut("capture_end")]

    def held(self) -> int:
        return sum(stream.size for stream in self._open.values())

    def snapshot(self) -> State:
        return [
            [
                stream.about, stream.decoder.snapshot(), stream.events,
                stream.provider.name if stream.provider else None,
                stream.reader.snapshot() if stream.reader else None,
                stream.size, stream.last_ns, stream.first_chunk_ns, stream.chunks, stream.revision, stream.damage,
                stream.told, stream.whole,
            ]
            for stream in self._open.values()
        ]  # fmt: skip

    def restore(self, state: State, /) -> None:
        for saved in state:
            stream = _restored(saved)
            self._open[stream.about.exchange] = stream


def _restored(saved: Any) -> _Stream:
    about, decoder, events, provider, reader, *rest = saved
    stream = _Stream(msgspec.convert(about, _About))
    stream.decoder.restore(decoder)
    stream.events = msgspec.convert(events, list[SseEvent])
    stream.provider = next((each for each in PROVIDERS if each.name == provider), None)
    stream.reader = stream.provider.reader() if stream.provider else None
    if stream.reader is not None:
        stream.reader.restore(reader)
    (
        stream.size, stream.last_ns, stream.first_chunk_ns, stream.chunks, stream.revision, stream.damage, stream.told,
        stream.whole,
    ) = rest  # fmt: skip
    return stream
