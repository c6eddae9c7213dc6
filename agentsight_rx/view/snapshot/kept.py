"""Rows by id, bounded in bytes: what a view keeps of each kind, in memory that all kinds share."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from copy import copy
from typing import Any, Generic, TypeVar

from ...store.rows.kind import weight_of
from ...store.rows.kinds import Row

R = TypeVar("R", bound=Row)


class Room:
    """About `size` bytes for the rows of several kinds: the kind that takes most of it gives up its oldest row."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = 0
        self._kinds: list[Kept[Any]] = []  # any kind of row

    def share(self, kept: Kept[Any]) -> None:
        self._kinds.append(kept)

    def take(self, size: int) -> None:
        """So many bytes more are held, or less."""
        self._held += size

    def make(self) -> None:
        """Evict what is too much, except for the last row of a kind."""
        while self._held > self._size:
            heaviest = max(self._kinds, key=lambda kind: kind.held)
            if len(heaviest) < 2:
                return
            heaviest.evict()


class Kept(Generic[R]):
    """The rows of one kind by id, at most `most`; the id that came first is evicted first."""

    def __init__(self, room: Room, most: int = 1 << 40) -> None:
        self._room = room
        self._most = most
        self._rows: dict[str, R] = {}
        self._order: deque[str] = deque()  # a dict finds its first key only by walking over all deleted ones
        self._removed: set[str] = set()  # ids that `_order` still has
        self.held = 0  # bytes
        self.seen = 0
        self.gone = 0
        room.share(self)

    def put(self, row: R) -> R | None:
        """Keep `row`; returns the row that it replaces."""
        before = self._rows.get(row.id)
        self._rows[row.id] = row
        self._weigh(weight_of(row) - (weight_of(before) if before is not None else 0))
        if before is None:
            self.seen += 1
            if row.id in self._removed:
                self._removed.remove(row.id)
            else:
                self._order.append(row.id)
        if len(self._rows) > self._most:
            self.evict()
        self._room.make()
        return before

    def evict(self) -> None:
        """Give up the oldest row."""
        while (id := self._order.popleft()) in self._removed:
            self._removed.remove(id)
        self._weigh(-weight_of(self._rows.pop(id)))
        self.gone += 1

    def remove(self, id: str) -> R | None:
        """The row of that id is not true; returns it where it is kept."""
        row = self._rows.pop(id, None)
        if row is not None:
            self._removed.add(id)
            self._weigh(-weight_of(row))
            self.seen -= 1
        return row

    def _weigh(self, size: int) -> None:
        self.held += size
        self._room.take(size)

    def copy(self) -> Kept[R]:
        """A copy that is only read."""
        twin = copy(self)
        twin._rows = self._rows.copy()
        return twin

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[R]:
        return iter(self._rows.values())
