"""A store -> the events of its log, all, one, or the events of an exchange."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from msgspec import Raw, Struct

from ...events import Event, HttpRequest, HttpResponse, SseMessage
from ...llm import call_of
from ...llm.canonical import LlmCall
from ..rows.tables import EXCHANGES, HEADS, LOG, SEGMENTS, Position
from ..state import Store, Table, pages
from .parts import LogReader, message_key


class Exchange(Struct, frozen=True):
    """The messages of one exchange, whole, as far as they were seen. An answer that was streamed is in `stream`."""

    request: HttpRequest | None = None
    response: HttpResponse | None = None
    stream: SseMessage | None = None

    @property
    def answer(self) -> HttpResponse | SseMessage | None:
        """The whole stream, where the response was streamed."""
        return self.stream or self.response

    def call(self, dialect: str | None, /) -> LlmCall | None:
        """The call of a model that it is; None where it is none, or where no message of it is there."""
        return call_of(self.request, self.answer, dialect=dialect)


class _Length(Struct):
    """A Segment whose events are counted and not decoded."""

    events: tuple[Raw, ...]


_NO_SEGMENT = (1 << 64) - 1  # behind the last one
_LENGTHS = Table(SEGMENTS.name, _Length)


def read_events(store: Store, *, segment: int = 0) -> Iterator[Event]:
    """The event log from that segment on, a segment at a time."""
    reader, number = LogReader(store), segment
    while found := store.scan(SEGMENTS, start=number, limit=1):  # of schema version 1
        key, old = found[0]
        yield from old.events
        number = int(key[0]) + 1
    while parts := store.scan(LOG, start=number, limit=1):
        key, part = parts[0]
        yield from reader.segment(part)
        number = int(key[0]) + 1


def read_events_of_now(store: Store, *, since_ms: int | None = None) -> Iterator[Event]:
    """
    The events that are there now: the log of a recording that goes on has no end. Segments that ended before `since_ms` (Unix
    time) are not read.
    """
    first = 0
    if since_ms is not None and not store.scan(SEGMENTS, limit=1):  # segments of version 1 have no heads
        first = next((int(key[0]) for key, head in pages(store, HEADS) if head.last_ms >= since_ms), _NO_SEGMENT)
    return islice(read_events(store, segment=first), read_event_count(store))


def read_event_count(store: Store) -> int:
    """How many events are in the log."""
    old = sum(len(segment.events) for _, segment in pages(store, _LENGTHS))
    return old + sum(head.events for _, head in pages(store, HEADS))


def event_at(store: Store, position: Position) -> Event | None:
    """The event at a place in the log; None where it is not, or no longer, there."""
    part = store.get(LOG, position.segment)
    return None if part is None else LogReader(store).event(part, position.place)


def read_exchange(store: Store, call: str) -> Exchange:
    """The messages of the call of that id (`view.ids.call_id`), with all of their content."""
    found = dict(_messages(store, call))
    request, response, stream = (found.get(kind) for kind in ("request", "response", "stream"))
    return Exchange(
        request if isinstance(request, HttpRequest) else None,
        response if isinstance(response, HttpResponse) else None,
        stream if isinstance(stream, SseMessage) else None,
    )


def _messages(store: Store, call: str) -> Iterator[tuple[str, Event | None]]:
    if store.indexed:
        yield from ((str(key[1]), event_at(store, position)) for key, position in store.scan(EXCHANGES, prefix=call))
        return
    for event in read_events(store):
        key = message_key(event)
        if key is not None and key[0] == call:
            yield key[1], event


# -- requests ------------------------------------------------------------------------------------------------------
# Ids of calls -> their requests, in the order of the log. What many of them have in common is read once.


_REQUEST = "request"


def read_requests(store: Store, calls: Collection[str], /) -> Iterator[tuple[str, HttpRequest]]:
    """The id of each call whose request is in the log, and the request, whole."""
    if not store.indexed:
        wanted = frozenset(calls)
        for event in read_events(store):
            key = message_key(event) if isinstance(event, HttpRequest) else None
            if key is not None and key[0] in wanted and isinstance(event, HttpRequest):
                yield key[0], event
        return
    places = sorted(
        ((position, call) for call in calls for key, position in store.scan(EXCHANGES, prefix=call) if key[1] == _REQUEST),
        key=lambda place: (place[0].segment, place[0].place),
    )
    for call, request in LogReader(store).each(places):
        if isinstance(request, HttpRequest):
            yield call, request
