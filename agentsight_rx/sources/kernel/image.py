"""What a C source was compiled to, as a value: instructions, the maps that they use, and where they name them."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack_into

import msgspec

__all__ = ["Function", "Image", "Map"]

_INSTRUCTION = 8  # bytes; the number of a map is the last four of them


class Map(msgspec.Struct, frozen=True):
    """A map to create. `key_type` and `leaf_type` are JSON, as `tables.type_of` reads it."""

    name: str
    kind: int
    key_size: int
    leaf_size: int
    entries: int
    flags: int
    key_type: str
    leaf_type: str


class Function(msgspec.Struct, frozen=True):
    """A program. `uses`: (place of an instruction, number of the map whose descriptor belongs there)."""

    name: str
    code: bytes
    uses: tuple[tuple[int, int], ...]


class Image(msgspec.Struct, frozen=True):
    """All maps and programs of one source."""

    maps: tuple[Map, ...]
    functions: tuple[Function, ...]

    def function(self, name: str) -> Function:
        return next(each for each in self.functions if each.name == name)

    def linked(self, name: str, descriptor: Callable[[int], int]) -> bytes:
        """The instructions of a program, with `descriptor(number)` for each map that they use."""
        function = self.function(name)
        code = bytearray(function.code)
        for place, number in function.uses:
            pack_into("<i", code, place * _INSTRUCTION + 4, descriptor(number))
        return bytes(code)
