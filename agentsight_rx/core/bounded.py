"""A dict of limited size: the entries not used for longest make room."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

__all__ = ["Recent"]

K = TypeVar("K")
V = TypeVar("V")


class Recent(OrderedDict[K, V]):
    """
    A dict of at most `most` entries, the one not used for longest first.

    An OrderedDict, since a plain dict finds its first key only past those that were deleted: with 4,096 entries 5 times slower,
    with 100,000 49 times. `get` and `[]` do not count as a use, so that they cost no more than in a dict; `use` and `put` do.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def use(self, key: K, /) -> V | None:
        """The value of `key`, which is the newest from now on; None where it has none."""
        value = self.get(key)
        if value is not None:
            self.move_to_end(key)
        return value

    def put(self, key: K, value: V, /) -> tuple[K, V] | None:
        """Set the newest entry; return the oldest one where it had to make room."""
        if key in self:
            self.move_to_end(key)
        self[key] = value
        return self.popitem(last=False) if len(self) > self.most else None

    def pop_oldest(self) -> tuple[K, V]:
        """Remove and return the oldest entry. Raises KeyError where there is none."""
        return self.popitem(last=False)

    @property
    def oldest(self) -> V | None:
        """The value of the oldest entry."""
        return next(iter(self.values()), None)
