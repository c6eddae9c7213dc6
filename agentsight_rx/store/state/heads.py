"""The head of a block of rows <-> the bytes in front of the rows: a filter of their values, a range of their times."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from ...core.errors import StoreError

# -- filters -------------------------------------------------------------------------------------------------------
# The values that find the rows of a block <-> a filter of up to 4,096 bits.


FILTER = 512  # bytes, enough for 200 values: of 2,000 blocks without a value, one seems to have it
_LEAST = 8  # bytes of a folded one
_SET_MOST = 2  # bits for each byte: a quarter of them, so that of 1,000 blocks without a value one seems to have it
_POSITIONS = 5  # bits of a value
_MASK = 8 * FILTER - 1
_VALUES_MOST = 1024  # whose bits are remembered: kinds, pids and paths come again and again


@lru_cache(_VALUES_MOST)
def bits_of(value: bytes, /) -> int:
    """The bits of a value, in a number."""
    bits = 0
    for position in positions_of(value):
        bits |= 1 << position
    return bits


def positions_of(value: bytes, /) -> list[int]:
    """Where the bits of a value are."""
    digest = blake2b(value, digest_size=2 * _POSITIONS).digest()
    return [int.from_bytes(digest[at : at + 2], "big") & _MASK for at in range(0, 2 * _POSITIONS, 2)]


def folded(bits: int, /) -> bytes:
    """
    A filter of these bits. Of few bits it is short: halves are laid over each other while at most a quarter of the bits is set.
    """
    if not bits:
        return b""
    size, made, shorter = FILTER, bits, bits
    for half in _HALVES:
        shorter = shorter >> 8 * half | shorter & (1 << 8 * half) - 1
        if shorter.bit_count() <= _SET_MOST * half:
            size, made = half, shorter
    return made.to_bytes(size, "little")


def expanded(filter: bytes, /) -> bytes:
    """A filter in its full size. It has the bits of before it was folded, and a few more."""
    return filter * (FILTER // len(filter)) if filter else bytes(FILTER)


_HALVES = [FILTER >> times for times in range(1, (FILTER // _LEAST).bit_length())]
SIZES = (0, *reversed(_HALVES), FILTER)  # bytes that a folded filter may have


# ------------------------------------------------------------------------------------------------------------------------


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
