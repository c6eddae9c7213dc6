"""A process that is followed, and what /proc says of one that has stopped."""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from ...events import Origin, ProcessExec
from ..kernel.names_and_paths import text_of
from ..proc import read_stat
from ..running import home_in
from .effects import Begun
from .plaintext import Caller
from .space import AT_EXECFN, Space, auxiliary

__all__ = ["Process", "class_of", "execfn", "gains_rights", "is_program", "leader_of", "process_of"]

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_ARGV_MOST = 128 << 10
_CAPABILITIES = "security.capability"


class Process(Struct):
    """A process that is followed. `threads` are its own, `began_ns` when its first program began."""

    pid: int
    ppid: int
    start_ns: int
    uid: int
    comm: str
    space: Space
    threads: set[int] = set()
    began_ns: int = 0
    cpu_ns: int = 0
    peak_bytes: int = 0
    is_midway: bool = False  # it ran already, and was not looked into yet
    returns: dict[int, list[tuple[int, int]]] = {}  # thread -> (stack, where it returns to)
    calling: dict[int, list[Begun]] = {}  # thread -> its system calls: handlers of signals nest them

    @property
    def by_socket(self) -> bool:
        """Whether sockets say to which connection its TLS records belong."""
        return self.space.by_socket

    def caller(self, tid: int) -> Caller:
        return Caller(self.pid, tid, self.uid, self.start_ns, os.fsencode(self.comm)[:15])

    def origin(self, tid: int) -> Origin:
        return Origin(time.monotonic_ns(), self.pid, tid=tid, uid=self.uid, comm=self.comm)

    def executed(self) -> ProcessExec:
        """It runs another program: that one."""
        place = f"/proc/{self.pid}"
        argv, cwd = b"", ""
        with suppress(OSError):
            self.uid = os.stat(place).st_uid
            with open(f"{place}/comm", "rb") as file:
                self.comm = text_of(file.read().rstrip(b"\n"))
            with open(f"{place}/cmdline", "rb") as file:
                argv = file.read()
            cwd = os.readlink(f"{place}/cwd")
        origin = self.origin(self.pid)
        self.began_ns = self.began_ns or origin.time_ns
        _, fields = read_stat(self.pid) or ("", ["", "0", "0", "0"])
        return ProcessExec(
            origin,
            int(fields[1]),
            start_ns=self.start_ns,
            filename=text_of(self.space.program_name()),
            argv=tuple(text_of(word) for word in argv[:_ARGV_MOST].split(b"\0")[:-1]),
            cwd=cwd,
            sid=int(fields[3]),
            argv_lost=max(0, len(argv) - _ARGV_MOST),
            home=home_in(Path(place)),
        )

    def measure(self) -> None:
        """What it used, while its memory is still there."""
        found = read_stat(self.pid)
        if found is not None:
            self.cpu_ns = (int(found[1][11]) + int(found[1][12])) * _TICK_NS
        with suppress(OSError, ValueError, StopIteration), open(f"/proc/{self.pid}/status") as file:
            self.peak_bytes = next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM"))


def process_of(pid: int, space: Space, *, parent: Process | None = None) -> Process:
    """One that is there now."""
    name, fields = read_stat(pid) or ("", ["", "0"] + ["0"] * 30)
    start_ns = int(fields[19]) * _TICK_NS
    if parent is not None:
        return Process(pid, parent.pid, start_ns, uid=parent.uid, comm=parent.comm, space=space, threads={pid})
    uid = os.stat(f"/proc/{pid}").st_uid
    return Process(pid, int(fields[1]), start_ns, uid=uid, comm=name, space=space)


def class_of(pid: int) -> int:
    """64 or 32 bits, of the program that it runs (e_ident of elf(5)); 0: it cannot be read."""
    try:
        with open(f"/proc/{pid}/exe", "rb") as file:
            head = file.read(5)
    except OSError:
        return 0
    return {b"\x01": 32, b"\x02": 64}.get(head[4:], 0)


def leader_of(tid: int) -> int:
    try:
        with open(f"/proc/{tid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Tgid:"))
    except (OSError, StopIteration):
        return 0


def is_program(pid: int, key: tuple[int, int, int]) -> bool:
    try:
        seen = os.stat(f"/proc/{pid}/exe")
    except OSError:
        return False
    return key[:2] == (seen.st_dev, seen.st_ino)


def gains_rights(pid: int, uid: int) -> bool:
    """Whether the file of its program gives it rights that it does not have (execve(2), capabilities(7))."""
    try:
        seen = os.stat(f"/proc/{pid}/exe")
        if seen.st_mode & stat.S_ISUID and seen.st_uid != uid:
            return True
        if seen.st_mode & stat.S_ISGID and seen.st_mode & stat.S_IXGRP and seen.st_gid not in (os.getgid(), *os.getgroups()):
            return True
        return bool(os.getxattr(f"/proc/{pid}/exe", _CAPABILITIES))
    except OSError:
        return False


def execfn(pid: int) -> int:
    return auxiliary(pid).get(AT_EXECFN, 0)
