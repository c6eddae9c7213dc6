"""
A content -> what one that came before has in common with it, at its begin and at its end, and where that is kept.

A conversation is sent again with every turn: all of it but its newest messages is known, and neither cut nor looked up again.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from ...core.bounded import Weighed, common_back, common_front
from .cutting import AHEAD
from .heads import Head

_LEAST = 16 << 10  # bytes of a content that is remembered
_MOST = 16  # contents
_BYTES_MOST = 8 << 20


class _Content(Struct):
    content: bytes
    ends: array[int]  # where it is cut
    ranges: tuple[int, ...]  # where it is kept: pack, offset and size of each


class Rest(Struct, frozen=True):
    """Where a content is cut and kept behind some place."""

    ends: list[int]
    ranges: list[int]


class Begun(Struct):
    """
    The knowledge about a content: it is cut at `ends` up to `start`, and kept in `ranges` up to there. From `tail` on it ends
    as the one before, whose end is `moved` bytes further in front.
    """

    key: int
    before: _Content
    start: int
    ends: array[int]
    ranges: list[int]
    moved: int
    tail: int

    def rest(self, end: int) -> Rest | None:
        """All behind `end`, a place at which the content is cut; None where that is not the end of the one before."""
        before, there = self.before, end - self.moved
        if end < self.tail or there < 0:
            return None
        at = bisect_left(before.ends, there)
        if at == len(before.ends) or before.ends[at] != there:
            return None
        return Rest([each + self.moved for each in before.ends[at + 1 :]], _ranges_from(before.ranges, there))


class Sent:
    """The contents that came last. It is no state: without it the same pieces are found by their names."""

    def __init__(self) -> None:
        self._contents: Weighed[int, _Content] = Weighed(_MOST, _BYTES_MOST, lambda each: len(each.content))
        self._count = 0

    def begun(self, content: bytes, /) -> Begun | None:
        """The content before that begins most like this one."""
        if len(content) < _LEAST:
            return None
        best, most = 0, 0
        for key, each in self._contents.newest_first():
            if len(each.content) > most and (front := common_front(each.content, content)) > most:
                best, most = key, front
        before = self._contents.get(best)
        if before is None:
            return None
        known = bisect_right(before.ends, most - AHEAD)
        start = before.ends[known - 1] if known else 0
        return Begun(
            best,
            before,
            start,
            ends=before.ends[:known],
            ranges=_ranges_to(before.ranges, start),
            moved=len(content) - len(before.content),
            tail=max(start, len(content) - common_back(before.content, content)),
        )

    def keep(self, content: bytes, ends: array[int], /, *, ranges: Sequence[int], begun: Begun | None) -> None:
        """Remember where a content is kept, and forget the one that it goes on from."""
        if len(content) < _LEAST:
            return
        if begun is not None and 2 * begun.start > len(begun.before.content):
            self._contents.pop(begun.key)
        self._count += 1
        self._contents.put(self._count, _Content(content, ends, tuple(ranges)))

    def clear(self) -> None:
        """The kept contents have changed."""
        self._contents.clear()


def add_range(ranges: list[int], place: Sequence[int]) -> None:
    """Put a range behind the others; one that goes on from the last becomes a part of it."""
    pack, offset, size = place
    if ranges and ranges[-3] == pack and ranges[-2] + ranges[-1] == offset:
        ranges[-1] += size
    else:
        ranges += (pack, offset, size)


def _ranges_to(ranges: Sequence[int], end: int) -> list[int]:
    made: list[int] = []
    at = 0
    while at < len(ranges) and end > 0:
        pack, offset, size = ranges[at : at + 3]
        made += (pack, offset, min(size, end))
        end -= size
        at += 3
    return made


def _ranges_from(ranges: Sequence[int], start: int) -> list[int]:
    made: list[int] = []
    for at in range(0, len(ranges), 3):
        pack, offset, size = ranges[at : at + 3]
        if start < size:
            made += (pack, offset + max(0, start), size - max(0, start))
        start -= size
    return made


# -- written -------------------------------------------------------------------------------------------------------
# The blocks that the last commits wrote, opened: most rows of the next one belong to them.


class Opened(NamedTuple):
    """The rows of a block by their keys, and their head, whose filter is still whole."""

    head: Head
    keys: list[bytes]
    rows: list[bytes]


class Written:
    """It is no state: a block that is not the same, byte for byte, is not the one that is known."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[bytes, Opened]] = {}  # by the key of the block

    def use(self, place: bytes, block: bytes, /) -> Opened | None:
        """The content of a block. The caller may change it."""
        known = self._known.pop(place, None)
        return known[1] if known is not None and known[0] == block else None

    def keep(self, place: bytes, block: bytes, opened: Opened, /) -> None:
        self._known.pop(place, None)
        self._known[place] = block, opened
        if len(self._known) > _MOST:
            del self._known[next(iter(self._known))]
