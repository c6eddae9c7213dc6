"""Dicts that note each change, so that it can be taken back: what the views know can be taken back to an earlier time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias, TypeVar

from ..core.bounded import Recent

__all__ = ["Changes", "Past", "take_back"]

K = TypeVar("K")
V = TypeVar("V")

# Of each change, the newest last: which dict, which key, and what it had there. They stand one behind the other, since a tuple
# for each would be looked at by the garbage collector. Any: dicts of every kind share one list
Changes: TypeAlias = list[Any]

_NOTHING: Any = object()


class Past(Recent[K, V]):
    """
    A dict of at most `most` entries that notes in `changes` what it had before. Its values do not change: a new one is put in
    their place. An entry that was taken back stands behind the others, so that no view depends on their order.
    """

    __slots__ = ("_note",)

    def __init__(self, most: int, changes: Changes) -> None:
        super().__init__(most)
        self._note = changes.append

    def put(self, key: K, value: V, /) -> tuple[K, V] | None:
        note = self._note
        note(self)
        note(key)
        if key in self:
            note(self[key])
            self[key] = value
            self.move_to_end(key)
            return None
        note(_NOTHING)
        self[key] = value
        return self.pop_oldest() if len(self) > self.most else None

    def change(self, key: K, value: V, /) -> None:
        """Put a new value in the place of an entry, which stays where it is among the others."""
        self._noted(key, self[key])
        self[key] = value

    def take(self, key: K, /) -> V | None:
        """Remove an entry; return its value, None where there was none."""
        value: V = super().pop(key, _NOTHING)
        if value is _NOTHING:
            return None
        self._noted(key, value)
        return value

    def pop_oldest(self) -> tuple[K, V]:
        key, value = self.popitem(last=False)
        self._noted(key, value)
        return key, value

    def take_all(self) -> Iterator[tuple[K, V]]:
        """Remove every entry, the oldest first."""
        while self:
            yield self.pop_oldest()

    def _noted(self, key: K, before: V) -> None:
        note = self._note
        note(self)
        note(key)
        note(before)


def take_back(changes: Changes, to: int, /) -> None:
    """Take back all changes from that place on, the newest first."""
    while len(changes) > to:
        before, key, past = changes.pop(), changes.pop(), changes.pop()
        if before is _NOTHING:
            del past[key]
        else:
            past[key] = before
