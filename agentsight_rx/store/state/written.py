"""The blocks that the last commits wrote, opened: most rows of the next one belong to them."""

from __future__ import annotations

from typing import NamedTuple

from .heads import Head

__all__ = ["Opened", "Written"]

_MOST = 16  # blocks, of 64 KB in memory: one for each table, and more where rows of several times come in turn


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
