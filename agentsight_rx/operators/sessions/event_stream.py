"""
The events of one streamed answer -> SseMessage: its content so far, whether that is complete, and why not.

Longer than 300 lines because the bytes that were taken, read or missing, and why, are one account.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ...events import BodyPart, Headers, HttpEvent, Loss, Origin, Reply, SseEvent, SseMessage
from ...events.loss import Reason
from ...llm import NOT_UNDERSTOOD, Provider, Reported, StreamReader, dialect_of, find, plain_answer, provider_named
from ...llm.reader import BODY
from .stream_kinds import KINDS, UNKNOWN, StreamDecoder, kind_in_fact

_PENDING_MOST = 16 << 10
_RECORDS_MOST = 256  # that wait to be read: each takes 150 bytes of memory, however small it is
_MARK_MOST = 32  # bytes of an end mark
_ESCAPE = b"\\u00"  # JSON may spell the letters of a mark so
_LAST_RECORDS, _LAST_EVENTS = 3, 4  # of an answer, among which its end mark is looked for first
_HANG_UPS = frozenset({"closed", "reset", "cancelled", "process_ended", "capture_end"})  # nothing was lost by them
_EVENTS_MOST = 16 << 20  # bytes of events that a message keeps; a long answer with a big tool input has 1 MiB
_EVENT_COSTS = 100  # bytes of memory, whatever is in it
_READ_MOST = 32 << 20  # bytes of events that are read; no answer of a model is longer
_LINE_COSTS, _DEBT_MOST = 16, 1 << 20  # bytes of a usual line, and how many may be missing to that in all


class About(Struct, frozen=True):
    """What the head of the response said. `kind`: the media type of the stream; "": its first bytes show it."""

    origin: Origin
    exchange: int
    status: int
    method: str | None
    target: str | None
    host: str | None
    kind: str = ""
    inferred: bool = False


class Progress(Struct, array_like=True):
    """The reported part of one stream: when, at which `heard` of the stream, the number of the last event, and which text."""

    at_ns: int = 0
    heard: int = 0
    number: int = 0
    reported: Reported = msgspec.field(default_factory=Reported)


class EventStreamState(Struct, array_like=True):
    """The state in `EventStream.snapshot`; its fields have the names of the attributes, decoder and reader are msgpack."""

    about: About
    decoder: bytes
    events: list[SseEvent]
    provider: str | None
    reader: bytes
    size: int
    last_ns: int
    first_chunk_ns: int
    chunks: int
    revision: int
    damage: str | None
    emitted: bool
    status: int
    events_lost: int
    heard: int
    trailers: Headers
    debt: int
    skipped: int
    progress: Progress
    ended_ns: int
    reason: str | None
    opened: bool


class EventStream:
    """
    One streamed answer. `take` reads bytes, `hear` takes an event that was decoded elsewhere.

    An answer ends where its reader says so, and its message is `due` then, whatever becomes of the body. Bytes behind the end
    belong to the answer: a later revision has what they say.
    """

    def __init__(self, about: About) -> None:
        self.about = about
        self.decoder: StreamDecoder = KINDS.get(about.kind, UNKNOWN).decoder()
        self.opened = False  # the first bytes were read
        self.events: list[SseEvent] = []
        self._pending: list[bytes] = []  # bytes not read yet
        self._cuts: list[tuple[int, int]] = []  # their records: bytes, time
        self._looked = self._clear = 0  # of these, how many were searched for an end mark, and how many bytes have none
        self._behind = b""  # the last of the bytes that were searched
        self._marks: tuple[bytes, ...] = ()  # what to search for; (): any of the pending bytes may end the answer
        self._drained = 0  # `size` when they were last read
        self.events_lost = 0
        self.heard = 0  # bytes of memory that all events take
        self.provider: Provider | None = find(about.host or "", about.target) if about.target else None
        self.reader: StreamReader | None = self.provider.reader() if self.provider else None
        self.status = 0  # where an event carries one
        self.trailers: Headers = ()
        self.size: int = 0  # bytes of the body that no message and no loss accounts for yet
        self.last_ns: int = about.origin.time_ns
        self.first_chunk_ns = self.chunks = self.revision = 0
        self.debt = 0  # bytes that are missing to as many lines of usual length
        self.skipped = 0  # bytes of `size` that were not read, since the stream is a flood of tiny lines
        self.damage: str | None = None
        self.emitted = False  # everything so far was emitted
        self.reason: str | None = None  # of the newest message
        self.ended_ns = -1  # when the end of the answer came; -1: it has not
        self.progress = Progress()

    def take(self, part: BodyPart) -> None:
        """
        Take bytes of the body. Until the first content, whose time counts, they are read at once; then many at a time, which
        takes half as long.
        """
        if part.cuts:
            self._take_records(part)
            return
        data = part.data
        self.last_ns = part.origin.time_ns
        if part.trailers:
            self.trailers = part.trailers
            self.emitted = False
        if self.debt > _DEBT_MOST:
            self.size += len(data)
            self.skipped += len(data)
            return
        if data:
            self.emitted = False
            self._pending.append(data)
            self._cuts.append((len(data), self.last_ns))
            self.size += len(data)
        if not self.first_chunk_ns or self.size - self._drained >= _PENDING_MOST or part.lost:
            if part.lost:
                self._gap(data)
            self.drain()

    def _take_records(self, part: BodyPart) -> None:
        """The same for a part of several records: they are read where they would be if each came alone."""
        data, size = part.data, self.size
        if self.first_chunk_ns and size + len(data) - self._drained < _PENDING_MOST and self.debt <= _DEBT_MOST:
            self._pending.append(data)
            self._cuts += part.cuts
            self.emitted, self.last_ns, self.size = False, part.origin.time_ns, size + len(data)
            return
        at = read = 0
        for length, time_ns in part.cuts:
            if self.debt > _DEBT_MOST:
                self.skipped += len(data) - at
                self.size = size + len(data)
                self.last_ns = part.origin.time_ns
                return
            at += length
            self._cuts.append((length, time_ns))
            if not self.first_chunk_ns or size + at - self._drained >= _PENDING_MOST:
                self._pending.append(data[read:at])
                self.emitted = False
                self.last_ns = time_ns
                self.size = size + at
                read = at
                self.drain()
        if read < at:
            self._pending.append(data[read:])
        self.emitted = False
        self.last_ns = part.origin.time_ns
        self.size = size + at

    def _gap(self, behind: bytes) -> None:
        """Bytes are missing in front of `behind`."""
        if behind:
            self._pending.pop()
            self._cuts.pop()
        self.drain()
        self.emitted = False
        self._damaged("lost")
        self.decoder.finish()
        self._pending.append(behind)
        self._cuts.append((len(behind), self.last_ns))

    def _damaged(self, why: str) -> None:
        """What is missing behind the end of the answer is no part of it."""
        if not self.ended:
            self.damage = self.damage or why

    def drain(self) -> None:
        """Read the pending bytes."""
        if not self._pending:
            return
        data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        cuts, self._cuts = self._cuts, []
        self._pending.clear()
        self._drained = self.size
        if not self.opened and data.strip():
            self.opened = True
            self._choose_decoder(data)
        count, size = self._in_front_of_end(data, cuts) if len(cuts) > 1 else (0, 0)
        self._looked, self._clear, self._behind = 0, 0, b""
        if count:
            self._read(data[:size], cuts[:count])
            data, cuts = data[size:], cuts[count:]
        self._read(data, cuts)
        marks = self._end_marks() if self.reader is not None and not self.decoder.held() else ()
        self._marks = (*marks, _ESCAPE) if marks else ()

    def _end_marks(self) -> tuple[bytes, ...]:
        is_plain = KINDS.get(self.about.kind, UNKNOWN).plain
        return self.provider.end_marks if self.provider is not None and is_plain else ()

    def _in_front_of_end(self, data: bytes, cuts: list[tuple[int, int]]) -> tuple[int, int]:
        """How many records lie in front of the first end mark, and their bytes. They need no search for the time of the end."""
        start = max(0, self._clear - _MARK_MOST)
        end = min([at for mark in self._end_marks() if (at := data.find(mark, start)) >= 0], default=0)
        count = size = 0
        for length, _ in cuts if end else ():
            if size + length > end:
                break
            count, size = count + 1, size + length
        return count, size

    def _read(self, data: bytes, cuts: list[tuple[int, int]]) -> None:
        state = self.decoder.snapshot() if len(cuts) > 1 and self.decoder.held() < _PENDING_MOST else None
        events, heard, chunks = self.decoder.feed(data), self.heard, self.chunks
        if events:
            self._hear(events)
        text = self.heard - heard - _EVENT_COSTS * len(events)
        if 2 * text < len(data) or len(data) < 4 * _LINE_COSTS * len(events) or self.debt:  # not the usual events
            self._pay(data, len(events))
        if self.decoder.lost:
            self._damaged(KINDS.get(self.about.kind, UNKNOWN).lost)
        if events and self.reader is not None and self.reader.ended and (not self.ended or self.chunks > chunks):
            self.ended_ns = self._time_of_end(data, events, cuts, state)

    def _time_of_end(self, data: bytes, events: list[SseEvent], cuts: list[tuple[int, int]], state: Any) -> int:
        """When the record came whose bytes complete the event that ended the answer; `state` of the decoder before `data`."""
        if state is None:
            return cuts[-1][1]
        place, decoder_of, stop = self._place_of_end(events), KINDS.get(self.about.kind, UNKNOWN).decoder, len(data)
        for size, time_ns in cuts[: -_LAST_RECORDS - 1 : -1]:  # it is in one of the last, as a rule
            stop -= size
            decoder = decoder_of()
            decoder.restore(state)
            if len(decoder.feed(data[:stop])) <= place:
                return time_ns
        decoder, times, at = decoder_of(), list[int](), 0
        decoder.restore(state)
        for size, time_ns in cuts:
            times += [time_ns] * len(decoder.feed(data[at : at + size]))
            at += size
        return times[place]

    def _place_of_end(self, events: list[SseEvent]) -> int:
        assert self.provider is not None
        reader, first = self.provider.reader(), max(0, len(events) - _LAST_EVENTS)
        reader.feed_all(events[:first])
        if reader.ended:
            reader, first = self.provider.reader(), 0
        place, ended = len(events) - 1, False
        for at, event in enumerate(events[first:], first):
            content = reader.feed(event)
            if reader.ended and (content or not ended):
                place = at
            ended = reader.ended
        return place

    def _choose_decoder(self, begun: bytes) -> None:
        kind = kind_in_fact(self.about.kind, begun)
        if kind != self.about.kind:
            self.about = replace(self.about, kind=kind)
            self.decoder = KINDS[kind].decoder()

    def _pay(self, data: bytes, events: int) -> None:
        """Enter what the lines of `data` cost, against its bytes."""
        lines = max(data.count(b"\n"), data.count(b"\r"), events)
        self.debt = max(0, self.debt + _LINE_COSTS * lines - len(data))
        if self.debt > _DEBT_MOST:
            self._damaged("stream_limit")

    def hear(self, event: SseEvent, now_ns: int, size: int) -> None:
        """Take one event, which was `size` bytes on the wire."""
        self.emitted = False
        self.size += size
        self.last_ns = now_ns
        self._hear([event])

    def _hear(self, events: list[SseEvent]) -> None:
        before = self.heard
        self.heard += _EVENT_COSTS * len(events) + sum([len(event.data) + len(event.event) for event in events])
        kept = events if self.heard <= _EVENTS_MOST else _first(events, _EVENTS_MOST - before)
        self.events += kept
        self.events_lost += len(events) - len(kept)
        if self.heard > _READ_MOST:
            self._damaged("stream_limit")
            events = _first(events, _READ_MOST - before)
        reader = self.reader or self._recognise(events, kept)
        if reader is not None:
            self.chunks += reader.feed_all(events)
            if self.chunks and not self.first_chunk_ns:
                self.first_chunk_ns = self.last_ns

    def _recognise(self, events: list[SseEvent], kept: list[SseEvent]) -> StreamReader | None:
        """The reader of the provider that sends such events, fed the earlier events of the stream."""
        self.provider = next((provider for event in events if (provider := dialect_of(event))), None)
        if self.provider is not None:
            self.reader = self.provider.reader()
            self.reader.feed_all(self.events[: len(self.events) - len(kept)])
        return self.reader

    def message(self, reason: str | None) -> SseMessage:
        """Everything so far, as one message."""
        self.drain()
        about = self.about
        size = self.size - self.decoder.held() - self.decoder.lost - self.skipped
        made = SseMessage(
            about.origin,
            about.exchange,
            dialect=self.provider.name if self.provider else "",
            reply=self._reply(),
            events=tuple(self.events),
            end_ns=self.ended_ns if self.ended else self.last_ns,
            first_chunk_ns=self.first_chunk_ns,
            chunks=self.chunks,
            complete=reason is None,
            reason=reason,
            revision=self.revision,
            size=size,
            method=about.method,
            target=about.target,
            host=about.host,
            status=self.status or about.status,
            events_lost=self.events_lost,
            trailers=self.trailers,
            inferred=about.inferred,
        )
        self.revision += 1
        self.size -= size
        self._drained = self.size
        self.emitted = True
        self.reason = reason
        return made

    def _reply(self) -> Reply:
        """What was read, and in a call of a model the names of the events that were not."""
        if self.reader is None or self.provider is None:
            return Reply()
        reply, unread = self.reader.reply(), self.reader.unread if self.provider.path is not None else ()
        if not (unread or reply.unknown) and self.ended and self._reason_if_ended() == NOT_UNDERSTOOD:
            unread = (BODY,)  # nothing but its end mark was read
        return replace(reply, unknown=(*reply.unknown, *unread)) if unread else reply

    @property
    def ended(self) -> bool:
        """The end of the answer was read."""
        return self.ended_ns >= 0

    def is_due(self) -> bool:
        """The answer has ended, and no message has said so."""
        if self.revision:
            return False
        if self._looked < len(self._pending) and self._may_end():
            self.drain()
        return self.ended_ns >= 0

    def _may_end(self) -> bool:
        """
        Whether the end of the answer may be in the pending bytes. Marks of its dialect are looked for in each byte once. So an
        answer is read many records at a time, also where few come in a step of time.
        """
        if not self._marks or len(self._cuts) >= _RECORDS_MOST:
            return True
        new = self._behind + b"".join(self._pending[self._looked :])
        for mark in self._marks:
            if new.find(mark) >= 0:
                return True
        self._looked = len(self._pending)
        self._clear += len(new) - len(self._behind)
        self._behind = new[-_MARK_MOST:]
        return False

    def reason_in_silence(self) -> str | None:
        """Why it is not complete where nothing comes any more."""
        self.drain()
        return self._reason_if_ended() if self.ended else "timeout"

    def _reason_if_ended(self) -> str | None:
        """Why an answer that has ended is not complete: bytes are missing, or nothing in it was understood."""
        reader, provider = self.reader, self.provider
        if self.damage or reader is None or provider is None or provider.path is None:
            return self.damage
        return None if reader.understood else NOT_UNDERSTOOD

    def loss(self) -> list[HttpEvent]:
        """The bytes that the decoder dropped, once the stream has ended: no message accounts for them."""
        if not self.size:
            return []
        note = "a flood of tiny events" if self.skipped else "an event was cut or too long"
        return [Loss(self.about.origin, "merge_sse", reason=Reason.MALFORMED, count=1, size=self.size, note=note)]

    def cut(self, reason: str) -> list[HttpEvent]:
        """The rest of a stream whose end was not captured."""
        self.drain()
        self.decoder.finish()
        self._end_without_mark(reason)
        rest: list[HttpEvent] = [] if self.emitted else [self.message(self._reason_if_ended() if self.ended else reason)]
        return rest + self.loss()

    def _read_plain(self) -> None:
        """What was announced as a stream may be one plain answer."""
        if self.provider is not None and self.reader is not None and not self.events_lost:
            plain = plain_answer(self.provider, self.reader, self.events)
            if plain is not None:
                self.reader.take_whole(plain)
                self.ended_ns = self.last_ns

    def _end_without_mark(self, reason: str | None) -> None:
        """Whoever hangs up behind the finish reasons and the counts has the answer, without its end mark."""
        whole = self.reader is not None and self.reader.has_answered and not (self.damage or self.events_lost)
        if not self.ended and whole and reason in _HANG_UPS:
            self.ended_ns = self.last_ns

    def end(self, last: BodyPart) -> list[HttpEvent]:
        """
        The body has ended. Where the answer had ended before, nothing else needs to be said; but `last` is handed on where it
        says that the body did not end as it should.
        """
        self.drain()
        cut = self.decoder.finish()
        self._read_plain()
        self._end_without_mark(last.reason)
        reason = self._reason_if_ended() if self.ended else self._reason_at_end(last, cut=cut)
        is_new = not self.emitted or reason != self.reason
        said: list[HttpEvent] = [self.message(reason)] if is_new else []
        if self.ended and last.reason:
            said.append(replace(last, data=b"", lost=0, size=0, encoding="", trailers=(), cuts=()))
        return said + self.loss()

    def _reason_at_end(self, last: BodyPart, *, cut: bool) -> str | None:
        """Why the message is not complete, if it is not: the body's own reason, a hole, or no end mark."""
        if self.damage:  # bytes that could not be decompressed are missing too, and that reason says more
            return last.reason if (last.reason or "").startswith("coding_") else self.damage
        if last.reason:
            return last.reason
        return "no_end_mark" if cut or (self.reader is not None and not self.reader.finished_choices) else None

    def kept(self) -> int:
        """About how many bytes of memory: events are kept as they came and as their content."""
        return min(self.heard, _EVENTS_MOST) + min(self.heard, _READ_MOST) + self.size

    def snapshot(self) -> EventStreamState:
        self.drain()
        return EventStreamState(
            about=self.about,
            decoder=msgspec.msgpack.encode(self.decoder.snapshot()),
            events=self.events,
            provider=self.provider.name if self.provider else None,
            reader=self.reader.snapshot() if self.reader else b"",
            size=self.size,
            last_ns=self.last_ns,
            first_chunk_ns=self.first_chunk_ns,
            chunks=self.chunks,
            revision=self.revision,
            damage=self.damage,
            emitted=self.emitted,
            status=self.status,
            events_lost=self.events_lost,
            heard=self.heard,
            trailers=self.trailers,
            debt=self.debt,
            skipped=self.skipped,
            progress=self.progress,
            ended_ns=self.ended_ns,
            reason=self.reason,
            opened=self.opened,
        )


def restored(state: EventStreamState) -> EventStream:
    """The stream that a snapshot holds."""
    stream = EventStream(state.about)
    stream.decoder.restore(msgspec.msgpack.decode(state.decoder))
    stream.events = state.events
    stream.provider = provider_named(state.provider)
    stream.reader = stream.provider.reader() if stream.provider else None
    if stream.reader is not None:
        stream.reader.restore(state.reader)
    stream.size, stream.trailers, stream.status, stream.last_ns = state.size, state.trailers, state.status, state.last_ns
    stream.first_chunk_ns, stream.chunks, stream.revision = state.first_chunk_ns, state.chunks, state.revision
    stream.damage, stream.emitted, stream.progress = state.damage, state.emitted, state.progress
    stream.ended_ns, stream.reason, stream.opened = state.ended_ns, state.reason, state.opened
    stream.events_lost, stream.heard, stream.debt, stream.skipped = state.events_lost, state.heard, state.debt, state.skipped
    return stream


def _first(events: list[SseEvent], room: int) -> list[SseEvent]:
    """The first events, up to `room` bytes of data in all."""
    for place, event in enumerate(events):
        room -= _EVENT_COSTS + len(event.data) + len(event.event)
        if room < 0:
            return events[:place]
    return events
