"""
A process of its own that follows a command and all that it starts, by ptrace(2), and tells the recorder what they do.

It is no part of the recorder: an interpreter that also analyses would answer a stopped thread milliseconds late; and where the
recorder is killed, this process sees the end of its socket, takes all breakpoints out and lets everything go on.

Longer than 300 lines because stops of all kinds share one table of threads.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
import traceback
from contextlib import suppress
from typing import NoReturn

from ...events import Loss, Origin, ProcessExec, ProcessExit, ProcessFork, ProcessSeen, UnreadTls
from ...events.loss import Reason
from ..kernel.rights import own_rights
from ..running import running
from ..tls.records import needs_sockets
from ..tls.stacks.search import IN_LIBRARIES
from . import ptrace
from .calls import TRACE, Attached, Report, Stated, Wire
from .code import Code
from .effects import Effects
from .plaintext import UNREAD, Plaintext
from .process import Process, class_of, execfn, gains_rights, leader_of, let_go, process_of
from .ptrace import Registers
from .searches import Found, Searches, start_searching
from .space import Mapping, Point, Space

_WALL = 0x40000000
_IDLE_MS, _OPEN_MS = 200, 20  # how long nothing may happen, and while the outcome of a connect is open
_TOGETHER = 256  # values that are sent together
_NAMED_MOST = 8
_END_S = 5.0  # how long the recorder may take for the last of them
_NESTED_MOST = 64  # system calls of one thread that go on; those that were left by longjmp are never over
_STOPS = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
# A process may spend about a tenth of its time in stops at system calls, of 20 to 50 µs each. One that would spend more is
# followed on, but its files and connections are not.
_CALLS_MOST, _CALLS_S = 4096, 1.0
_TAKEN = "another recorder or a debugger stops it at the same place, so not all of it is seen:"
_NOT_PERMITTED = (1 << 64) - 1  # EPERM, as a system call returns it
_TRACEME, _ATTACH, _SEIZE = 0, 16, 0x4206  # linux/ptrace.h
_EXECVE = b"\xb8\x3b\0\0\0\x0f\x05"  # mov eax, 59; syscall


class Tracer:
    def __init__(self, control: socket.socket, searches: Searches, signals: int) -> None:
        self._control: Wire[Report, str] = Wire(control, list[str])
        self._searches = searches
        self._signals = signals
        self._out: list[Report] = []
        self._threads: dict[int, Process] = {}
        self._early: set[int] = set()  # threads that stopped before their maker said so
        self._numbers: dict[tuple[tuple[int, int, int], str], int] = {}
        self._plaintext = Plaintext(self._out.append)
        self._effects = Effects(self._out.append)
        self._registers = Registers()
        self._kinds = frozenset[str]()
        self._ending = self._began = self._held = False
        self._privileged = "CAP_SYS_PTRACE" in own_rights().capabilities

    # -- the loop ----------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        poll = select.poll()
        for each in (self._control, self._searches.wire, self._signals):
            poll.register(each, select.POLLIN)
        while not (self._ending or self._control.closed):
            poll.modify(self._control, select.POLLIN | (select.POLLOUT if self._control.is_waiting else 0))
            ready = dict(poll.poll(_OPEN_MS if self._effects.pending else _IDLE_MS))
            self._effects.settle()
            if self._signals in ready:
                with suppress(BlockingIOError):
                    os.read(self._signals, 4096)
            self._drain()
            if self._searches.wire.fileno() in ready:
                self._searches.take()
                if self._searches.wire.closed:
                    poll.unregister(self._searches.wire)
            if self._control.fileno() in ready:
                for request in self._control.receive():
                    self._asked_for(request)
            self._send()
        self._end()

    def _send(self) -> None:
        self._control.send(self._out)
        self._out.clear()

    def _end(self) -> None:
        processes = {process.pid: process for process in self._threads.values()}
        self._effects.settle(at_end=True)
        if self._held and processes:
            left = ", ".join(map(str, [*processes][:_NAMED_MOST]))
            note = f"processes that the command left go on: {left}"
            self._out.append(Loss(_now(), "process", Reason.LEFT_RUNNING, len(processes), note=note))
        let_go(processes.values(), self._searches.waiting, self._stopped)
        if self._control.lost:
            note = "the recorder did not take what was seen in time"
            self._out.append(Loss(_now(), "hooks", Reason.QUEUE_FULL, self._control.lost, note=note))
        self._send()
        until = time.monotonic() + _END_S
        while self._control.is_waiting and not self._control.closed and time.monotonic() < until:
            select.select([], [self._control], [], 0.1)
            self._control.flush()

    def fail(self, trace: str) -> None:
        """An error of ours: let everything go on, and say why no more is seen."""
        note = f"the tracer failed, and what runs is followed no more: {trace}"
        self._out.append(Loss(_now(), "hooks", Reason.BUG, 1, note=note))
        self._end()

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
            if self._effects.pending:
                self._effects.settle()
            if len(self._out) >= _TOGETHER:
                self._send()

    def _asked_for(self, request: str) -> None:
        """`hold PID KINDS`: a command that has not begun; `join PID KINDS`: a process that runs; `end`."""
        word, *rest = request.split(" ")
        if word == "end":
            self._ending = True
            return
        pid, held = int(rest[0]), word == "hold"
        self._kinds = self._effects.kinds = frozenset(rest[1].split(","))
        try:
            process = process_of(pid, Space(pid))
            for tid in map(int, os.listdir(f"/proc/{pid}/task")):
                ptrace.seize(tid)
                process.threads.add(tid)
                self._threads[tid] = process
            if not held:
                self._tell(*running((pid,)))
                process.is_midway = True
                ptrace.interrupt(pid)
            self._began, self._held = True, held
            self._out.append(Stated(pid))
        except OSError as error:
            self._out.append(Stated(pid, error.strerror or str(error)))

    def _tell(self, *events: ProcessFork | ProcessSeen | ProcessExec | ProcessExit) -> None:
        if "process" in self._kinds:
            self._out += events

    def _tell_blind(self, process: Process, why: str, reason: Reason = Reason.UNFOLLOWED) -> None:
        note = f"{process.comm} ({process.pid}): {why}"
        self._out.append(Loss(process.origin(process.pid), "hooks", reason, 1, note=note))

    # -- stops -------------------------------------------------------------------------------------------------------

    def _stopped(self, tid: int, status: int) -> None:
        process = self._threads.get(tid)
        if not os.WIFSTOPPED(status):
            if process is not None:
                self._ended(process, tid, status)
            return
        if process is None:
            self._early.add(tid)
            return
        event, number = status >> 16, os.WSTOPSIG(status)
        if event == ptrace.STOP:
            if number in _STOPS:
                ptrace.listen(tid)
            elif process.is_midway and tid == process.pid:
                self._begin_midway(process, tid)
            else:
                ptrace.resume(tid)
        elif event in (ptrace.FORK, ptrace.VFORK, ptrace.CLONE):
            self._made(process, tid, event)
        elif event == ptrace.EXEC:
            self._executed(process, tid)
        elif event == ptrace.VFORK_DONE:
            if process.space.suspended:
                process.space.suspend(tid, ends=True)
            ptrace.resume(tid)
        elif event == ptrace.EXIT:
            if tid == process.pid:
                process.measure()
            ptrace.resume(tid)
        elif number == signal.SIGTRAP:
            self._trapped(process, tid)
        else:
            ptrace.resume(tid, number)

    def _made(self, process: Process, tid: int, event: int) -> None:
        made = ptrace.event_message(tid)
        if made and made not in self._threads:
            leader = made if event != ptrace.CLONE else leader_of(made)
            if leader == process.pid:
                process.threads.add(made)
                self._threads[made] = process
            elif leader:
                other = self._forked(process, made, shares=event == ptrace.VFORK)
                other.calling[made] = list(process.calling.get(tid, ()))
                other.returns[made] = list(process.returns.get(tid, ()))
        if made in self._early:
            self._early.discard(made)
            ptrace.resume(made)
        ptrace.resume(tid)

    def _forked(self, parent: Process, pid: int, *, shares: bool) -> Process:
        shared = shares or ptrace.same_memory(parent.pid, pid)
        space = parent.space if shared else parent.space.copy(pid)
        space.users += shared
        child = self._threads[pid] = process_of(pid, space, parent=parent)
        self._tell(ProcessFork(child.origin(pid), parent.pid, child.start_ns))
        return child

    def _executed(self, process: Process, tid: int) -> None:
        for other in process.threads - {process.pid}:
            self._threads.pop(other, None)
        process.threads = {process.pid}
        self._threads[process.pid] = process
        process.space.leave()
        space = process.space = Space(process.pid)
        process.returns.clear()
        process.calling.clear()
        self._tell(process.executed())
        if not self._privileged and gains_rights(process.pid, process.uid):
            self._run_untraced(process, tid)
            return
        if class_of(process.pid) != 64:
            self._tell_blind(process, "a 32-bit program, into which breakpoints do not look", Reason.OTHER_ABI)
        elif not space.prepare(tid):
            self._tell_blind(process, "it could not be given a page of memory, so it is not looked into")
        elif space.entry and not space.set(tid, space.entry, Point(b"", "entry")):
            self._tell_blind(process, f"{_TAKEN} the program's begin")
        ptrace.resume(tid)

    def _run_untraced(self, process: Process, tid: int) -> None:
        """
        A traced program does not get the rights of its file (execve(2)), so it is started again, by itself, untraced: the
        arguments still stand on its stack.
        """
        self._tell_blind(process, "it gains rights by its file (setuid or capabilities), so it and what it starts run untraced")
        space, registers = process.space, self._registers
        name = execfn(process.pid)
        if name and ptrace.get_registers(tid, registers) and space.write(tid, registers.rip, _EXECVE):
            count = space.word(registers.rsp)
            registers.rdi = name
            registers.rsi = registers.rsp + 8
            registers.rdx = registers.rsp + 8 * (count + 2)
            registers.orig_rax = (1 << 64) - 1
            ptrace.set_registers(tid, registers)
        self._forget(process)
        ptrace.detach(tid)

    def _begin_midway(self, process: Process, tid: int) -> None:
        """A process that ran already: its program and its libraries are there."""
        process.is_midway = False
        if class_of(process.pid) == 64 and process.space.prepare(tid):
            self._look_into(process, tid)
        else:
            self._tell_blind(process, "it could not be given a page of memory, so it is not looked into")
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
        elif point.role == "call":
            self._calls(process, tid, at - 1)
        elif point.role == "entry":
            space.unset(tid, at - 1)
            registers.rip = at - 1
            ptrace.set_registers(tid, registers)
            self._look_into(process, tid)
        elif point.role == "loaded":
            space.pass_by(tid, registers, at - 1)
            self._look_into(process, tid)
        else:
            self._in_function(process, tid, point, at - 1)

    def _calls(self, process: Process, tid: int, at: int) -> None:
        """It is about to make a system call, which it makes in our page instead."""
        registers, space = self._registers, process.space
        begun = self._effects.begins(process, tid, registers)
        if begun is not None:
            calls = process.calling.setdefault(tid, [])
            calls.append(begun)
            del calls[:-_NESTED_MOST]
        registers.rip = space.calls_from(at, stops=begun is not None)
        ptrace.set_registers(tid, registers)
        if space.counts_too_many(_CALLS_MOST, _CALLS_S):
            space.unset_calls(tid)
            why = (
                f"it makes more than {_CALLS_MOST:,} system calls a second: from here on its files and connections are not seen"
            )
            self._tell_blind(process, why)
        ptrace.resume(tid)

    def _called(self, process: Process, tid: int) -> None:
        """The system call that the thread made in our page is over; behind it stands the way back."""
        calls = process.calling.get(tid)
        if not calls:
            ptrace.resume(tid)
            return
        begun = calls.pop()
        if begun.number == TRACE:
            if self._made_way(process, tid, begun.arguments):
                return
        elif (moved := self._effects.ends(process, begun, self._registers)) is not None:
            sock, outgoing = moved
            (self._plaintext.sent if outgoing else self._plaintext.received)(process.caller(tid), sock)
        ptrace.resume(tid)

    def _made_way(self, process: Process, tid: int, arguments: tuple[int, ...]) -> bool:
        """
        A debugger may not trace what we trace. Where that is why its call failed, the other process is let go, and the call is
        made again. True where this thread was let go itself.
        """
        registers = self._registers
        if registers.rax != _NOT_PERMITTED or arguments[0] not in (_TRACEME, _ATTACH, _SEIZE):
            return False
        other = process if arguments[0] == _TRACEME else self._threads.get(arguments[1] & 0xFFFFFFFF)
        if other is None or (other.space.users > 1 and other is not process):
            return False
        registers.rip -= 3  # to the system call in our page
        registers.rax, registers.orig_rax = 101, (1 << 64) - 1
        ptrace.set_registers(tid, registers)
        self._tell_blind(other, "a debugger traces it: from here on it is not seen")
        if other.space.users > 1:  # made by vfork: its parent, whose memory this is, waits until it runs another program
            other.space.suspend(tid)
            ptrace.detach(tid)
        else:
            still = {tid} if other is process else set[int]()
            let_go([other], still | (self._searches.waiting & other.threads), self._stopped)
        self._forget(other)
        return other is process

    def _in_function(self, process: Process, tid: int, point: Point, at: int) -> None:
        registers, space, shape = self._registers, process.space, point.role
        who = process.caller(tid)
        registers.rsp += point.pushed  # as it was where the function began
        if point.at_return:
            self._plaintext.go_returns(who, space, registers, shape)
        elif self._plaintext.enters(who, space, registers, shape, point.number):
            back = space.word(registers.rsp)
            if back != space.trampoline and space.write(tid, registers.rsp, space.trampoline.to_bytes(8, "little")):
                process.returns.setdefault(tid, []).append((registers.rsp + 8, back))
        registers.rsp -= point.pushed
        space.pass_by(tid, registers, at)
        ptrace.resume(tid)

    def _returned(self, process: Process, tid: int) -> None:
        registers = self._registers
        stack = process.returns[tid]
        while len(stack) > 1 and stack[-1][0] < registers.rsp:
            stack.pop()  # a function that was left by longjmp
        registers.rip = stack.pop()[1]
        ptrace.set_registers(tid, registers)
        self._plaintext.returns(process.caller(tid), process.space, registers)
        if not stack:
            del process.returns[tid]
        ptrace.resume(tid)

    # -- files with code ---------------------------------------------------------------------------------------------

    def _look_into(self, process: Process, tid: int) -> None:
        """Set breakpoints in the files that it has mapped as code; its thread waits while one is searched."""

        def go_on(found: Found) -> None:
            for mapping, code in found:
                self._set(process, tid, code, mapping)
            ptrace.resume(tid)

        self._searches.of(process, tid, go_on)

    def _set(self, process: Process, tid: int, code: Code, mapping: Mapping) -> None:
        space = process.space

        def put(offset: int, role: str, number: int, *, at_return: bool = False, pushed: int = 0) -> bool:
            point = Point(b"", role, number, at_return=at_return, length=code.lengths.get(offset, 0), pushed=pushed)
            return not mapping.has(offset) or space.set(tid, mapping.address(offset), point)

        for finding in code.findings if "tls" in self._kinds else ():
            hooks = [hook for hook in finding.placed("cheap") if hook.shape not in UNREAD]
            number = self._number(code, finding.stack) if hooks else 0
            if not hooks and finding.stack not in IN_LIBRARIES:
                looks = finding.stack + (f", {finding.failure}" if finding.failure else "")
                self._out.append(UnreadTls(process.origin(tid), process.start_ns, code.path, looks))
            space.by_socket = space.by_socket or (bool(hooks) and needs_sockets(finding))
            free = True
            for hook in hooks:
                offset, pushed = code.begins.get(hook.offset, (hook.offset, 0))
                free &= put(offset, hook.shape, number, pushed=pushed)
                for offset in hook.returns:
                    free &= put(offset, hook.shape, number, at_return=True)
            if not free:
                self._tell_blind(process, f"{_TAKEN} {code.path}")
        space.want(tid, self._effects.numbers(by_socket=space.by_socket))
        for offset, number, lead in code.sites:
            if mapping.has(offset) and self._effects.wants(number, by_socket=space.by_socket):
                space.set_call(tid, mapping.address(offset), lead if len(process.threads) == 1 else 0)
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
        if not space.base or not mapping.is_of(space.base):
            return
        address = space.base + state if state else space.word(space.base + debug + 16) if debug else 0
        if address:
            space.set(tid, address, Point(b"", "loaded"))

    # -- ends --------------------------------------------------------------------------------------------------------

    def _ended(self, process: Process, tid: int, status: int) -> None:
        self._threads.pop(tid, None)
        process.threads.discard(tid)
        process.returns.pop(tid, None)
        process.calling.pop(tid, None)
        self._searches.forget(tid)
        if tid != process.pid:
            self._plaintext.thread_gone(tid)
            return
        self._effects.settle(ended=tid)
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
        self._plaintext.gone(process.caller(tid))
        process.space.leave()
        if self._began and not self._threads:
            self._out.append(Stated())

    def _forget(self, process: Process) -> None:
        for tid in process.threads:
            self._threads.pop(tid, None)
            self._searches.forget(tid)
        process.space.leave()


def _now() -> Origin:
    return Origin(time.monotonic_ns(), 0)


def _run(control: socket.socket) -> NoReturn:
    """The tracer's process, from fork to end."""
    os.setsid()  # so that keys of the terminal do not stop it
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    tracer = Tracer(control, start_searching(control), ptrace.child_signals())
    try:
        tracer.serve()
    except Exception:
        tracer.fail(traceback.format_exc())
    finally:
        os._exit(0)


def start() -> socket.socket:
    """
    Fork the tracer; returns the recorder's end of its socket. Call it before any thread exists. It is no child of ours, so a
    wait for the processes of a command does not wait for it.
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
