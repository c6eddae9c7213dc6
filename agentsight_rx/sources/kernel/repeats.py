"""Events -> the first of each kind at once, and one for all equal ones."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Repeats"]

E = TypeVar("E")


class Repeats(Generic[E]):
    """
    Folds equal events: the first is emitted at once, later ones are joined into one until `flush`.

    With more than `most` keys everything is emitted earlier; nothing is dropped.
    """

    def __init__(self, join: Callable[[E, E], E], *, most: int = 65_536) -> None:
        self._join = join
        self._most = most
        self._count = 0
        self._by_process: dict[Hashable, dict[Hashable, E | None]] = {}

    def add(self, process: Hashable, key: Hashable, event: E) -> list[E]:
        """The events to emit now: `event` itself if it is the first of its `process` and `key` since the last flush."""
        seen = self._by_process.setdefault(process, {})
        if key in seen:
            before = seen[key]
            seen[key] = event if before is None else self._join(before, event)
            return []
        early = self.flush() if self._count >= self._most else []
        self._by_process.setdefault(process, {})[key] = None
        self._count += 1
        return [*early, event]

    @property
    def open(self) -> bool:
        """Whether a flush changes anything."""
        return self._count > 0

    def flush(self) -> list[E]:
        """The joined events of all processes."""
        held = [event for seen in self._by_process.values() for event in seen.values() if event is not None]
        self._by_process.clear()
        self._count = 0
        return held

    def end(self, process: Hashable) -> list[E]:
        """The joined events of a process that ended."""
        seen = self._by_process.pop(process, {})
        self._count -= len(seen)
        return [event for event in seen.values() if event is not None]
