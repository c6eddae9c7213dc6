"""Two lists, such as the lines of texts -> the equal parts, and the parts that only one of them has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from msgspec import Struct

__all__ = ["LineChange", "blocks", "diff_lines"]

_PAIRS_MOST = 200_000  # of equal items; what has more, such as texts of many equal lines, is one change between begin and end


class LineChange(Struct, frozen=True):
    """`change`: same, gone (only the first text has it), new (only the second)."""

    change: str
    lines: tuple[str, ...]


def diff_lines(first: Sequence[str], second: Sequence[str], /) -> Iterator[LineChange]:
    """The changes that lead from the first text to the second, in order."""
    for kind, one, other in blocks(first, second):
        if kind == "equal":
            yield LineChange("same", tuple(first[one]))
            continue
        if one.start < one.stop:
            yield LineChange("gone", tuple(first[one]))
        if other.start < other.stop:
            yield LineChange("new", tuple(second[other]))


def blocks(first: Sequence[object], second: Sequence[object], /) -> Iterator[tuple[str, slice, slice]]:
    """The parts that are `equal`, and those between them, of any other name. The items are hashable."""
    shorter = min(len(first), len(second))
    begin = next((at for at in range(shorter) if first[at] != second[at]), shorter)
    end = next((at for at in range(shorter - begin) if first[-1 - at] != second[-1 - at]), shorter - begin)
    if begin:
        yield "equal", slice(0, begin), slice(0, begin)
    yield from _between(first, second, slice(begin, len(first) - end), slice(begin, len(second) - end))
    if end:
        yield "equal", slice(len(first) - end, len(first)), slice(len(second) - end, len(second))


def _between(first: Sequence[object], second: Sequence[object], one: slice, other: slice) -> Iterator[tuple[str, slice, slice]]:
    """The same, of a part of each, whose first items differ, and whose last ones."""
    some, others = first[one], second[other]
    if not some and not others:
        return
    if _pairs(some, others) > _PAIRS_MOST:
        yield "replace", one, other
        return
    for kind, at, to, other_at, other_to in SequenceMatcher(None, some, others, autojunk=False).get_opcodes():
        yield kind, slice(one.start + at, one.start + to), slice(other.start + other_at, other.start + other_to)


def _pairs(some: Sequence[object], others: Sequence[object]) -> int:
    """How many items of the one are equal to how many of the other: what it takes to compare them."""
    counts = Counter(others)
    return len(some) + sum(counts[each] for each in some)
