"""Keys -> values, at most so many: those not used for longest make way."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

__all__ = ["Recent"]

K = TypeVar("K")
V = TypeVar("V")


class Recent(OrderedDict[K, V]):
    """
    A dict of at most `most` entries, the one not used for longest first.

    On OrderedDict, since finding the first key of a dict from which first keys were deleted takes time in their number: with
    4,096 entries 5 times as long, with 100,000 49 times. `get` and `[]` do not count as a use, so that a look costs no more
    than in a dict; `use` and `put` do.
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
        """Set the newest entry; return the oldest one where it had to make way."""
        self[key] = value
        self.move_to_end(key)
        return self.popitem(last=False) if len(self) > self.most else None

    def pop_oldest(self) -> tuple[K, V]:
        """Remove and return the oldest entry. Raises KeyError where there is none."""
        return self.popitem(last=False)

    @property
    def oldest(self) -> V | None:
        """The value of the oldest entry."""
        return next(iter(self.values()), None)
