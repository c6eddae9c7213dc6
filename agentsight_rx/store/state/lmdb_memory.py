"""
The map of a file that is only read -> its pages given back, so that reading a large store takes little memory.

LMDB reads through a memory map, and with each page the kernel maps the pages around it (64 KiB): ten thousand rows that lie
apart are 640 MB of resident memory, although none of it is held.
"""

from __future__ import annotations

import ctypes
import os
import re
from contextlib import suppress
from typing import Protocol

__all__ = ["MappedFile"]

_DONTNEED = 4  # MADV_DONTNEED of madvise(2): of a file that is mapped shared nothing is lost, it is read again when needed
_READS = 128  # rows; after so many, 8 MiB may be resident
_LINE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ ([0-9a-f]+):([0-9a-f]+) (\d+)")  # of /proc/self/maps, proc(5)


class _Madvise(Protocol):
    def __call__(self, address: ctypes.c_void_p, size: ctypes.c_size_t, advice: int, /) -> int: ...


class MappedFile:
    """Counts the bytes that are read of a file, and gives its pages back from time to time."""

    def __init__(self, path: str) -> None:
        found = os.stat(path)
        self._file = (os.major(found.st_dev), os.minor(found.st_dev), found.st_ino)
        self._madvise: _Madvise = ctypes.CDLL(None).madvise
        self._reads = 0

    def is_due(self, rows: int) -> bool:
        """So many rows more were read: is it time to give pages back?"""
        self._reads += rows
        return self._reads >= _READS

    def give_back(self) -> None:
        """The map must stay where it is meanwhile. Where the pages cannot be given back, they stay."""
        self._reads = 0
        with suppress(OSError), open("/proc/self/maps") as maps:
            for line in maps:
                found = _LINE.match(line)
                if found and (int(found[3], 16), int(found[4], 16), int(found[5])) == self._file:
                    begin, end = int(found[1], 16), int(found[2], 16)
                    self._madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), _DONTNEED)
