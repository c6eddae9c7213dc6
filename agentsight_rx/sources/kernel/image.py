"""What a C source was compiled to, as a value: instructions, the maps that they use, and where they name them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import starmap
from struct import Struct, pack_into

import msgspec

__all__ = ["HOLD_CPU", "RELEASE_CPU", "Function", "Image", "Map", "calling_kernel"]

_INSTRUCTION = 8  # bytes; the number of a map is the last four of them
# Instructions: operation, registers, offset, value (Documentation/bpf/standardization/instruction-set.rst)
_STEP = Struct("<BBhi")
_CALL, _SET = 0x85, 0xB7  # operations: call what the upper half of its registers says; set a register
_OF_KERNEL = 2  # BPF_PSEUDO_KFUNC_CALL; 0 is a helper

_HASH = 1  # a type of maps (include/uapi/linux/bpf.h)
_EACH_WHEN_NEEDED = 1  # BPF_F_NO_PREALLOC
_LARGE = 65_536  # entries; smaller tables are changed at each call, and take 2 MB at most

# Calls of bpf/track.h that become something else; no helper has these numbers
HOLD_CPU, RELEASE_CPU, THIS_RUN = 0x70000001, 0x70000002, 0x70000003


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


def calling_kernel(function: int) -> bytes:
    """The instruction that calls the function of the kernel with this type."""
    return _STEP.pack(_CALL, _OF_KERNEL << 4, 0, function)


class Image(msgspec.Struct, frozen=True):
    """All maps and programs of one source. Its programs for tracepoints are attached several times, for so many `runs`."""

    maps: tuple[Map, ...]
    functions: tuple[Function, ...]
    runs: int = 1

    def function(self, name: str) -> Function:
        return next(each for each in self.functions if each.name == name)

    def linked(self, name: str, descriptor: Callable[[int], int], *, run: int = 0) -> bytes:
        """The instructions of a program, for one of its runs, with `descriptor(number)` for each map that they use."""
        function = self.function(name)
        code = bytearray(function.code)
        for place, number in function.uses:
            pack_into("<i", code, place * _INSTRUCTION + 4, descriptor(number))
        return _replaced(bytes(code), {THIS_RUN: _STEP.pack(_SET, 0, 0, run)}) if self.runs > 1 else bytes(code)

    def calling(self, numbers: Mapping[int, int]) -> Image:
        """Calls of helpers with these numbers, which do not exist, become calls of the kernel's functions with these types."""
        steps = {number: calling_kernel(function) for number, function in numbers.items()}
        functions = (msgspec.structs.replace(each, code=_replaced(each.code, steps)) for each in self.functions)
        return msgspec.structs.replace(self, functions=tuple(functions))

    def growing(self) -> Image:
        """Large hashes take memory for the entries that they have, not for all that they may have."""

        def grows(each: Map) -> bool:
            return each.kind == _HASH and each.entries >= _LARGE

        maps = (
            msgspec.structs.replace(each, flags=each.flags | _EACH_WHEN_NEEDED) if grows(each) else each for each in self.maps
        )
        return msgspec.structs.replace(self, maps=tuple(maps))


def _replaced(code: bytes, steps: Mapping[int, bytes]) -> bytes:
    """With an instruction of `steps` for each call of a helper with its number."""

    def replaced(op: int, registers: int, offset: int, value: int) -> bytes:
        other = steps.get(value) if op == _CALL and not registers else None
        return other or _STEP.pack(op, registers, offset, value)

    return b"".join(starmap(replaced, _STEP.iter_unpack(code)))
