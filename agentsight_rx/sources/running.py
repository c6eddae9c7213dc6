"""/proc -> ProcessSeen: processes that ran already when the capture began; the ancestors of a process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from ..events import Origin, ProcessSeen
from ..policy.rules.guard.values import home_of
from .kernel.reader import text_of
from .proc import process_now, read_stat

_PROC = Path("/proc")
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_DEPTH_MOST = 256  # ancestors of a process
_ARGV_MOST = 128 << 10  # bytes, as the kernel takes of one argument at most


def running(pids: Iterable[int]) -> list[ProcessSeen]:
    """What /proc shows of these processes now, parents before their children. One that ends meanwhile is left out."""
    now_ns = time.monotonic_ns()
    found = [seen for pid in pids if (seen := _seen(pid, now_ns)) is not None]
    return sorted(found, key=lambda seen: (seen.start_ns, seen.origin.pid))


def _seen(pid: int, now_ns: int) -> ProcessSeen | None:
    place, stat = _PROC / str(pid), read_stat(pid)
    if stat is None:
        return None
    name, fields = stat
    try:
        uid = place.stat().st_uid
        words = _words(place / "cmdline")
    except OSError:
        return None
    filename = _link(place / "exe")
    if int(fields[1]) == os.getpid() and filename == _link(_PROC / "self" / "exe"):
        return None  # a command of ours that waits for its start: its program is not the user's
    origin = Origin(now_ns, pid, tid=pid, uid=uid, comm=name)
    argv = tuple(text_of(word) for word in words)
    start_ns, home = int(fields[19]) * _TICK_NS, home_in(place)
    cwd = _link(place / "cwd")
    return ProcessSeen(origin, int(fields[1]), start_ns=start_ns, filename=filename, argv=argv, cwd=cwd, home=home)


def _words(path: Path) -> list[bytes]:
    with open(path, "rb") as file:
        return file.read(_ARGV_MOST).split(b"\0")[:-1]


def home_in(place: Path) -> str:
    """HOME of its environment, as `home_of` has it; "" where we may not read that."""
    try:
        return home_of(next((text_of(word[5:]) for word in _words(place / "environ") if word.startswith(b"HOME=")), ""))
    except OSError:
        return ""


def goes_on(pid: int, start_ns: int) -> bool:
    """Whether this process runs now, and no other one has its pid."""
    stat = read_stat(pid)
    return stat is not None and int(stat[1][19]) == start_ns // _TICK_NS and process_now(str(pid)) is not None


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def ancestors(pid: int) -> list[int]:
    """The parent of a process now, the parent's parent, …"""
    above: list[int] = []
    while len(above) < _DEPTH_MOST and (stat := read_stat(pid)) is not None and (pid := int(stat[1][1])):
        above.append(pid)
    return above
