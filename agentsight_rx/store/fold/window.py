"""The events of the last seconds, and the state before some of them: so they can be read again in another order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Generic, TypeAlias, TypeVar

from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import Event
from ..rows.kind import key_of
from ..rows.kinds import HUNG_UP, AnyRow, AuditRow, CallRow, KeptRow, Row, RowGone
from ..state import Key
from .unprompted import OpenCall

# -- amended -------------------------------------------------------------------------------------------------------
# The rows of some events before and after one came late -> those to emit, so that who keeps rows has the newer ones.


Place: TypeAlias = tuple[type[AnyRow], Key]
Rows: TypeAlias = dict[Place, Row]  # the newest of each kind and key; a RowGone where it was removed


def place_of(row: Row, /) -> Place:
    kept = row.row if type(row) is RowGone else row
    return type(kept), key_of(kept)


def amended(was: Rows, now: Rows, known: Callable[[KeptRow], KeptRow | None], /) -> Iterator[Row]:
    """`known`: what the views know of what a row is about, where no event of these says anything of it any more."""
    for place, row in was.items():
        if not isinstance(row, RowGone) and place not in now:
            before = known(row)
            if before is None or place_of(before) != place:
                yield RowGone(row)
            elif before != row:
                yield from _instead(row, before)
    for place, row in now.items():
        old = was.get(place)
        if old == row:
            continue
        if old is None or isinstance(old, RowGone) or isinstance(row, RowGone):
            yield row
        else:
            yield from _instead(old, row)


def _instead(old: KeptRow, row: KeptRow) -> Iterator[Row]:
    """A row replaces the older row of its key. Lines of the audit trail are counted, so that the old one goes first."""
    if isinstance(row, AuditRow):
        yield RowGone(old)
    yield row


# -- behind --------------------------------------------------------------------------------------------------------
# Calls whose answer has ended while their body goes on: what comes behind the end still belongs to them.


_MOST = 64
_HANG_UPS = frozenset({"closed", "reset", "cancelled"})


class Behind(Recent[str, OpenCall]):
    """By the id of the call; `OpenCall.partial` is its row."""

    def __init__(self) -> None:
        super().__init__(_MOST)

    def row(self, key: str) -> CallRow | None:
        found = self.get(key)
        return found.partial if found is not None else None

    def ended(self, key: str, reason: str | None) -> list[CallRow]:
        """The body has ended, not as it should: the row with a note where the client hung up."""
        row = self.row(key)
        self.pop(key, None)
        return [replace(row, note=HUNG_UP)] if row is not None and reason in _HANG_UPS else []

    def close(self, connection: str) -> None:
        for key in [key for key, each in self.items() if each.connection == connection]:
            del self[key]


def judge(rows: Iterable[Row], *tables: MutableMapping[str, OpenCall]) -> None:
    """Calls that go on are asides, as the row of a later one shows."""
    for row in rows:
        for table in tables:
            if type(row) is CallRow and (each := table.get(row.id)) is not None:
                partial = each.partial and replace(each.partial, aside=row.aside)
                table[row.id] = replace(each, row=replace(each.row, aside=row.aside), partial=partial)


# ------------------------------------------------------------------------------------------------------------------------


S = TypeVar("S")

_WINDOW_MOST = 32_768  # events, 20 MB; with more the window is shorter
_HEAVIEST = 32 << 20  # bytes of their content
_PART = 512  # events between two states, if what is known is not much
_SHORT = 32  # and while something comes late now and then: what is before it is read again too
_PART_HEAVIEST = 4 << 20  # bytes of content in them


class Window(Generic[S]):
    """
    Events in the order in which they were read, in parts: before each one the state of all that is known was kept. A state
    costs as much as it has entries, so that where much is known the parts are longer.

    Whoever reads an event puts it and its moment (kernel ns) at the end, and begins another part where this one is full.
    """

    def __init__(self, state: Callable[[], tuple[S, int]]) -> None:
        self.events: list[Event] = []
        self.moments: list[int] = []
        self.full = _PART  # with so many events the newest part is full
        self._part = _PART
        self.keeps_all = False
        self._state = state  # of what is known now, and how many entries it has
        self._gone = 0  # events that are not kept any more
        self._starts = [0]  # the first event of each part, counted from the first of all
        self._states = [state()[0]]
        self._sizes = [0]  # bytes of content

    @property
    def count(self) -> int:
        """Events that were read so far, with those that are not kept any more."""
        return self._gone + len(self.events)

    def weigh(self, size: int) -> None:
        """The newest event has so many bytes of content."""
        self._sizes[-1] += size
        if self._sizes[-1] >= _PART_HEAVIEST:
            self.full = len(self.events)

    def go_on(self, old_ns: int) -> int:
        """
        Begin another part, and drop those that are older than `old_ns`. Where there is more than is kept, drop others too, and
        return the moment of the last event that was dropped; else 0.
        """
        self._begin()
        if self.keeps_all:
            return 0
        old, last, size = 0, len(self._starts) - 2, sum(self._sizes)
        while old < last and self._last_ns(old) < old_ns:
            size -= self._sizes[old]
            old += 1
        surplus = old
        while surplus < last and (size > _HEAVIEST or self.count - self._starts[surplus] > _WINDOW_MOST):
            size -= self._sizes[surplus]
            surplus += 1
        dropped_ns = self._last_ns(surplus - 1) if surplus > old else 0
        self._drop(surplus)
        return dropped_ns

    def forget(self, old_ns: int) -> None:
        """Drop the parts that are older than `old_ns`, where nothing new comes."""
        if self.moments and self.moments[-1] < old_ns:
            self.clear()
        elif len(self._starts) > 2 and self._last_ns(0) < old_ns:
            self._drop(1)

    def _begin(self) -> None:
        state, entries = self._state()
        self._starts.append(self.count)
        self._states.append(state)
        self._sizes.append(0)
        self.full = len(self.events) + max(self._part, entries)
        if not self.keeps_all:
            self._part = min(_PART, 2 * self._part)

    def _last_ns(self, part: int) -> int:
        return self.moments[self._starts[part + 1] - self._gone - 1]

    def _drop(self, parts: int) -> None:
        if parts:
            events = self._starts[parts] - self._gone
            del self.events[:events], self.moments[:events]
            del self._starts[:parts], self._states[:parts], self._sizes[:parts]
            self._gone += events
            self.full -= events

    def part_of(self, moment_ns: int) -> tuple[int, int]:
        """
        The part in which an event of that time has its place, and how many events there are from there on. What is of one time
        is never parted.
        """
        first = bisect_left(self.moments, moment_ns)
        part = len(self._starts) - 1
        while part and (self._starts[part] - self._gone > first or self._is_parted(part)):
            part -= 1
        return part, self.count - self._starts[part]

    def _is_parted(self, part: int) -> bool:
        start = self._starts[part] - self._gone
        return start < len(self.moments) and self.moments[start - 1] == self.moments[start]

    def since(self, part: int) -> list[tuple[int, Event]]:
        """The events from that part on, with their moments."""
        start = self._starts[part] - self._gone
        return list(zip(self.moments[start:], self.events[start:], strict=True))

    def take_back(self, part: int) -> S:
        """Forget all from that part on; the state before it."""
        start = self._starts[part] - self._gone
        del self.events[start:], self.moments[start:]
        del self._starts[part + 1 :], self._states[part + 1 :], self._sizes[part:]
        self._sizes.append(0)
        self._part = _SHORT
        self.full = start + _SHORT
        return self._states[part]

    def clear(self) -> None:
        """Keep what is known now, and none of the events."""
        self._begin()
        self._drop(len(self._starts) - 1)
