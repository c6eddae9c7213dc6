"""Events <-> segments of the event log: whole contents are in packs, each once, and a segment has their ranges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from ...events import Event, HttpRequest, HttpResponse, Reply, SessionEntry, SseEvent, SseMessage, milliseconds
from ...llm import provider_named
from ..rows.ids import at_host, call_id, said_id
from ..rows.tables import EXCHANGES, HEADS, LOG, SEGMENTS, Head, Position
from ..state import PackReader, PackWriter, Put, Store, Table, Write, compress, decompress

# -- contents ------------------------------------------------------------------------------------------------------
# An event <-> the event without its long contents, and those contents, so that a store keeps each of them once.


SHORTEST = 512  # bytes or characters; what is shorter stays in the event
_EVENTS, _ANSWER = "events", "answer"  # of an SseMessage: its events; its events, which say all of its reply

_Stream = list[tuple[str, str, str | None]]


@cache
def _fields(kind: type[Struct]) -> dict[str, type]:
    """The fields with captured text of a kind, and bytes or str. Asking for all kinds takes 4 ms of a start."""
    return {field.name: field.type for field in msgspec.structs.fields(kind) if field.type in (bytes, str)}


class Content(Struct, frozen=True, array_like=True):
    """What stood in one field of an event."""

    field: str
    content: bytes


def without_contents(event: Event, /) -> tuple[Event, list[Content]]:
    """The event with its long contents taken out."""
    if type(event) is SseMessage:
        return _without_stream(event)
    fields = [name for name in _fields(type(event)) if len(getattr(event, name)) >= SHORTEST]
    if not fields:
        return event, []
    contents = [Content(name, _bytes(getattr(event, name))) for name in fields]
    empty: dict[str, Any] = {name: type(getattr(event, name))() for name in fields}
    return replace(event, **empty), contents


def with_contents(event: Event, contents: list[Content], /) -> Event:
    """What `without_contents` was given."""
    if isinstance(event, SseMessage):
        (stream,) = contents
        events = tuple(SseEvent(*each) for each in msgspec.msgpack.decode(stream.content, type=_Stream))
        return replace(event, events=events, reply=_said(event, events) if stream.field == _ANSWER else event.reply)
    kinds = _fields(type(event))
    values: dict[str, Any] = {
        each.field: each.content.decode() if kinds.get(each.field) is str else each.content for each in contents
    }
    return replace(event, **values)


def _without_stream(event: SseMessage) -> tuple[Event, list[Content]]:
    """The reply is put together again from the events, where that gives the same one."""
    if not event.events:
        return event, []
    stream = msgspec.msgpack.encode([(each.event, each.data, each.id) for each in event.events])
    if _said(event, event.events) == event.reply:
        return replace(event, events=(), reply=Reply()), [Content(_ANSWER, stream)]
    return replace(event, events=()), [Content(_EVENTS, stream)]


def _said(event: SseMessage, events: tuple[SseEvent, ...]) -> Reply:
    provider = provider_named(event.dialect)
    if provider is None:
        return Reply()
    reader = provider.reader()
    reader.feed_all(events)
    return reader.reply()


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


# ------------------------------------------------------------------------------------------------------------------------


EVENTS_MOST = 512  # in one segment: one LMDB value, which takes the GIL once
# By what the messages of an exchange are found
_KINDS: dict[type[Event], str] = {HttpRequest: "request", HttpResponse: "response", SseMessage: "stream"}


class _Place(Struct, frozen=True, array_like=True):
    """The content of one field of one event of the segment."""

    event: int
    field: str
    ranges: tuple[int, ...]


class _Part(Struct, frozen=True, array_like=True):
    """A segment: its events without long contents, each as msgpack, and where these are."""

    events: list[Raw]
    places: list[_Place]


T = TypeVar("T")

_NUMBERED: tuple[Table[Any], ...] = (SEGMENTS, HEADS)
_part = msgspec.msgpack.Decoder(_Part)
_event: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)


class _Tail(Struct):
    """The segment that is open: each commit writes it again, until it is full."""

    number: int
    events: list[Raw]
    places: list[_Place]
    first_ms: int = 0
    last_ms: int = 0

    def copy(self) -> _Tail:
        return _Tail(self.number, self.events.copy(), self.places.copy(), self.first_ms, self.last_ms)

    def add(self, event: Event, raw: Raw) -> None:
        time_ms = milliseconds(event.origin.wall_ns)
        if time_ms > 0:
            self.first_ms = min(self.first_ms, time_ms) if self.first_ms else time_ms
            self.last_ms = max(self.last_ms, time_ms)
        self.events.append(raw)

    def writes(self, *, full: bool) -> list[Write]:
        packs = sorted({pack for place in self.places for pack in place.ranges[::3]})
        head = Head(len(self.events), self.first_ms, self.last_ms, tuple(packs))
        part = compress(msgspec.msgpack.encode(_Part(self.events, self.places)), full=full)
        return [Put(LOG, self.number, part), Put(HEADS, self.number, head)]


def message_key(event: Event, /) -> tuple[str, str] | None:
    """
    What a message of an exchange is found by: the id of its call, and its kind. An entry of a session file is found by the id
    of its session, and its place in the order of reading. None for other events.
    """
    if isinstance(event, SessionEntry):
        return said_id(event.session, ""), f"{event.origin.time_ns:020}"
    if isinstance(event, HttpRequest | HttpResponse | SseMessage):
        return call_id(event.origin, event.exchange), _KINDS[type(event)]
    return None


class LogWriter:
    """
    Appends to the log of a store, as events of `host` where that is given. The writes of `append` are to be committed; then
    `keep` is called, or `undo` where it failed.
    """

    def __init__(self, store: Store, host: str = "") -> None:
        self._host = host
        keys = [key for table in _NUMBERED for key, _ in store.scan(table, reverse=True, limit=1)]
        self.first = max((int(key[0]) + 1 for key in keys), default=0)
        self._packs = PackWriter(store)
        self._tail = _Tail(self.first, [], [])
        self._kept = self._tail.copy()

    def append(self, events: Sequence[Event], /) -> list[Write]:
        writes: list[Write] = []
        tail = self._tail
        for event in events:
            if len(tail.events) >= EVENTS_MOST:
                writes += tail.writes(full=True)
                self._tail = tail = _Tail(tail.number + 1, [], [])
            rest, contents = without_contents(event)
            place = len(tail.events)
            again = type(event) is HttpRequest  # agents send a conversation again with each turn
            tail.places += [_Place(place, each.field, self._packs.add(each.content, is_resent=again)) for each in contents]
            tail.add(event, Raw(msgspec.msgpack.encode(rest)))
            key = message_key(event)
            if key is not None:
                named = (at_host(self._host, key[0]), key[1]) if self._host else key
                writes.append(Put(EXCHANGES, named, Position(tail.number, place)))
        if events:
            writes += tail.writes(full=len(tail.events) >= EVENTS_MOST)
        return [*self._packs.writes(), *writes]

    def closed(self) -> list[Write]:
        """The open segment and pack, as they stay where nothing more is appended: a later run begins new ones."""
        return [*self._packs.closed(), *(self._tail.writes(full=True) if self._tail.events else [])]

    def seal(self) -> int:
        """Begin a new segment with the next event, and return its number."""
        if self._tail.events:
            self._tail = _Tail(self._tail.number + 1, [], [])
        return self._tail.number

    def keep(self) -> None:
        self._packs.keep()
        self._kept = self._tail.copy()

    def undo(self) -> None:
        self._packs.undo()
        self._tail = self._kept.copy()

    @property
    def packs(self) -> PackWriter:
        return self._packs

    @property
    def open(self) -> int:
        """The number of the segment that is open."""
        return self._tail.number


class LogReader:
    """Segments of a store -> events."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._packs = PackReader(store)

    def segment(self, part: bytes, /) -> list[Event]:
        """The events of a row of LOG."""
        decoded = _part.decode(decompress(part))
        contents = _contents(decoded)
        return [self._event(raw, contents.get(place)) for place, raw in enumerate(decoded.events)]

    def shorter(self, part: bytes, most: int, /) -> list[Event | None]:
        """As `segment`, with None for events whose content has more than `most` bytes, which is not read."""
        decoded = _part.decode(decompress(part))
        contents = _contents(decoded)

        def is_short(place: int) -> bool:
            return sum(sum(each.ranges[2::3]) for each in contents.get(place, ())) <= most

        return [self._event(raw, contents.get(place)) if is_short(place) else None for place, raw in enumerate(decoded.events)]

    def event(self, part: bytes, place: int, /) -> Event | None:
        """One of them."""
        return next(self.some(part, (place,)))

    def some(self, part: bytes, places: Iterable[int], /) -> Iterator[Event | None]:
        """The events at these places; None where there is none."""
        decoded = _part.decode(decompress(part))
        contents = _contents(decoded)
        for place in places:
            yield self._event(decoded.events[place], contents.get(place)) if place < len(decoded.events) else None

    def each(self, places: Sequence[tuple[Position, T]], /) -> Iterator[tuple[T, Event]]:
        """The events at these places, which are in order, each with what stands beside it."""
        for number, here in groupby(places, key=lambda place: place[0].segment):
            part, each = self._store.get(LOG, number), list(here)
            if part is None:
                continue
            found = self.some(part, [position.place for position, _ in each])
            yield from ((named, event) for (_, named), event in zip(each, found, strict=True) if event is not None)

    def messages(self, number: int, part: bytes, /) -> list[tuple[tuple[str, str], Position]]:
        """The keys that EXCHANGES may have for events of this segment, and where these are."""
        events = enumerate(map(_event.decode, _part.decode(decompress(part)).events))
        return [(key, Position(number, place)) for place, event in events if (key := message_key(event)) is not None]

    def _event(self, raw: Raw, places: list[_Place] | None) -> Event:
        event = _event.decode(raw)
        if places is None:
            return event
        return with_contents(event, [Content(place.field, self._packs.read(place.ranges)) for place in places])


def _contents(part: _Part) -> dict[int, list[_Place]]:
    found: dict[int, list[_Place]] = {}
    for place in part.places:
        found.setdefault(place.event, []).append(place)
    return found
