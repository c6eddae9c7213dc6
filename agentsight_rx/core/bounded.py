"""Dicts of limited size and weight: the entries not used for longest make room."""

from __future__ import annotations

import ctypes
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(OrderedDict[K, V]):
    """
    A dict of at most `most` entries, the one not used for longest first.

    An OrderedDict, since a plain dict finds its first key only past the deleted keys: with 4,096 entries 5 times slower, with
    100,000 49 times. `get` and `[]` do not count as a use, so that they cost no more than in a dict; `use` and `put` do.
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

    def use_or_make(self, key: K, make: Callable[[], V], /) -> V:
        """The value of `key`, which is the newest from now on; where it has none, what `make` makes, which is kept."""
        value = self.use(key)
        if value is None:
            value = make()
            self.put(key, value)
        return value

    def put(self, key: K, value: V, /) -> tuple[K, V] | None:
        """Set the newest entry; return the oldest one where it had to make room."""
        if key in self:
            self[key] = value
            self.move_to_end(key)
            return None
        self[key] = value
        return self.popitem(last=False) if len(self) > self.most else None

    def pop_oldest(self) -> tuple[K, V]:
        """Remove and return the oldest entry. Raises KeyError where there is none."""
        return self.popitem(last=False)

    @property
    def oldest(self) -> V | None:
        """The value of the oldest entry."""
        return next(iter(self.values()), None)

    @property
    def columns(self) -> tuple[list[K], list[V]]:
        """The keys and the values, the oldest first: a quarter of the time that pairs of them take."""
        return list(self), list(self.values())

    def fill(self, columns: tuple[list[K], list[V]], /) -> None:
        """Have these entries and no others."""
        self.clear()
        self.update(zip(*columns, strict=True))


class Weighed(Generic[K, V]):
    """
    At most `most` entries that together weigh at most `heaviest`, as `weigh` says of each value, which does not change. The
    newest `least` stay, whatever they weigh.
    """

    def __init__(self, most: int, heaviest: int, weigh: Callable[[V], int], *, least: int = 0) -> None:
        self._entries: Recent[K, V] = Recent(most)
        self._heaviest = heaviest
        self._weigh = weigh
        self._least = least
        self._weight = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K, /) -> V | None:
        """The value of `key`; None where it has none. That is no use."""
        return self._entries.get(key)

    def use(self, key: K, /) -> V | None:
        """The value of `key`, which is the newest from now on; None where it has none."""
        return self._entries.use(key)

    def newest_first(self) -> Iterator[tuple[K, V]]:
        """All entries, the one used last first."""
        return reversed(self._entries.items())

    def looked_up(self, key: K, find: Callable[[K], V], /) -> V:
        """The value of `key`, which is the newest from now on; where it has none, what `find` says, which is kept."""
        value = self._entries.use(key)
        if value is None:
            value = find(key)
            self.put(key, value)
        return value

    def put(self, key: K, value: V, /) -> None:
        """Set the newest entry; older ones make room."""
        self.pop(key)
        self._weight += self._weigh(value)
        pushed = self._entries.put(key, value)
        if pushed is not None:
            self._weight -= self._weigh(pushed[1])
        while self._weight > self._heaviest and len(self._entries) > self._least:
            self._weight -= self._weigh(self._entries.pop_oldest()[1])

    def pop(self, key: K, /) -> V | None:
        """Remove an entry; its value, None where there is none."""
        value = self._entries.pop(key, None)
        if value is not None:
            self._weight -= self._weigh(value)
        return value

    def clear(self) -> None:
        self._entries.clear()
        self._weight = 0


# -- common --------------------------------------------------------------------------------------------------------
# Two contents -> how many bytes they begin, or end, with in common.


_FIRST, _MOST = 1024, 64 << 10  # bytes that are compared at once: few at first, then twice as many, while slices are cheap


def common_front(one: bytes, other: bytes, /) -> int:
    """The length of what both begin with."""
    return _common(min(len(one), len(other)), lambda low, high: one[low:high] == other[low:high])


def common_back(one: bytes, other: bytes, /) -> int:
    """The length of what both end with."""
    first, second = len(one), len(other)
    return _common(min(first, second), lambda low, high: one[first - high : first - low] == other[second - high : second - low])


def _common(most: int, are_equal: Callable[[int, int], bool]) -> int:
    """It takes 0.1 ns a byte: slices are compared, then the place is found by halves."""
    low, size = 0, _FIRST
    while low < most and are_equal(low, min(low + size, most)):
        low = min(low + size, most)
        size = min(2 * size, _MOST)
    high = min(low + size, most)
    while low < high:
        middle = (low + high + 1) // 2
        if are_equal(low, middle):
            low = middle
        else:
            high = middle - 1
    return low


# -- spare ---------------------------------------------------------------------------------------------------------
# Bytes that an engine has taken -> when the memory of a burst of them is given back to the kernel.


_BURST = 32 << 20  # bytes of content
_LARGE = 64 << 10  # a batch of less is no part of a burst
_QUIET_S = (1.0, 4.0, 16.0)  # behind a burst: writers of sinks may have some of it for a while


def given_back() -> None:
    """Give free memory back to the kernel, as far as the C library can."""
    with suppress(AttributeError):  # glibc has it
        ctypes.CDLL(None).malloc_trim(0)


class Spare:
    """
    The C library keeps what is freed, so a burst of content would cost its memory until the end of the run. It is given back
    once no more of it has come for a second, and twice later.
    """

    def __init__(self, give_back: Callable[[], None] = given_back) -> None:
        self._give_back = give_back
        self._taken = 0  # bytes, since it was given back
        self._newest_s = 0.0
        self._waits: tuple[float, ...] = ()

    def took(self, size: int, now_s: float) -> None:
        """A batch of so many bytes."""
        if size >= _LARGE:
            self._taken += size
            self._newest_s = now_s
            if self._taken >= _BURST:
                self._taken, self._waits = 0, _QUIET_S

    def look(self, now_s: float) -> None:
        if self._waits and now_s - self._newest_s >= self._waits[0]:
            self._waits = self._waits[1:]
            self._give_back()
