"""An Image -> its maps in the kernel, as tables, and its programs, loaded when they are first needed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import starmap
from struct import Struct, pack_into
from types import MappingProxyType

import msgspec

from .syscall import (
    RAW_TRACEPOINT,
    TRACEPOINT,
    at_raw_tracepoint,
    create_map,
    load_program,
    skipped_runs,
)
from .tables import Table, type_of

# -- image ---------------------------------------------------------------------------------------------------------
# What a C source was compiled to, as a value: instructions, the maps that they use, and where they name them.


_INSTRUCTION = 8  # bytes; the number of a map is the last four of them
# Instructions: operation, registers, offset, value (Documentation/bpf/standardization/instruction-set.rst)
_STEP = Struct("<BBhi")
_CALL, _SET = 0x85, 0xB7  # operations: call what the upper half of its registers says; set a register
_OF_KERNEL = 2  # BPF_PSEUDO_KFUNC_CALL; 0 is a helper

_HASH, _EACH_WHEN_NEEDED = 1, 1  # a type of maps, and BPF_F_NO_PREALLOC (include/uapi/linux/bpf.h)
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


# ------------------------------------------------------------------------------------------------------------------------


_ENDS = "_exit"
_PROGRAMS = 32  # places of `deepest` in bpf/track.h
_RAW_PREFIX = "raw_tracepoint__"  # what BCC's RAW_TRACEPOINT_PROBE(name) calls its function


class Loaded:
    """
    `loaded["name"]` is a table. Where the kernel refuses a program, `anew` may give another Image of the same source, once: the
    one at hand may be from a file.

    A program for tracepoints is loaded for each of the Image's runs. Of the maps named in `of_run` each run has its own.
    `shared` are maps of another one that takes the place of maps with their names, and `of_runs` such maps, one for each run.
    """

    def __init__(
        self,
        image: Image,
        anew: Callable[[], Image | None] | None = None,
        *,
        of_run: Sequence[str] = (),
        shared: Mapping[str, int] = MappingProxyType({}),
        of_runs: Mapping[str, Mapping[int, int]] = MappingProxyType({}),
    ) -> None:
        self._image = image
        self._anew = anew
        self._maps = dict(shared)
        self._of_runs = dict(of_runs)
        self._own: list[int] = []  # the maps that were made here
        self._tables: dict[str, Table] = {}
        self._programs: dict[tuple[str, int, int, int], int] = {}
        given = {*shared, *of_runs}
        try:
            for each in image.maps:
                if each.name in of_run:
                    self._of_runs[each.name] = {run: self._create(each) for run in self.runs}
                elif each.name not in given:
                    self._maps[each.name] = self._create(each)
        except BaseException:
            self.close()
            raise

    def __getitem__(self, name: str) -> Table:
        if name not in self._tables:
            found = next(each for each in self._image.maps if each.name == name)
            key, leaf = type_of(json.loads(found.key_type)), type_of(json.loads(found.leaf_type))
            self._tables[name] = Table(self._maps[name], found.kind, key, leaf, entries=found.entries)
        return self._tables[name]

    def has(self, name: str) -> bool:
        """Whether it has a program or a map of this name."""
        return name in {each.name for each in self._image.functions} | {each.name for each in self._image.maps}

    def of_runs(self, name: str) -> Mapping[int, int]:
        """The descriptors of a map of which each run has its own, by their runs."""
        return self._of_runs[name]

    def _descriptor(self, name: str, run: int) -> int:
        return self._of_runs[name][run] if name in self._of_runs else self._maps[name]

    def _create(self, wanted: Map) -> int:
        sizes = wanted.key_size, wanted.leaf_size
        fd = create_map(wanted.name, wanted.kind, sizes, entries=wanted.entries, flags=wanted.flags)
        self._own.append(fd)
        return fd

    @property
    def runs(self) -> range:
        """Of a program for tracepoints; they are attached in this order."""
        return range(self._image.runs)

    def load(self, name: str, kind: int = TRACEPOINT, *, attach_type: int = 0, run: int = 0) -> int:
        """The descriptor of a program. Raises OSError where the kernel refuses it, also one of an Image that was made anew."""
        wanted = name, kind, attach_type, run
        if wanted not in self._programs:
            try:
                self._programs[wanted] = self._load(*wanted)
            except OSError:
                if not self._renew():
                    raise
                self._programs[wanted] = self._load(*wanted)
        return self._programs[wanted]

    def load_runs(self, name: str, kind: int = TRACEPOINT) -> dict[int, int]:
        """The descriptors of a program for tracepoints, by its runs."""
        return {run: self.load(name, kind, run=run) for run in self.runs}

    def _load(self, name: str, kind: int, attach_type: int, run: int) -> int:
        code = self._image.linked(name, lambda number: self._descriptor(self._image.maps[number].name, run), run=run)
        return load_program(name, kind, code, attach_type=attach_type)

    def skipped(self) -> int:
        """
        How many events no program looked at, at most, because their CPU was in the middle of the same program in each run. All
        runs but one must have been counted there at once: one may stand before or behind what counts it.
        """
        found = sum(self.skips().values())
        return found if found and (len(self.runs) == 1 or self._deepest() >= self.runs[-1]) else 0

    def skips(self) -> dict[str, int]:
        """Of each program how often the kernel skipped it, in the run in which that was least often."""
        fewest: dict[str, int] = {}
        for (name, kind, *_), program in list(self._programs.items()):  # another source may load one meanwhile
            if kind in (TRACEPOINT, RAW_TRACEPOINT):  # the kernel skips no probe
                fewest[name] = min(fewest.get(name, sys.maxsize), skipped_runs(program))
        return fewest

    def _deepest(self) -> int:
        """How many runs of a program were in the middle at once, on a CPU."""
        return max(max(self["deepest"].of_cpus(place)) for place in range(_PROGRAMS))

    def _renew(self) -> bool:
        anew, self._anew = self._anew, None
        image = anew() if anew is not None else None
        if image is None or (image.maps, image.runs) != (self._image.maps, self._image.runs):
            return False
        self._image = image
        return True

    def attach_raw(self) -> list[int]:
        """
        Run each function for a raw tracepoint at the one that it is named for, until its descriptor is closed. The ends of
        processes come first: who is forked and ends before they are seen would stay in the tables.
        """
        names = [each.name for each in self._image.functions if each.name.startswith(_RAW_PREFIX)]
        names.sort(key=lambda name: not name.endswith(_ENDS))
        programs = [
            (self.load(name, RAW_TRACEPOINT, run=run), name.removeprefix(_RAW_PREFIX)) for name in names for run in self.runs
        ]
        attached: list[int] = []
        try:
            for program, place in programs:
                attached.append(at_raw_tracepoint(program, place))
        except OSError:
            for fd in attached:
                os.close(fd)
            raise
        return attached

    def close(self) -> None:
        """Give up programs and maps; attached programs keep their own."""
        descriptors = [*self._programs.values(), *self._own]
        self._programs, self._maps, self._tables, self._own = {}, {}, {}, []
        for fd in descriptors:
            os.close(fd)
