"""So many tokens, some pieces -> whole numbers of tokens for each, in the ratio of their weights; and how large a piece is."""

from __future__ import annotations

from collections.abc import Sequence

from .media import image_tokens
from .pieces import MEDIA, Piece

__all__ = ["BYTES", "shared", "size_of"]

BYTES = 4  # of a token, where nothing was counted


def shared(tokens: int, weights: Sequence[int], /) -> list[int]:
    """Whole numbers in the ratio of the weights whose sum is `tokens`: the largest remainders are rounded up."""
    weighing = sum(weights)
    if not weighing:
        weights, weighing = [1] * len(weights), len(weights)
    if not weighing:
        return []
    parts = [divmod(tokens * weight, weighing) for weight in weights]
    left = tokens - sum(whole for whole, _ in parts)
    largest = sorted(range(len(parts)), key=lambda at: (-parts[at][1], at))[:left]
    up = frozenset(largest)
    return [whole + (at in up) for at, (whole, _) in enumerate(parts)]


def size_of(piece: Piece, dialect: str, /) -> int:
    """Bytes; of an image as many as text of its tokens has."""
    if piece.origin != MEDIA:
        return piece.size
    return 0 if piece.pixels is None else BYTES * (image_tokens(piece.pixels, dialect) or 0)
