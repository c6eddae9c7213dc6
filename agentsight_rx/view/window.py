"""The events of the last seconds, and what the views changed for each: so they can be read again in another order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from ..events import Event
from .past import Changes, take_back

__all__ = ["Window"]

_MOST = 32_768  # events, 20 MB; with more the window is shorter
_HEAVIEST = 32 << 20  # bytes of their content
_BLOCK = 64  # events that are read again together: a mark for each one would take as long as to read it
_BLOCK_HEAVIEST = 1 << 20  # bytes of content in them


class Window:
    """
    Events in the order in which they were read, in blocks: what was changed since the begin of each block can be taken back.
    Whoever reads an event puts it and its moment (kernel ns) at the end, and goes on to another block where this one is full.
    """

    def __init__(self, changes: Changes) -> None:
        self.events: list[Event] = []
        self.moments: list[int] = []
        self.full = _BLOCK  # with so many events the newest block is full
        self.keeps_all = False
        self._changes = changes
        self._gone_events = self._gone_changes = 0
        self._starts = [0]  # the first event of each block, counted from the first of all
        self._marks = [0]  # and its first change
        self._sizes = [0]  # and its bytes of content

    @property
    def count(self) -> int:
        """Events that were read so far, with those that are not kept any more."""
        return self._gone_events + len(self.events)

    def weigh(self, size: int) -> None:
        """The newest event has so many bytes of content."""
        self._sizes[-1] += size
        if self._sizes[-1] >= _BLOCK_HEAVIEST:
            self.full = len(self.events)

    def go_on(self, old_ns: int) -> int:
        """
        Begin another block, and drop those that are older than `old_ns`. Where there is more than is kept, drop others too, and
        return the moment of the last that was dropped; else 0.
        """
        self._begin()
        if self.keeps_all:
            return 0
        old = surplus = 0
        size, last = sum(self._sizes), len(self._starts) - 2
        while old < last and self._last_ns(old) < old_ns:
            size -= self._sizes[old]
            old += 1
        surplus = old
        while surplus < last and (size > _HEAVIEST or self.count - self._starts[surplus] > _MOST):
            size -= self._sizes[surplus]
            surplus += 1
        if surplus == old and old < 8:  # a few at a time: what stays is moved
            return 0
        dropped_ns = self._last_ns(surplus - 1) if surplus > old else 0
        self._drop(surplus)
        return dropped_ns

    def _begin(self) -> None:
        self._starts.append(self.count)
        self._marks.append(self._gone_changes + len(self._changes))
        self._sizes.append(0)
        self.full = len(self.events) + _BLOCK

    def _last_ns(self, block: int) -> int:
        return self.moments[self._starts[block + 1] - self._gone_events - 1]

    def _drop(self, blocks: int) -> None:
        events, changes = self._starts[blocks] - self._gone_events, self._marks[blocks] - self._gone_changes
        del self.events[:events], self.moments[:events], self._changes[:changes]
        del self._starts[:blocks], self._marks[:blocks], self._sizes[:blocks]
        self._gone_events += events
        self._gone_changes += changes
        self.full -= events

    def block_of(self, moment_ns: int) -> int:
        """The block in which an event of that time has its place. What is of one time is never parted."""
        first = bisect_left(self.moments, moment_ns)
        block = bisect_right(self._starts, self._gone_events + first) - 1
        while block and self._is_parted(block):
            block -= 1
        return block

    def _is_parted(self, block: int) -> bool:
        start = self._starts[block] - self._gone_events
        return start < len(self.moments) and self.moments[start - 1] == self.moments[start]

    def since(self, block: int) -> list[tuple[int, Event]]:
        """The events from that block on, with their moments."""
        start = self._starts[block] - self._gone_events
        return list(zip(self.moments[start:], self.events[start:], strict=True))

    def take_back(self, block: int) -> int:
        """Take back all from that block on; returns the moment of the event before it, 0 where none is known."""
        take_back(self._changes, self._marks[block] - self._gone_changes)
        start = self._starts[block] - self._gone_events
        del self.events[start:], self.moments[start:]
        del self._starts[block + 1 :], self._marks[block + 1 :], self._sizes[block:]
        self._sizes.append(0)
        self.full = start + _BLOCK
        return self.moments[-1] if self.moments else 0

    def clear(self) -> None:
        """Keep what is known now, and none of the events."""
        self._begin()
        self._drop(len(self._starts) - 1)
