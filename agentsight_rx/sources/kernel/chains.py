"""
Programs of sources -> rows in the kernel's tables of programs: which one runs behind which.

A row belongs to a system call, at its begin or its end, or to a moment of a process. The first place of a row has its first
program. Each further place belongs to a source, and has the program that follows the program of that source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

Programs: TypeAlias = Mapping[int, int]  # the descriptors of one program, by its runs
Link: TypeAlias = Callable[[str, int, int, Programs | None], None]  # (table, row, place, what stands there from now on)

PLACES = 8  # of a row; SLOTS in bpf/track.h


class Rows:
    """`link` changes a place in a table of the kernel. A program is never jumped to before what it jumps to itself is there."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._rows: dict[tuple[str, int], dict[int, Programs]] = {}

    def put(self, table: str, row: int, slot: int, programs: Programs) -> None:
        """The program of a source comes into a row."""
        there = self._rows.setdefault((table, row), {})
        there[slot] = programs
        if slot + 1 < PLACES:
            self._link(table, row, slot + 1, _behind(there, slot))
        self._link(table, row, _place_before(there, slot), programs)

    def take(self, slot: int) -> None:
        """All programs of a source go."""
        for (table, row), there in self._rows.items():
            if there.pop(slot, None) is not None:
                self._link(table, row, _place_before(there, slot), _behind(there, slot))
                if slot + 1 < PLACES:
                    self._link(table, row, slot + 1, None)


def _behind(there: dict[int, Programs], slot: int) -> Programs | None:
    return next((there[each] for each in sorted(there) if each > slot), None)


def _place_before(there: dict[int, Programs], slot: int) -> int:
    """The place from which the program before jumps, or else the tracker."""
    return max((each for each in there if each < slot), default=-1) + 1


# -- system calls --------------------------------------------------------------------------------------------------
# Names of system calls, as their tracepoints have them -> their numbers on x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).


NUMBERS = {
    "read": 0,
    "write": 1,
    "open": 2,
    "close": 3,
    "pread64": 17,
    "pwrite64": 18,
    "readv": 19,
    "writev": 20,
    "dup2": 33,
    "sendfile64": 40,
    "connect": 42,
    "accept": 43,
    "sendto": 44,
    "recvfrom": 45,
    "sendmsg": 46,
    "recvmsg": 47,
    "bind": 49,
    "listen": 50,
    "truncate": 76,
    "ftruncate": 77,
    "chdir": 80,
    "fchdir": 81,
    "rename": 82,
    "mkdir": 83,
    "rmdir": 84,
    "creat": 85,
    "link": 86,
    "unlink": 87,
    "openat": 257,
    "mkdirat": 258,
    "unlinkat": 263,
    "renameat": 264,
    "linkat": 265,
    "splice": 275,
    "accept4": 288,
    "dup3": 292,
    "preadv": 295,
    "pwritev": 296,
    "recvmmsg": 299,
    "open_by_handle_at": 304,
    "sendmmsg": 307,
    "renameat2": 316,
    "copy_file_range": 326,
    "preadv2": 327,
    "pwritev2": 328,
    "openat2": 437,
}
