"""The values that find the rows of a block <-> a filter of up to 4,096 bits."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

__all__ = ["FILTER", "SIZES", "bits_of", "expanded", "folded", "positions_of"]

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
