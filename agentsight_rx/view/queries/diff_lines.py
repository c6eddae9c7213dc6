"""Two lists, such as the lines of texts -> the parts that are equal, and those that only one of them has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from msgspec import Struct

__all__ = ["LineChange", "blocks", "diff_lines"]

_MATCHED_MOST = 4000  # items that are compared with each other; of more, the equal begin and end


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
    """The parts that are `equal`, and those between them, of any other name."""
    if len(first) + len(second) > _MATCHED_MOST:
        yield from _ends(first, second)
        return
    for kind, at, end, other_at, other_end in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        yield kind, slice(at, end), slice(other_at, other_end)


def _ends(first: Sequence[object], second: Sequence[object]) -> Iterator[tuple[str, slice, slice]]:
    shorter = min(len(first), len(second))
    begin = next((at for at in range(shorter) if first[at] != second[at]), shorter)
    end = next((at for at in range(shorter - begin) if first[-1 - at] != second[-1 - at]), shorter - begin)
    if begin:
        yield "equal", slice(0, begin), slice(0, begin)
    if len(first) - end > begin or len(second) - end > begin:
        yield "replace", slice(begin, len(first) - end), slice(begin, len(second) - end)
    if end:
        yield "equal", slice(len(first) - end, len(first)), slice(len(second) - end, len(second))
