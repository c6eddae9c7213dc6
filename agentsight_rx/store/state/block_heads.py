"""
A value, a range of keys or of time -> the blocks of a packed table that may have such rows, by their heads alone.

`sweep` gives the rows of such blocks in the order of time; each is opened when the order comes to it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol, TypeVar

from msgspec import Struct

from .heads import FILTER, filter_of, positions_of, times_of
from .table import Table

_KEPT_MOST = 32_768  # blocks whose heads are kept, 20 MB for five million rows; more are read for each question

R = TypeVar("R")


class Sorted(Protocol):
    """Keys and values as bytes, in the order of the keys."""

    @property
    def moment(self) -> int:
        """Another number after each commit."""
        ...

    def get(self, key: bytes, /) -> bytes | None: ...

    def walk(self, low: bytes, high: bytes, /, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """The rows with `low` <= key < `high`."""
        ...

    def around(self, key: bytes, front: bytes, /) -> tuple[tuple[bytes, bytes] | None, bytes | None]:
        """
        Of the rows whose keys begin with `front` the one of `key` or the last one before it, else the first; and the next key.
        """
        ...


class Timed(NamedTuple):
    """A block whose rows have times from `first` to `last`."""

    first: int
    last: int
    place: bytes


class _Known(Struct):
    """The heads of all blocks of a table, in the order of their keys."""

    moment: int
    keys: list[bytes]
    filters: bytes  # all behind each other, so that a few steps look at all of them
    times: list[tuple[int, int]]  # the first and the last
    orders: dict[bool, list[int]] = {}  # places by their first times; reverse: by their last, the latest first

    def in_order(self, reverse: bool) -> list[int]:
        order = self.orders.get(reverse)
        if order is None:
            end = [times[reverse] for times in self.times]
            order = self.orders[reverse] = sorted(range(len(end)), key=end.__getitem__, reverse=reverse)
        return order


class BlockHeads:
    """Heads that were read once for each commit. It is no state."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def having(
        self, rows: Sorted, table: Table[Any], value: bytes, /, *, low: bytes, high: bytes, reverse: bool
    ) -> Iterator[bytes]:
        """The keys of the blocks that may have a row with the value and rows from `low` to before `high`, in their order."""
        known = self._all(rows, table)
        keys = known.keys
        found, begin, end = _with_value(known, value), max(0, bisect_right(keys, low) - 1), bisect_right(keys, high)
        return (keys[at] for at in _places(found, begin, end, reverse))

    def within(
        self, rows: Sorted, table: Table[Any], value: bytes | None, /, *, first: int, last: int, reverse: bool
    ) -> Iterator[Timed]:
        """
        The blocks that may have a row with the value, if there is one, of a time from `first` to `last`: in the order of their
        first times, or in the reverse one of their last.
        """
        known = self._all(rows, table)
        times, keys = known.times, known.keys
        found = None if value is None else _with_value(known, value)
        for at in known.in_order(reverse):
            its_first, its_last = times[at]
            if its_last < first if reverse else its_first > last:
                return
            if its_first <= last and its_last >= first and (found is None or found[at]):
                yield Timed(its_first, its_last, keys[at])

    def _all(self, rows: Sorted, table: Table[Any]) -> _Known:
        known = self._known.get(table.name)
        if known is None or known.moment != rows.moment:
            known = _read(rows, table)
            if len(known.keys) <= _KEPT_MOST:
                self._known[table.name] = known
        return known


def _read(rows: Sorted, table: Table[Any]) -> _Known:
    front, timed = table.block(b""), table.timed
    known, filters = _Known(rows.moment, [], b"", []), list[bytes]()
    for key, raw in rows.walk(front, front + b"\xff"):
        known.keys.append(key)
        filters.append(filter_of(raw, timed=timed))
        if timed:
            known.times.append(times_of(raw))
    known.filters = b"".join(filters)
    return known


def _with_value(known: _Known, value: bytes) -> bytes:
    """1 for each block whose filter has the value, 0 for the others."""
    count = len(known.keys)
    left = int.from_bytes(b"\x01" * count, "big")
    for position in positions_of(value):
        left &= int.from_bytes(known.filters[position >> 3 :: FILTER], "big") >> (position & 7)
    return left.to_bytes(count, "big")


def _places(found: bytes, begin: int, end: int, reverse: bool) -> Iterator[int]:
    find = found.rfind if reverse else found.find
    at = find(b"\x01", begin, end)
    while at >= 0:
        yield at
        begin, end = (begin, at) if reverse else (at + 1, end)
        at = find(b"\x01", begin, end)


def sweep(
    blocks: Iterable[Timed], opened: Callable[[bytes], Iterable[tuple[int, bytes, R]]], /, *, reverse: bool = False
) -> Iterator[tuple[int, bytes, R]]:
    """
    The rows of the blocks, which come in the order of their first times, or in the reverse one of their last.

    `opened` gives the rows of a place, each with its time and a key that no other row has. Rows wait only while a closed block
    may have an earlier row.
    """
    waiting: list[tuple[int, bytes, R]] = []
    for block in blocks:
        count = next((at for at, row in enumerate(waiting) if _waits(row[0], block, reverse)), len(waiting))
        yield from waiting[:count]
        waiting = sorted([*waiting[count:], *opened(block.place)], key=lambda row: row[:2], reverse=reverse)
    yield from waiting


def _waits(time: int, block: Timed, reverse: bool) -> bool:
    return time <= block.last if reverse else time >= block.first
