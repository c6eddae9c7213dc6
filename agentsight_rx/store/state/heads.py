"""The head of a block of rows <-> the bytes in front of the rows: a filter of their values, a range of their times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ...core.errors import StoreError
from .filters import SIZES, expanded, folded

__all__ = ["LATEST", "NOTHING", "Head", "decode_head", "encode_head", "filter_of", "head_size", "merged", "times_of"]

LATEST = (1 << 64) - 1  # of the times that a key can have
_TIMES = 16  # bytes: the first and the last time
_CODES = {size: code.to_bytes(1, "little") for code, size in enumerate(SIZES)}  # of a filter: the byte that stands before it


class Head(NamedTuple):
    """Bits of the values that find the rows, and the first and the last time of them. Without rows `last` is before `first`."""

    bits: int = 0
    first: int = LATEST
    last: int = 0


NOTHING = Head()


def merged(heads: Iterable[Head], /) -> Head:
    """The head of the rows of all."""
    bits, first, last = NOTHING
    for head in heads:
        if head is not NOTHING:
            bits |= head.bits
            first = min(first, head.first)
            last = max(last, head.last)
    return Head(bits, first, last)


def encode_head(head: Head, /, *, timed: bool) -> bytes:
    """The times are there only for a table that is `timed`."""
    filter = folded(head.bits)
    times = head.first.to_bytes(8, "big") + head.last.to_bytes(8, "big") if timed else b""
    return _CODES[len(filter)] + times + filter


def decode_head(raw: bytes, /, *, timed: bool) -> Head:
    """The head of a block. Its filter may have a few more bits than the one that was encoded."""
    bits = int.from_bytes(filter_of(raw, timed=timed), "little")
    return Head(bits, *times_of(raw)) if timed else Head(bits)


def filter_of(raw: bytes, /, *, timed: bool) -> bytes:
    """The filter of a block, unfolded."""
    at = 1 + _TIMES if timed else 1
    return expanded(raw[at : at + _filter_size(raw)])


def times_of(raw: bytes, /) -> tuple[int, int]:
    """The first and the last time of a block of a table that is timed."""
    return int.from_bytes(raw[1:9], "big"), int.from_bytes(raw[9:17], "big")


def head_size(raw: bytes, /, *, timed: bool) -> int:
    """Behind so many bytes of a block come its rows."""
    return 1 + _filter_size(raw) + (_TIMES if timed else 0)


def _filter_size(raw: bytes) -> int:
    if not raw or raw[0] >= len(SIZES):
        raise StoreError("A block of rows of the store has an unknown head: use a whole copy of it.")
    return SIZES[raw[0]]
