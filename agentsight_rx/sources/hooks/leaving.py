"""Traced processes -> processes that go on without us: their code, stacks and calls as if we had never been there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable

from . import ptrace
from .process import Process
from .ptrace import Registers
from .space import Space

__all__ = ["let_go"]

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
