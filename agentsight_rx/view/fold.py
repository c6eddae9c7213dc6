"""
Event -> rows, as if all events had come in the order of time: what comes late amends the rows of what is later than it.

Readers are threads, and their records pass each other: on a slow machine the start of a program comes seconds behind the call
that asked for it. So the events of the last seconds are kept. Where one comes late, the views are taken back to its time, it and
all that is later is read again in order, and the rows that are different now are emitted again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from ..core.bounded import Recent
from ..events import Connection, Event
from ..state import Key
from .rows import AuditRow, Row, RowGone
from .tables import has_moved, place_of
from .views import Reader, Views, ViewsState
from .window import Window

__all__ = ["Fold", "FoldState"]

_WINDOW_NS = 6_000_000_000  # how long rows may still be amended: sources that are 5 s behind others, and what merge holds
_LATE_MOST = 4096  # events that wait
_FREE = 1024  # events that are read again at any time; further ones cost as many that are read for the first time
_TOLD_MOST = 1024  # connections
_STRANGE = 64  # events one after the other from before the window: the clock has started again, as after a reboot

_Timed: TypeAlias = tuple[int, Event]
_Rows: TypeAlias = dict[tuple[str, Key], Row]  # the newest of each table and key; a RowGone where it was removed
_MOMENT = itemgetter(0)


class FoldState(Struct, array_like=True):
    """What `Fold.snapshot` keeps: the views before the window, what is in it, what is late, and how far time is."""

    views: ViewsState
    window: list[_Timed] = []
    late: list[_Timed] = []
    newest_ns: int = 0
    horizon_ns: int = 0
    credit: int = 0
    strange: int = 0
    told: list[tuple[Connection, int]] = []


class Fold:
    """Keeps what is live or unfinished, and the last seconds. What has ended is only in the rows."""

    def __init__(self) -> None:
        self._views = Views()
        self._readers = self._views.readers
        self._window = Window(self._views.changes)
        self._same: list[Row] = []  # the rows of the newest moment
        self._late: list[_Timed] = []
        self._newest_ns = 0
        self._horizon_ns = 0  # what is older is too late
        self._looked = 0  # events that had been read when the views were taken back last
        self._ticked = 0
        self._strange = 0
        # events from before the window are read as if they had happened when they came: an answer that has been silent for long
        self.too_late = 0
        self._told: Recent[Connection, int] = Recent(_TOLD_MOST)  # and when that was, of connections

    def add(self, event: Event) -> list[Row]:
        """The rows that it adds or amends. Those of one that is late may come with the next event, or at a tick."""
        reader = self._readers.get(type(event))
        if reader is None:
            return []
        when = reader.moment
        if when is None:
            return reader.read(event)
        moment_ns = when(event)
        if self._told and event.origin.connection is not None:
            moment_ns = max(moment_ns, self._told.get(event.origin.connection, 0))
        if moment_ns < self._newest_ns:
            return self._past(event, moment_ns)
        if self._late and (amended := self._look_back()):
            return amended + self._next(event, moment_ns, reader)
        return self._next(event, moment_ns, reader)

    def _next(self, event: Event, moment_ns: int, reader: Reader) -> list[Row]:
        """Read what is not earlier than all before it."""
        rows = reader.read(event)
        window = self._window
        window.events.append(event)
        window.moments.append(moment_ns)
        if reader.size is not None:
            window.weigh(reader.size(event))
        if moment_ns == self._newest_ns:
            if reader.size is None:
                _number(rows, self._same)
            self._same = [*self._same, *rows]
        else:
            self._newest_ns, self._same = moment_ns, rows
        if len(window.events) >= window.full:
            self._horizon_ns = max(self._horizon_ns, window.go_on(moment_ns - _WINDOW_NS))
        return rows

    # -- what comes late -----------------------------------------------------------------------------------------------

    def _past(self, event: Event, moment_ns: int) -> list[Row]:
        """Something is known that is later. It waits until the next one, since late ones come together."""
        if moment_ns >= max(self._horizon_ns, self._newest_ns - _WINDOW_NS):
            self._strange = 0
            self._late.append((moment_ns, event))
            return self._look_back(at_once=True) if len(self._late) >= _LATE_MOST else []
        rows = self._look_back(at_once=True)
        self.too_late += 1
        self._strange += 1
        if self._strange < _STRANGE:
            if event.origin.connection is not None:  # what follows on it stays behind
                self._told.put(event.origin.connection, self._newest_ns)
            return rows + self._next(event, self._newest_ns, self._readers[type(event)])
        self._forget()
        return rows + self._next(event, moment_ns, self._readers[type(event)])

    def _look_back(self, *, at_once: bool = False) -> list[Row]:
        """Read what is late and all that is later again, in order; the rows that are amended by it."""
        if not self._late:
            return []
        late = sorted(self._late, key=_MOMENT)
        block = self._window.block_of(late[0][0])
        before = self._window.since(block)
        if not at_once and 2 * len(before) > _FREE + self._window.count - self._looked:
            return []
        self._late = []
        was, _ = self._read_again(block, before)
        now, failed = self._read_again(block, sorted(chain(before, late), key=_MOMENT))  # behind what has the same time
        self._looked = self._window.count
        if failed is not None:
            raise failed
        return list(self._amended(was, now))

    def _read_again(self, block: int, events: Iterable[_Timed]) -> tuple[_Rows, Exception | None]:
        """The newest rows, and why an event could not be read, which is left out."""
        self._newest_ns, self._same = self._window.take_back(block), []
        self._window.keeps_all = True
        self._views.reading_again(True)
        found: _Rows = {}
        failed: Exception | None = None
        for moment_ns, event in events:
            try:
                for row in self._next(event, moment_ns, self._readers[type(event)]):
                    found[place_of(row)] = row
            except Exception as error:
                failed = failed or error
        self._views.reading_again(False)
        self._window.keeps_all = False
        return found, failed

    def _amended(self, was: _Rows, now: _Rows) -> Iterator[Row]:
        for place, row in was.items():
            if place not in now and not isinstance(row, RowGone):
                known = self._views.known(row)
                if known is None or place_of(known) != place:
                    yield RowGone(row)
                elif known != row:
                    yield from _instead(row, known)
        for place, row in now.items():
            old = was.get(place)
            if old is None or isinstance(old, RowGone) or isinstance(row, RowGone):
                yield row
            elif old != row:
                yield from _instead(old, row)

    def tick(self) -> list[Row]:
        """Time goes on: what is late waits no longer than until nothing else comes."""
        if not self._late:
            return []
        ticked, self._ticked = self._ticked, self._window.count + len(self._late)
        return self._look_back(at_once=ticked == self._ticked)

    def settle(self) -> list[Row]:
        """What is late waits no longer, and later events amend nothing from before."""
        rows = self._look_back(at_once=True)
        self._forget()
        return rows

    def _forget(self) -> None:
        self._window.clear()
        self._newest_ns = self._horizon_ns = self._strange = 0
        self._same, self._looked = [], self._window.count
        self._told.clear()

    def finish(self) -> list[Row]:
        return self.settle() + self._views.finish()

    def snapshot(self) -> FoldState:
        window, newest_ns, same = self._window.since(0), self._newest_ns, self._same
        credit = self._window.count - self._looked
        self._window.take_back(0)
        views = self._views.snapshot()
        self._read_again(0, window)
        self._newest_ns, self._same, self._looked = newest_ns, same, self._window.count - credit
        late, told = list(self._late), list(self._told.items())
        return FoldState(views, window, late, newest_ns, self._horizon_ns, credit, self._strange, told)

    def restore(self, state: FoldState) -> None:
        self._views.restore(state.views)
        self._window.clear()
        self._read_again(0, state.window)
        self._late = list(state.late)
        self._newest_ns, self._horizon_ns, self._strange = state.newest_ns, state.horizon_ns, state.strange
        self._looked = self._window.count - state.credit
        self._told.update(state.told)


def _number(rows: list[Row], same: Sequence[Row]) -> None:
    """Of equal ids of the audit trail at one time the second is `…-2`."""
    ids = {row.id for row in same if type(row) is AuditRow}
    for place, row in enumerate(rows):
        if type(row) is AuditRow and row.id in ids:
            number = next(number for number in range(2, len(ids) + 2) if f"{row.id}-{number}" not in ids)
            rows[place] = replace(row, id=f"{row.id}-{number}")


def _instead(old: Row, row: Row) -> Iterator[Row]:
    """A row replaces that of its id. The old one goes first where it is found by what is not true any more, or is counted."""
    if isinstance(row, AuditRow) or has_moved(old, row):
        yield RowGone(old)
    yield row
