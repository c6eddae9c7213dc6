"""The values that find the rows of a block <-> a filter of 4,096 bits; a value -> the blocks whose filters have its bits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Protocol

__all__ = ["FILTER", "Filters", "Sorted", "bits_of"]

FILTER = 512  # bytes. A block has some 200 values: of 2,000 blocks without a value, one seems to have it
_POSITIONS = 5  # bits of a value
_MASK = 8 * FILTER - 1
_KEPT_MOST = 32_768  # blocks whose filters are kept, 20 MB for five million rows; more are read for each question
_VALUES_MOST = 1024  # whose bits are remembered: kinds, pids and paths come again and again


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


@lru_cache(_VALUES_MOST)
def bits_of(value: bytes, /) -> int:
    """The bits of a value, in a number."""
    bits = 0
    for position in _positions(value):
        bits |= 1 << position
    return bits


def _positions(value: bytes) -> list[int]:
    digest = blake2b(value, digest_size=2 * _POSITIONS).digest()
    return [int.from_bytes(digest[at : at + 2], "big") & _MASK for at in range(0, 2 * _POSITIONS, 2)]


class Filters:
    """The filters of all blocks of a table behind each other, so that a few steps look at all of them. It is no state."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, list[bytes], bytes]] = {}

    def having(self, rows: Sorted, table: bytes, value: bytes, /, *, low: bytes, high: bytes, reverse: bool) -> Iterator[bytes]:
        """
        The keys of the blocks that may have a row with the value and rows from `low` to before `high`. The keys of all blocks
        begin with `table`.
        """
        keys, joined = self._all(rows, table)
        count = len(keys)
        left = int.from_bytes(b"\x01" * count, "big")
        for position in _positions(value):
            left &= int.from_bytes(joined[position >> 3 :: FILTER], "big") >> (position & 7)
        found = left.to_bytes(count, "big")
        begin, end = max(0, bisect_right(keys, low) - 1), bisect_right(keys, high)
        if reverse:
            at = found.rfind(b"\x01", begin, end)
            while at >= 0:
                yield keys[at]
                at = found.rfind(b"\x01", begin, at)
        else:
            at = found.find(b"\x01", begin, end)
            while at >= 0:
                yield keys[at]
                at = found.find(b"\x01", at + 1, end)

    def _all(self, rows: Sorted, table: bytes) -> tuple[list[bytes], bytes]:
        known = self._known.get(table)
        if known is None or known[0] != rows.moment:
            blocks = [(key, raw[:FILTER]) for key, raw in rows.walk(table, table + b"\xff")]
            known = rows.moment, [key for key, _ in blocks], b"".join([filter for _, filter in blocks])
            if len(blocks) <= _KEPT_MOST:
                self._known[table] = known
        return known[1:]
