"""What a C source was compiled to, as a value: instructions, the maps that they use, and where they name them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import iter_unpack, pack, pack_into

import msgspec

__all__ = ["Function", "Image", "Map"]

_INSTRUCTION = 8  # bytes; the number of a map is the last four of them
_CALL = 0x85  # an operation; the upper half of its registers says of what
_OF_KERNEL = 2  # BPF_PSEUDO_KFUNC_CALL; 0 is a helper


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

    def calling(self, numbers: Mapping[int, int]) -> Image:
        """Calls of helpers with these numbers, which do not exist, become calls of the kernel's functions with these types."""

        def called(code: bytes) -> bytes:
            return b"".join(
                pack("<BBhi", op, _OF_KERNEL << 4, 0, numbers[value])
                if op == _CALL and not registers and value in numbers
                else pack("<BBhi", op, registers, offset, value)
                for op, registers, offset, value in iter_unpack("<BBhi", code)
            )

        functions = (msgspec.structs.replace(each, code=called(each.code)) for each in self.functions)
        return msgspec.structs.replace(self, functions=tuple(functions))
