"""Blocks of rows, each with a range of time -> their rows in the order of time; each is opened when the order comes to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

R = TypeVar("R")


class Timed(NamedTuple):
    """A block whose rows have times from `first` to `last`."""

    first: int
    last: int
    place: bytes


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
