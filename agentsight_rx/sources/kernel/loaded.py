"""An Image -> its maps in the kernel, as tables, and its programs, loaded when they are first needed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from .image import Image, Map
from .ring import Growth
from .syscall import (
    ARRAY_OF_MAPS,
    RAW_TRACEPOINT,
    RINGBUF,
    TRACEPOINT,
    at_raw_tracepoint,
    create_map,
    load_program,
    skipped_runs,
)
from .tables import Table, put_map, type_of

__all__ = ["Loaded"]

_ENDS = "_exit"
_PROGRAMS = 32  # places of `deepest` in bpf/track.h
_RAW_PREFIX = "raw_tracepoint__"  # what BCC's RAW_TRACEPOINT_PROBE(name) calls its function


class Loaded:
    """
    `loaded["name"]` is a table. `entries` of maps, by their names, may differ from what they were compiled with, so that a
    program need not be compiled anew for another size. Where the kernel refuses a program, `anew` may give another Image of
    the same source, once: the one at hand may be from a file. The table of maps NAME begins with the map first_NAME.

    A program for tracepoints is loaded for each of the Image's runs.
    """

    def __init__(
        self,
        image: Image,
        anew: Callable[[], Image | None] | None = None,
        *,
        entries: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._image = image
        self._anew = anew
        self._entries = entries
        self._maps: dict[str, int] = {}
        self._tables: dict[str, Table] = {}
        self._programs: dict[tuple[str, int, int, int], int] = {}
        try:
            for each in sorted(image.maps, key=lambda each: each.kind == ARRAY_OF_MAPS):
                self._create(each)
        except BaseException:
            self.close()
            raise

    def __getitem__(self, name: str) -> Table:
        if name not in self._tables:
            found = next(each for each in self._image.maps if each.name == name)
            key, leaf = type_of(json.loads(found.key_type)), type_of(json.loads(found.leaf_type))
            self._tables[name] = Table(self._maps[name], found.kind, key, leaf, entries=self._entries.get(name, found.entries))
        return self._tables[name]

    def _create(self, wanted: Map) -> None:
        sizes, most = (wanted.key_size, wanted.leaf_size), self._entries.get(wanted.name, wanted.entries)
        first = self._maps[f"first_{wanted.name}"] if wanted.kind == ARRAY_OF_MAPS else 0
        fd = create_map(wanted.name, wanted.kind, sizes, entries=most, flags=wanted.flags, like=first)
        self._maps[wanted.name] = fd
        if first:
            put_map(fd, first)

    def growth_of(self, table: str, size: int) -> Growth:
        """How the ring in a table of rings becomes one of `size` bytes."""
        return Growth(size, partial(_new_ring, table), partial(put_map, self._maps[table]))

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

    def _load(self, name: str, kind: int, attach_type: int, run: int) -> int:
        code = self._image.linked(name, lambda number: self._maps[self._image.maps[number].name], run=run)
        return load_program(name, kind, code, attach_type=attach_type)

    def skipped(self) -> int:
        """
        How many events no program looked at, at most, because their CPU was in the middle of the same program in each run. All
        runs but one must have been counted there at once: one may stand before or behind what counts it.
        """
        fewest: dict[str, int] = {}
        for (name, kind, *_), program in self._programs.items():
            if kind in (TRACEPOINT, RAW_TRACEPOINT):  # the kernel skips no probe
                fewest[name] = min(fewest.get(name, sys.maxsize), skipped_runs(program))
        found = sum(fewest.values())
        return found if found and (len(self.runs) == 1 or self._deepest() >= self.runs[-1]) else 0

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
        descriptors = [*self._programs.values(), *self._maps.values()]
        self._programs, self._maps, self._tables = {}, {}, {}
        for fd in descriptors:
            os.close(fd)


def _new_ring(name: str, size: int) -> int:
    return create_map(name, RINGBUF, (0, 0), entries=size)
