"""
A process of its own that follows a command and all that it starts, by ptrace(2), and tells the recorder what they do.

It is no part of the recorder: an interpreter that also analyses would answer a stopped thread milliseconds late; and where the
recorder is killed, this process sees the end of its socket, takes all breakpoints out and lets everything go on. Longer than
300 lines because stops of all kinds share one table of threads.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import stat
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from msgspec import Struct, field

from ...events import Loss, Origin, ProcessExec, ProcessExit, ProcessFork, ProcessSeen
from ...loss import Reason
from ..kernel.names_and_paths import text_of
from ..proc import read_stat
from ..running import running
from ..tls.libraries import open_file
from ..tls.shapes import needs_sockets
from . import ptrace
from .code import Code, Request, code_of, identity
from .effects import Begun, Effects
from .frames import Attached, Stated, Told, Wire
from .plaintext import UNREAD, Caller, Plaintext
from .ptrace import Registers
from .space import AT_EXECFN, Mapping, Point, Space, auxiliary, mappings

__all__ = ["start"]

_WALL = 0x40000000
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_IDLE_MS = 200
_ARGV_MOST = 128 << 10
_NESTED_MOST = 64  # system calls of one thread that go on; those that were left by longjmp are never over
_STOPS = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
_CAPABILITIES = "security.capability"


class Process(Struct):
    """A process that is followed. `threads` are its own, `began_ns` when its first program began."""

    pid: int
    ppid: int
    start_ns: int
    uid: int
    comm: str
    space: Space
    threads: set[int] = field(default_factory=set)
    began_ns: int = 0
    cpu_ns: int = 0
    peak_bytes: int = 0
    is_midway: bool = False  # it ran already, and was not looked into yet
    returns: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # thread -> (stack, where it returns to)
    calling: dict[int, list[Begun]] = field(default_factory=dict)  # thread -> its system calls: handlers of signals nest them

    @property
    def by_socket(self) -> bool:
        """Whether sockets say to which connection its TLS records belong."""
        return self.space.by_socket

    def caller(self, tid: int) -> Caller:
        return Caller(self.pid, tid, self.uid, self.start_ns, os.fsencode(self.comm)[:15])

    def origin(self, tid: int) -> Origin:
        return Origin(time.monotonic_ns(), self.pid, tid=tid, uid=self.uid, comm=self.comm)


class Waiting(Struct):
    """A thread that waits for a search, and what it does then."""

    tid: int
    keys: set[tuple[int, int, int]]
    then: Callable[[], None]


class Tracer:
    def __init__(self, control: socket.socket, searcher: socket.socket, signals: int) -> None:
        self._control: Wire[Told] = Wire(control, list[str])
        self._searcher: Wire[Code] = Wire(searcher, list[Code])
        self._signals = signals
        self._out: list[Told] = []
        self._threads: dict[int, Process] = {}
        self._early: dict[int, int] = {}  # threads that stopped before their maker said so -> the status
        self._codes: dict[tuple[int, int, int], Code] = {}
        self._asked: set[tuple[int, int, int]] = set()
        self._waiting: list[Waiting] = []
        self._numbers: dict[tuple[tuple[int, int, int], str], int] = {}
        self._plaintext = Plaintext(self._out.append)
        self._effects = Effects(self._out.append)
        self._registers = Registers()
        self._ending = False
        self._kinds = frozenset[str]()
        self._privileged = os.geteuid() == 0

    # -- the loop ----------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._searcher, select.POLLIN)
        poll.register(self._signals, select.POLLIN)
        while not (self._ending or self._control.closed):
            mask = select.POLLIN | (select.POLLOUT if self._control.is_waiting else 0)
            poll.modify(self._control, mask)
            ready = dict(poll.poll(_IDLE_MS))
            if self._signals in ready:
                with suppress(BlockingIOError):
                    os.read(self._signals, 4096)
            self._drain()
            if self._searcher.fileno() in ready:
                self._found(self._searcher.receive())
            if self._control.fileno() in ready:
                for request in self._control.receive():
                    self._asked_for(str(request))
            if self._out:
                self._control.send(self._out)
                self._out.clear()
        self._let_go()
        if self._control.lost:
            note = "the recorder did not take what was seen in time"
            lost = Loss(Origin(time.monotonic_ns(), 0), "hooks", Reason.QUEUE_FULL, self._control.lost, note=note)
            self._out.append(lost)
        self._control.send(self._out)
        self._drained()

    def fail(self, trace: str) -> None:
        """Let everything go on, and say why no more is seen."""
        with suppress(Exception):
            self._let_go()
        note = f"the tracer failed, and what runs is followed no more: {trace}"
        self._out.append(Loss(Origin(time.monotonic_ns(), 0), "hooks", Reason.BUG, 1, note=note))
        self._control.send(self._out)
        self._drained()

    def _drained(self) -> None:
        """Wait until the recorder has taken all, some seconds at most."""
        until = time.monotonic() + 5.0
        while self._control.is_waiting and not self._control.closed and time.monotonic() < until:
            select.select([], [self._control], [], 0.1)
            self._control.flush()

    def _drain(self) -> None:
        """Handle every thread that has stopped or ended."""
        while True:
            try:
                tid, status = os.waitpid(-1, os.WNOHANG | _WALL)
            except ChildProcessError:
                return
            if not tid:
                return
            self._stopped(tid, status)
            if len(self._out) >= 256:
                self._control.send(self._out)
                self._out.clear()

    def _asked_for(self, request: str) -> None:
        word, *rest = request.split(" ")
        if word == "end":
            self._ending = True
            return
        pid, held = int(rest[0]), word == "hold"
        self._kinds = frozenset(rest[1].split(","))
        self._effects.kinds = self._kinds
        try:
            for tid in map(int, os.listdir(f"/proc/{pid}/task")):
                ptrace.seize(tid)
                self._adopt(pid, tid, held=held)
            if not held:
                self._threads[pid].is_midway = True
                ptrace.interrupt(pid)  # its libraries are there already
            self._out.append(Stated(pid))
        except OSError as error:
            self._out.append(Stated(pid, error.strerror or str(error)))

    def _tell(self, *events: ProcessFork | ProcessSeen | ProcessExec | ProcessExit) -> None:
        if "process" in self._kinds:
            self._out += events

    def _adopt(self, pid: int, tid: int, *, held: bool) -> None:
        known = self._threads.get(pid)
        if known is None:
            name, fields = read_stat(pid) or ("", ["", "0"] + ["0"] * 30)
            uid = os.stat(f"/proc/{pid}").st_uid
            known = Process(pid, int(fields[1]), int(fields[19]) * _TICK_NS, uid, name, Space(pid))
            if not held:
                self._tell(*running((pid,)))
        known.threads.add(tid)
        self._threads[tid] = known

    # -- stops -------------------------------------------------------------------------------------------------------

    def _stopped(self, tid: int, status: int) -> None:
        process = self._threads.get(tid)
        if not os.WIFSTOPPED(status):
            if process is not None:
                self._ended(process, tid, status)
            return
        if process is None:
            self._early[tid] = status
            return
        event, number = status >> 16, os.WSTOPSIG(status)
        if event == ptrace.STOP:
            if number in _STOPS:
                ptrace.listen(tid)
            elif tid == process.pid and not process.began_ns and process.is_midway:
                self._begin_midway(process, tid)
            else:
                ptrace.resume(tid)
        elif event in (ptrace.FORK, ptrace.VFORK, ptrace.CLONE):
            self._made(process, tid, event)
        elif event == ptrace.EXEC:
            self._executed(process, tid)
        elif event == ptrace.EXIT:
            if tid == process.pid:
                self._measure(process)
            ptrace.resume(tid)
        elif number == signal.SIGTRAP:
            self._trapped(process, tid)
        else:
            ptrace.resume(tid, number)

    def _made(self, process: Process, tid: int, event: int) -> None:
        made = ptrace.event_message(tid)
        if made and made not in self._threads:
            leader = made if event != ptrace.CLONE else _leader_of(made)
            if leader == process.pid:
                process.threads.add(made)
                self._threads[made] = process
            elif leader:
                self._forked(process, made, shares=event == ptrace.VFORK)
                other = self._threads[made]
                other.calling[made] = list(process.calling.get(tid, ()))
                other.returns[made] = list(process.returns.get(tid, ()))
        if made in self._early:
            del self._early[made]
            ptrace.resume(made)
        ptrace.resume(tid)

    def _forked(self, parent: Process, pid: int, *, shares: bool) -> None:
        _, fields = read_stat(pid) or ("", ["", "0"] + ["0"] * 30)
        shared = shares or _shares_memory(parent.pid, pid)
        space = parent.space if shared else parent.space.copy(pid)
        if shared:
            space.users += 1
        child = Process(pid, parent.pid, int(fields[19]) * _TICK_NS, parent.uid, parent.comm, space, {pid})
        self._threads[pid] = child
        origin = Origin(time.monotonic_ns(), pid, tid=pid, uid=child.uid, comm=child.comm)
        self._tell(ProcessFork(origin, parent.pid, child.start_ns))

    def _leave_space(self, process: Process) -> None:
        process.space.users -= 1
        if not process.space.users:
            process.space.close()

    def _executed(self, process: Process, tid: int) -> None:
        for other in process.threads - {process.pid}:
            self._threads.pop(other, None)
        process.threads = {process.pid}
        self._threads[process.pid] = process
        self._leave_space(process)
        space = process.space = Space(process.pid)
        process.returns.clear()
        process.calling.clear()
        if not self._privileged and _gains_rights(process.pid, process.uid):
            self._run_untraced(process, tid)
            return
        with suppress(OSError):
            process.uid = os.stat(f"/proc/{process.pid}").st_uid
        self._tell_exec(process, space)
        if not space.prepare(tid):
            self._out.append(self._blind(process, "it could not be given a page of memory"))
        elif space.entry:
            space.set(tid, space.entry, Point(b"", "entry"))
        ptrace.resume(tid)

    def _tell_exec(self, process: Process, space: Space) -> None:
        place = f"/proc/{process.pid}"
        with suppress(OSError), open(f"{place}/comm", "rb") as file:
            process.comm = text_of(file.read().rstrip(b"\n"))
        argv, cwd = b"", ""
        with suppress(OSError):
            with open(f"{place}/cmdline", "rb") as file:
                argv = file.read()
            cwd = os.readlink(f"{place}/cwd")
        origin = process.origin(process.pid)
        process.began_ns = process.began_ns or origin.time_ns
        _, fields = read_stat(process.pid) or ("", ["", "0", "0", "0"])
        self._tell(
            ProcessExec(
                origin,
                int(fields[1]),
                start_ns=process.start_ns,
                filename=text_of(space.program_name()),
                argv=tuple(text_of(word) for word in argv[:_ARGV_MOST].split(b"\0")[:-1]),
                cwd=cwd,
                sid=int(fields[3]),
                argv_lost=max(0, len(argv) - _ARGV_MOST),
            )
        )

    def _run_untraced(self, process: Process, tid: int) -> None:
        """
        A traced program does not get the rights of its file (execve(2)), so it is started again, by itself, untraced: the
        arguments still stand on its stack.
        """
        space, registers = process.space, self._registers
        self._tell_exec(process, space)
        self._out.append(self._blind(process, "it gains rights by its file (setuid or capabilities), so it must run untraced"))
        if ptrace.get_registers(tid, registers):
            arguments = space.word(registers.rsp)
            at = registers.rip
            known = space.program_name()
            if known and space.write(tid, at, b"\xb8\x3b\0\0\0\x0f\x05"):  # mov eax, 59; syscall
                registers.rsi = registers.rsp + 8
                registers.rdi = _execfn(process.pid)
                registers.rdx = registers.rsp + 8 * (arguments + 2)
                registers.orig_rax = (1 << 64) - 1
                ptrace.set_registers(tid, registers)
        self._forget(process)
        ptrace.detach(tid)

    def _blind(self, process: Process, why: str) -> Loss:
        note = f"{process.comm} ({process.pid}) is not looked into: {why}"
        return Loss(process.origin(process.pid), "hooks", Reason.UNREADABLE, 1, note=note)

    def _begin_midway(self, process: Process, tid: int) -> None:
        """A process that ran already: its program and its libraries are there."""
        process.is_midway = False
        if process.space.prepare(tid):
            self._look_into(process, tid, lambda: ptrace.resume(tid))
        else:
            ptrace.resume(tid)

    # -- breakpoints -------------------------------------------------------------------------------------------------

    def _trapped(self, process: Process, tid: int) -> None:
        registers, space = self._registers, process.space
        if not ptrace.get_registers(tid, registers):
            return
        at = registers.rip
        if space.is_behind_call(at):
            self._called(process, tid)
            return
        if at == space.trampoline + 1 and tid in process.returns:
            self._returned(process, tid)
            return
        point = space.points.get(at - 1)
        if point is None:
            ptrace.resume(tid, signal.SIGTRAP)  # its own
            return
        role = point.role
        if role == "call":
            begun = self._effects.begins(process, tid, registers)
            if begun is not None:
                calls = process.calling.setdefault(tid, [])
                calls.append(begun)
                del calls[:-_NESTED_MOST]
            registers.rip = space.calls_from(at - 1, stops=begun is not None)
            ptrace.set_registers(tid, registers)
            ptrace.resume(tid)
        elif role == "entry":
            space.unset(tid, at - 1)
            registers.rip = at - 1
            ptrace.set_registers(tid, registers)
            self._look_into(process, tid, lambda: ptrace.resume(tid))
        elif role == "loaded":
            space.pass_by(tid, registers, at - 1)
            self._look_into(process, tid, lambda: ptrace.resume(tid))
        else:
            self._in_function(process, tid, point, at - 1)

    def _called(self, process: Process, tid: int) -> None:
        """The system call that the thread made in our page is over; behind it stands the way back."""
        calls = process.calling.get(tid)
        if not calls:
            ptrace.resume(tid)
            return
        who = process.caller(tid)
        moved = self._effects.ends(process, calls.pop(), self._registers)
        if moved is not None:
            sock, outgoing = moved
            (self._plaintext.sent if outgoing else self._plaintext.received)(who, sock)
        ptrace.resume(tid)

    def _in_function(self, process: Process, tid: int, point: Point, at: int) -> None:
        registers, space, shape = self._registers, process.space, point.role
        who = process.caller(tid)
        if point.at_return:
            self._plaintext.go_returns(who, space, registers, shape)
        elif self._plaintext.enters(who, space, registers, shape, point.number):
            back = space.word(registers.rsp)
            if back != space.trampoline and space.write(tid, registers.rsp, space.trampoline.to_bytes(8, "little")):
                process.returns.setdefault(tid, []).append((registers.rsp + 8, back))
        space.pass_by(tid, registers, at)
        ptrace.resume(tid)

    def _returned(self, process: Process, tid: int) -> None:
        registers = self._registers
        stack = process.returns[tid]
        while stack and stack[-1][0] < registers.rsp:
            stack.pop()  # a function that was left by longjmp
        if not stack or stack[-1][0] != registers.rsp:
            ptrace.resume(tid, signal.SIGTRAP)
            return
        registers.rip = stack.pop()[1]
        ptrace.set_registers(tid, registers)
        self._plaintext.returns(process.caller(tid), process.space, registers)
        if not stack:
            del process.returns[tid]
        ptrace.resume(tid)

    # -- files with code ---------------------------------------------------------------------------------------------

    def _look_into(self, process: Process, tid: int, then: Callable[[], None]) -> None:
        """Set breakpoints in the files that it has mapped as code; it waits while a file is searched for the first time."""
        space, keys = process.space, set[tuple[int, int, int]]()
        found: list[tuple[Mapping, tuple[int, int, int]]] = []
        for mapping in mappings(process.pid):
            place = f"/proc/{process.pid}/root{mapping.path}"
            with suppress(Exception), open_file(place) as file:
                key = identity(file)
                if key[1] != mapping.inode or key in space.files:
                    continue
                found.append((mapping, key))
                if key not in self._codes:
                    keys.add(key)
                    if key not in self._asked:
                        self._asked.add(key)
                        request = Request(key, place, mapping.path, _is_program(process.pid, key))
                        self._searcher.send([request])  # type: ignore[list-item]

        def go_on() -> None:
            for mapping, key in found:
                code = self._codes.get(key)
                if code is not None:
                    self._set(process, tid, code, mapping)
            space.files |= {key for _, key in found}
            then()

        if keys:
            self._waiting.append(Waiting(tid, keys, go_on))
        else:
            go_on()

    def _found(self, codes: list[Code]) -> None:
        for code in codes:
            self._codes[code.key] = code
            for waiting in self._waiting:
                waiting.keys.discard(code.key)
        done = [waiting for waiting in self._waiting if not waiting.keys]
        self._waiting = [waiting for waiting in self._waiting if waiting.keys]
        for waiting in done:
            waiting.then()

    def _set(self, process: Process, tid: int, code: Code, mapping: Mapping) -> None:
        space, shift = process.space, mapping.start - mapping.offset

        def put(offset: int, role: str, number: int = 0, *, at_return: bool = False) -> None:
            if mapping.offset <= offset < mapping.offset + mapping.end - mapping.start:
                space.set(tid, shift + offset, Point(b"", role, number, at_return, code.lengths.get(offset, 0)))

        def put_call(offset: int) -> None:
            if mapping.offset <= offset < mapping.offset + mapping.end - mapping.start:
                space.set_call(tid, shift + offset)

        for finding in code.findings:
            hooks = [hook for hook in finding.placed("cheap") if hook.shape not in UNREAD]
            if not hooks or "tls" not in self._kinds:
                continue
            space.by_socket = space.by_socket or needs_sockets(finding)
            number = self._number(code, finding.stack)
            for hook in hooks:
                put(hook.offset, hook.shape, number)
                for offset in hook.returns:
                    put(offset, hook.shape, number, at_return=True)
        for offset, number in code.sites:
            if self._effects.wants(number, by_socket=space.by_socket):
                put_call(offset)
        self._follow_loads(space, tid, code, mapping)

    def _number(self, code: Code, stack: str) -> int:
        known = self._numbers.get((code.key, stack))
        if known is None:
            known = self._numbers[code.key, stack] = len(self._numbers)
            finding = next(each for each in code.findings if each.stack == stack)
            self._out.append(Attached(known, code.path, code.key, finding))
        return known

    def _follow_loads(self, space: Space, tid: int, code: Code, mapping: Mapping) -> None:
        """The dynamic linker calls a function whenever it has loaded something (the r_debug of link.h)."""
        debug, state = code.loads
        if not space.base or not mapping.start <= space.base + 4 * _PAGE + mapping.offset or not (debug or state):
            return
        address = space.base + state if state else space.word(space.base + debug + 16)
        if address:
            space.set(tid, address, Point(b"", "loaded"))

    # -- ends --------------------------------------------------------------------------------------------------------

    def _measure(self, process: Process) -> None:
        """What it used, while its memory is still there."""
        found = read_stat(process.pid)
        if found is not None:
            process.cpu_ns = (int(found[1][11]) + int(found[1][12])) * _TICK_NS
        with suppress(OSError, ValueError, StopIteration), open(f"/proc/{process.pid}/status") as file:
            process.peak_bytes = next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM"))

    def _ended(self, process: Process, tid: int, status: int) -> None:
        self._threads.pop(tid, None)
        process.threads.discard(tid)
        process.returns.pop(tid, None)
        process.calling.pop(tid, None)
        self._waiting = [waiting for waiting in self._waiting if waiting.tid != tid]
        if tid != process.pid:
            self._plaintext.thread_gone(tid)
            return
        self._plaintext.gone(process.caller(tid))
        origin = process.origin(tid)
        code = os.waitstatus_to_exitcode(status)
        self._tell(
            ProcessExit(
                origin,
                process.ppid,
                start_ns=process.start_ns,
                exit_code=code if code >= 0 else None,
                signal=max(0, -code),
                core_dumped=code < 0 and os.WCOREDUMP(status),
                duration_ns=origin.time_ns - process.began_ns if process.began_ns else 0,
                cpu_ns=process.cpu_ns,
                peak_bytes=process.peak_bytes,
            )
        )
        self._leave_space(process)

    def _forget(self, process: Process) -> None:
        for tid in process.threads:
            self._threads.pop(tid, None)
        self._leave_space(process)

    def _let_go(self) -> None:
        """Let everything that still runs go on without us: its code, its stacks and its calls as they would be."""
        for tid in list(self._threads):
            ptrace.interrupt(tid)
        stopped: set[int] = {waiting.tid for waiting in self._waiting}
        until = time.monotonic() + 2.0
        while self._threads.keys() - stopped and time.monotonic() < until:
            try:
                tid, status = os.waitpid(-1, os.WNOHANG | _WALL)
            except ChildProcessError:
                break
            if not tid:
                time.sleep(0.0005)
                continue
            process = self._threads.get(tid)
            if not os.WIFSTOPPED(status) or process is None or status >> 16 != ptrace.STOP:
                self._stopped(tid, status)
            else:
                stopped.add(tid)
        spaces: set[int] = set()
        for tid in stopped & self._threads.keys():
            process = self._threads[tid]
            self._straighten(process, tid)
            if id(process.space) not in spaces:
                spaces.add(id(process.space))
                process.space.restore(tid)
        for tid in stopped & self._threads.keys():
            ptrace.detach(tid)

    def _straighten(self, process: Process, tid: int) -> None:
        """Functions that the thread is in return to who called them."""
        for stack, back in process.returns.get(tid, ()):
            process.space.write(tid, stack - 8, back.to_bytes(8, "little"))


def _leader_of(tid: int) -> int:
    try:
        with open(f"/proc/{tid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Tgid:"))
    except (OSError, StopIteration):
        return 0


def _shares_memory(first: int, second: int) -> bool:
    """Whether clone(2) gave both one memory: the kernel compares addresses (kcmp(2)), and a mapping tells as well."""
    return ptrace.same_memory(first, second)


def _is_program(pid: int, key: tuple[int, int, int]) -> bool:
    try:
        seen = os.stat(f"/proc/{pid}/exe")
    except OSError:
        return False
    return key[:2] == (seen.st_dev, seen.st_ino)


def _gains_rights(pid: int, uid: int) -> bool:
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


def _execfn(pid: int) -> int:
    return auxiliary(pid).get(AT_EXECFN, 0)


def _search(end: socket.socket) -> NoReturn:
    """The searcher: it answers requests until the tracer ends."""
    wire: Wire[Code] = Wire(end, list[Request])
    while not wire.closed:
        select.select([wire], [wire] if wire.is_waiting else [], [])
        for request in wire.receive():
            wire.send([code_of(request)])  # type: ignore[arg-type]
        wire.flush()
    os._exit(0)


def _run(control: socket.socket) -> NoReturn:
    """The tracer's process, from fork to end."""
    os.setsid()  # so that keys of the terminal do not stop it
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        control.close()
        _search(theirs)
    theirs.close()
    signals = ptrace.child_signals()
    tracer = Tracer(control, ours, signals)
    try:
        tracer.serve()
    except Exception:  # an error of ours: what was followed goes on, and the recorder says it
        tracer.fail(traceback.format_exc())
    finally:
        os._exit(0)


def start() -> socket.socket:
    """
    Fork the tracer; returns the recorder's end of its socket. Call it before any thread exists. It is no child of ours, so
    nobody who waits for a command's processes waits for it.
    """
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            if os.fork() == 0:
                _run(theirs)
        finally:
            os._exit(0)
    theirs.close()
    os.waitpid(pid, 0)
    return ours
