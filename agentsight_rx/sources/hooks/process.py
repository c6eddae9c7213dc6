"""A process that is followed, and what /proc says of one that has stopped."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from ...events import Origin, ProcessExec
from ..kernel.reader import text_of
from ..proc import read_stat
from ..running import home_in
from . import ptrace
from .effects import Begun
from .plaintext import Caller
from .ptrace import Registers
from .space import AT_EXECFN, Space, auxiliary

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


# -- leaving -------------------------------------------------------------------------------------------------------
# Traced processes -> processes that go on without us: their code, stacks and calls as if we had never been there.


_WALL = 0x40000000
_LONGEST_S = 2.0  # until all threads stand still; one in an uninterruptible call may take longer
_PAUSE_S = 0.0002


def let_go(processes: Iterable[Process], still: Collection[int], handle: Callable[[int, int], None]) -> None:
    """
    `still` are threads that stand still already. `handle` takes what else happens meanwhile: (thread, wait status); it lets the
    thread run on.
    """
    owners = {tid: process for process in processes for tid in process.threads}
    stopped = {tid for tid in still if tid in owners} | _stopped(owners, owners.keys() - set(still), handle)
    spaces: dict[int, Space] = {}
    for tid in stopped:
        process = owners[tid]
        for stack, back in process.returns.get(tid, ()):
            process.space.write(tid, stack - 8, back.to_bytes(8, "little"))
        if id(process.space) not in spaces:
            spaces[id(process.space)] = process.space
            process.space.restore(tid)
    for tid in stopped:
        ptrace.detach(tid)


def _stopped(owners: dict[int, Process], wanted: Collection[int], handle: Callable[[int, int], None]) -> set[int]:
    """Stop these threads between two instructions of their own."""
    open_, stopped = set(wanted), set[int]()
    for tid in open_:
        ptrace.interrupt(tid)
    until = time.monotonic() + _LONGEST_S
    while open_ and time.monotonic() < until:
        try:
            tid, status = os.waitpid(-1, os.WNOHANG | _WALL)
        except ChildProcessError:
            break
        if not tid:
            time.sleep(_PAUSE_S)
            continue
        if (
            tid in open_
            and os.WIFSTOPPED(status)
            and status >> 16 == ptrace.STOP
            and not _is_behind_breakpoint(owners[tid], tid)
        ):
            open_.discard(tid)
            stopped.add(tid)
            continue
        if os.WIFSTOPPED(status) and status >> 16 == ptrace.STOP:
            ptrace.resume(tid)  # to the stop at its breakpoint, which the kernel has for us already
        else:
            handle(tid, status)
        if not os.WIFSTOPPED(status):
            open_.discard(tid)
        elif tid in open_:
            ptrace.interrupt(tid)
    return stopped


def _is_behind_breakpoint(process: Process, tid: int) -> bool:
    """It ran into a breakpoint, and the kernel will say so next."""
    registers, space = Registers(), process.space
    if not ptrace.get_registers(tid, registers):
        return False
    at = registers.rip
    return at - 1 in space.points or at == space.trampoline + 1 or space.is_behind_call(at)
