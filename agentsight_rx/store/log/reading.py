"""
A store -> the events of its log, all, one, or the events of an exchange; and the view after them, from which a run continues.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from msgspec import Raw, Struct
from msgspec.structs import replace

from ...core.errors import StoreError
from ...events import Event, HttpRequest, HttpResponse, SseMessage
from ...policy.rules.guard.values import Rules
from ..fold.fold import Fold, FoldState
from ..fold.guard.talk import Priced
from ..rows.kinds import Row
from ..rows.tables import EXCHANGES, HEADS, LOG, SEGMENTS, Position
from ..state import Store, Table, pages
from .checkpoints import CHECKPOINT
from .parts import LogReader, message_key

__all__ = [
    "Exchange",
    "Resumed",
    "event_at",
    "read_event_count",
    "read_events",
    "read_events_of_now",
    "read_exchange",
    "resume",
]


class Exchange(Struct, frozen=True):
    """The messages of one exchange, whole, as far as they were seen. An answer that was streamed is in `stream`."""

    request: HttpRequest | None = None
    response: HttpResponse | None = None
    stream: SseMessage | None = None


class Resumed(Struct, frozen=True):
    """
    The view after all events of a log: its state, and the rows of the last event, which may not have been committed with it.
    """

    state: FoldState
    rows: tuple[Row, ...] = ()


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


def resume(store: Store, rules: Rules | None = None, *, priced: Priced | None = None, follows: bool = False) -> Resumed | None:
    """
    The view after the events of the log, folded from the last checkpoint on; None for an empty log. `rules` are for a
    guard, which `follows` the rules that were loaded then. The new run begins with the given rules.
    """
    try:
        checkpoint = store.get(CHECKPOINT, 0)
    except StoreError:  # of a release whose view keeps something else: all of the log says the same
        checkpoint = None
    fold, rows, seen = Fold(rules, priced=priced, follows=follows), list[Row](), checkpoint is not None
    if checkpoint is not None:
        fold.restore(checkpoint.state)
    for event in read_events(store, segment=checkpoint.segment if checkpoint else 0):
        rows, seen = fold.add(event), True
    rows = [*rows, *fold.settle()]
    return Resumed(_for_new_run(fold.snapshot()), tuple(rows)) if seen else None


def _for_new_run(state: FoldState) -> FoldState:
    """What ended in the old run says nothing of this one: a run that sends the same events again has the same numbers."""
    views = state.views
    guard = views.guard and replace(views.guard, loaded="")
    return replace(state, views=replace(views, calls=replace(views.calls, done=[]), guard=guard))
