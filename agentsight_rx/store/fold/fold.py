"""
Event -> rows, as if all events had come in the order of time: what comes late amends the rows of what is later than it.

Readers are threads, and their records pass each other: on a slow machine the start of a program comes seconds behind the call
that asked for it. So the events of the last seconds are kept. Where one comes late, the views are taken back to its time, it
and all that is later is read again in order, and the rows that are different now are emitted again.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from operator import itemgetter
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import Connection, Event, SessionEntry
from ...policy.rules.guard.values import Rules
from ..rows.kinds import SEEN, AuditRow, Row
from .guard.talk import Priced
from .views import Size, Views, ViewsState
from .window import Rows, Window, amended, place_of

_WINDOW_NS = 6_000_000_000  # how long rows may still be amended: sources that are 5 s behind others, and what merge holds
_LATE_MOST = 4096  # events that wait
# Events that may be read again, which takes 3 us: as many as are read for the first time, and besides so many a second. What is
# not used is kept up to the most.
_AGAIN_A_SECOND, _AGAIN_MOST = 4_000, 32_768
_STAYING_MOST = 1024  # connections
_STRANGE = 64  # events one after the other from before the window: the clock has started again, as after a reboot
_NEVER = 1 << 64
_SMALL = 1024  # bytes: content that is not counted, since _MOST events with it are as heavy as the heaviest window

_Timed: TypeAlias = tuple[int, Event]
_MOMENT = itemgetter(0)


class FoldState(Struct, array_like=True):
    """What `Fold.snapshot` keeps: the views before the window, what is in it, and what is late."""

    views: ViewsState
    window: list[_Timed] = []
    late: list[_Timed] = []
    horizon_ns: int = 0
    credit: int = _AGAIN_MOST
    fresh: int = 0
    looked_ns: int = 0
    strange: int = 0
    staying: list[tuple[Connection, int]] = []
    seen_by: str = SEEN  # what comes next, as in Witness


class Fold:
    """
    Keeps live and unfinished items, and the last seconds. What has ended is only in the rows. The guard has
    these `rules`. Where it `follows`, rules that were loaded during the capture hold from there on.
    """

    def __init__(self, rules: Rules | None = None, *, priced: Priced | None = None, follows: bool = False) -> None:
        self._views = Views(rules, priced=priced, follows=follows)
        self._readers = self._views.readers
        self._window = Window(self._state)
        self._events, self._moments = self._window.events, self._window.moments
        self._put_event, self._put_moment = self._events.append, self._moments.append
        self._bar_ns = -1  # what is later is read as it comes: that of the newest event, _NEVER while something waits
        self._same: list[Row] = []  # the rows of the first event at the newest time
        self._ids_of: list[Row] | None = None  # the `_same` that `_ids` is about
        self._ids: dict[str, int] = {}  # ids of the audit trail at the newest time, each with the last number that it was given
        self._late: list[_Timed] = []
        self._oldest_ns = _NEVER  # of these
        self._horizon_ns = 0  # what is older is too late
        self._looked, self._looked_ns = 0, 0  # events that had been read when the views were taken back last, and when that was
        self._credit = _AGAIN_MOST  # events that could be read again then
        self._strange = 0
        # events from before the window are read as if they had happened when they came: an answer that was silent for long
        self.too_late = 0
        self._staying: Recent[Connection, int] = Recent(_STAYING_MOST)  # what comes on it later stays behind that time

    def add(self, event: Event) -> list[Row]:
        """The rows that it adds or amends. Those of one that is late may come with the next event, or at a tick."""
        reader = self._readers.get(type(event))
        if reader is None:
            return []
        read, when, size_of = reader
        if when is None:
            return read(event)
        moment_ns = when(event) or event.origin.time_ns
        bar_ns = self._bar_ns
        if moment_ns < bar_ns:
            return self._not_later(event, moment_ns)
        rows = read(event)  # as in _next, whose call would take as long as all of this
        if moment_ns != bar_ns:
            self._bar_ns, self._same = moment_ns, rows
        else:
            self._at_once(rows, size_of)
        self._put_event(event)
        self._put_moment(moment_ns)
        if size_of is not None and (size := size_of(event)) > _SMALL:
            self._window.weigh(size)
        if len(self._events) >= self._window.full:
            self._go_on()
        return rows

    def _next(self, event: Event, moment_ns: int) -> list[Row]:
        """Read an event that is not earlier than all before it."""
        reader = self._readers[type(event)]  # another one after rules that came late
        rows = reader.read(event)
        if moment_ns != self._newest_ns:
            self._same = rows
        else:
            self._at_once(rows, reader.size)
        self._put_event(event)
        self._put_moment(moment_ns)
        if reader.size is not None and (size := reader.size(event)) > _SMALL:
            self._window.weigh(size)
        if len(self._events) >= self._window.full:
            self._go_on()
        return rows

    def _at_once(self, rows: list[Row], size_of: Size | None) -> None:
        """Number equal ids of the audit trail at one time: the second is `…-2`."""
        ids = self._ids
        if self._ids_of is not self._same:
            self._ids_of = self._same
            self._ids = ids = {row.id: 1 for row in self._same if type(row) is AuditRow}
        for place, row in enumerate(rows):
            if type(row) is AuditRow:
                if size_of is None:
                    rows[place] = row = _numbered(row, ids)
                ids.setdefault(row.id, 1)

    @property
    def _newest_ns(self) -> int:
        return self._moments[-1] if self._moments else -1

    def _go_on(self) -> None:
        old_ns = self._newest_ns - _WINDOW_NS
        self._horizon_ns = max(self._horizon_ns, self._window.go_on(old_ns))
        if self._staying:
            for connection in [each for each, since_ns in self._staying.items() if since_ns < old_ns]:
                del self._staying[connection]
            self._set_bar()

    def _set_bar(self) -> None:
        self._bar_ns = _NEVER if self._late or self._staying else self._newest_ns

    def _state(self) -> tuple[ViewsState, int]:
        state = self._views.snapshot()
        return state, state.entries

    # -- what comes late -----------------------------------------------------------------------------------------------

    def _not_later(self, event: Event, moment_ns: int) -> list[Row]:
        """Something is known that is later, or waits: late ones come together, so that they are read together."""
        rows: list[Row] = []
        newest_ns = self._newest_ns
        if self._staying and event.origin.connection is not None:
            moment_ns = max(moment_ns, self._staying.get(event.origin.connection, 0))
        if moment_ns >= newest_ns:
            rows = self._look_back()
        elif moment_ns >= max(self._horizon_ns, newest_ns - _WINDOW_NS):
            self._strange = 0
            self._late.append((moment_ns, event))
            self._oldest_ns = min(self._oldest_ns, moment_ns)
            self._set_bar()
            return self._look_back(at_once=True) if len(self._late) >= _LATE_MOST else []
        else:
            rows = self._look_back(at_once=True)
            self.too_late += 1
            self._strange += 1
            if self._strange >= _STRANGE:
                self._forget()
            else:
                moment_ns = newest_ns
                if event.origin.connection is not None:
                    self._staying.put(event.origin.connection, newest_ns)
        read = self._next(event, moment_ns)
        self._set_bar()
        return rows + read if rows else read

    def _look_back(self, *, now_ns: int = 0, at_once: bool = False) -> list[Row]:
        """Read what is late and all that is later again, in order; the rows that are amended by it."""
        if not self._late:
            return []
        part, again = self._window.part_of(self._oldest_ns)
        now_ns = max(now_ns, self._newest_ns)
        credit = self._credit + self._window.count - self._looked
        credit = min(_AGAIN_MOST, credit + max(0, now_ns - self._looked_ns) * _AGAIN_A_SECOND // 10**9)
        if not at_once and again > credit:
            return []
        self._credit, self._looked_ns = max(0, credit - again), now_ns
        late, self._late = self._late, []
        since_ns, self._oldest_ns = self._oldest_ns, _NEVER
        before = self._window.since(part)
        was, _ = self._read_again(part, before, since_ns)
        now, failed = self._read_again(part, sorted(chain(before, late), key=_MOMENT), since_ns)  # a late one behind its equals
        self._looked = self._window.count
        if failed is not None:
            raise failed
        return list(amended(was, now, self._views.known))

    def _read_again(self, part: int, events: Iterable[_Timed], since_ns: int = _NEVER) -> tuple[Rows, Exception | None]:
        """
        The newest rows of the events from `since_ns` on, since earlier events say the same again. And why an event could not be
        read, which is left out.
        """
        self._take_back(part)
        self._window.keeps_all = True
        self._views.reading_again(True)
        found: Rows = {}
        failed: Exception | None = None
        for moment_ns, event in events:
            try:
                rows = self._next(event, moment_ns)
                if moment_ns >= since_ns:
                    found.update((place_of(row), row) for row in rows)
            except Exception as error:
                failed = failed or error
        self._views.reading_again(False)
        self._window.keeps_all = False
        self._set_bar()
        return found, failed

    def _take_back(self, part: int) -> ViewsState:
        state = self._window.take_back(part)
        self._same = []
        self._views.restore(state)
        return state

    def tick(self, now_ns: int) -> list[Row]:
        """Time goes on: what is late need not wait for another event, and what is old is not kept."""
        if self._late:
            return self._look_back(now_ns=now_ns)
        self._window.forget(now_ns - _WINDOW_NS)
        return []

    def settle(self) -> list[Row]:
        """What is late waits no longer, and later events amend nothing from before."""
        rows = self._look_back(at_once=True)
        self._forget()
        return rows

    def _forget(self) -> None:
        self._window.clear()
        self._horizon_ns = self._strange = 0
        self._same, self._looked, self._looked_ns, self._credit = [], self._window.count, 0, _AGAIN_MOST
        self._staying.clear()
        self._set_bar()

    def finish(self) -> list[Row]:
        return self.settle() + self._views.finish()

    def snapshot(self) -> FoldState:
        if not self._late and {*map(type, self._events)} == {SessionEntry}:
            self._forget()  # they come in order, so nothing amends what was read
        window, fresh = self._window.since(0), self._window.count - self._looked
        views = self._take_back(0)
        self._read_again(0, window)
        self._looked = self._window.count - fresh
        return FoldState(
            views,
            window,
            late=list(self._late),
            horizon_ns=self._horizon_ns,
            credit=self._credit,
            fresh=fresh,
            looked_ns=self._looked_ns,
            strange=self._strange,
            staying=list(self._staying.items()),
        )

    def restore(self, state: FoldState) -> None:
        self._views.restore(state.views)
        self._window.clear()
        self._read_again(0, state.window)
        self._late, self._horizon_ns, self._strange = list(state.late), state.horizon_ns, state.strange
        self._oldest_ns = min(map(_MOMENT, self._late), default=_NEVER)
        self._looked, self._looked_ns = self._window.count - state.fresh, state.looked_ns
        self._credit = state.credit
        self._staying.update(state.staying)
        self._set_bar()


def _numbered(row: AuditRow, ids: dict[str, int]) -> AuditRow:
    id, number = row.id, ids.get(row.id, 1)
    while id in ids:
        number += 1
        id = f"{row.id}-{number}"
    if id == row.id:
        return row
    ids[row.id] = number
    return replace(row, id=id)
