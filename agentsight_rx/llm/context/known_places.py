"""What a request read from the cache, its marks -> up to which piece that is, where only one can be meant."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter

from .held import Held


def read_up_to(held: Sequence[Held], most: int, points: Sequence[tuple[int, int]], tokens: int, /) -> tuple[int, int]:
    """
    The cache may have had the first `most` pieces, `points` are the (pieces, tokens) that are known already, and so many
    `tokens` came from the cache -> where a new point belongs among these, and the pieces up to there; 0: it is not known, or is
    known already.
    """
    place = bisect_right(points, tokens, key=itemgetter(1))
    low, counted = points[place - 1]
    if counted == tokens:
        return place, 0
    high = points[place][0] - 1 if place < len(points) else most
    marks = [at for at in range(low + 1, min(high, most) + 1) if held[at - 1].piece.mark]
    return place, marks[0] if len(marks) == 1 else 0


def fixed_in(held: Sequence[Held], /) -> int:
    """The pieces of a first request that an earlier session may have sent: all before its one prompt; 0 where it goes on."""
    said = next((at for at, each in enumerate(held) if each.piece.origin not in ("tools", "system")), 0)
    return said if all(each.piece.origin not in ("answer", "result", "kept") for each in held[said:]) else 0
