"""
/proc and the kernel -> the PID namespace that we run in.

A program of the kernel and we call a process by its number in our namespace, see bpf/track.h. So does /proc, but only
where it belongs to our namespace: elsewhere nothing is captured, as a number there means another process.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from struct import pack
from typing import TypeAlias

from msgspec import Struct

from ...core.errors import CaptureError
from .btf import offsets
from .syscall import RAW_TRACEPOINT, load_program, run_once

FIRST_INODE = 0xEFFFFFFC  # of the first one: PROC_PID_INIT_INO, include/linux/proc_ns.h

_PROC = Path("/proc")
_THREAD_PID, _LEVEL = "task_struct.thread_pid", "pid.level"

# Instructions: operation, registers (source << 4 | target), offset, value: bpf/standardization/instruction-set.rst
_SET, _COPY, _ADD, _LOAD_64, _LOAD_32, _CALL, _EXIT = 0xB7, 0xBF, 0x07, 0x79, 0x61, 0x85, 0x95
_CURRENT_TASK, _READ_KERNEL = 35, 113  # helpers: enum bpf_func_id, include/uapi/linux/bpf.h
_Step: TypeAlias = tuple[int, int, int, int]


class Namespace(Struct, frozen=True):
    """A PID namespace that is `depth` below the first one. `inode` is its number, 0 for the first one itself."""

    inode: int = 0
    depth: int = 0

    @property
    def flags(self) -> list[str]:
        """Definitions for bpf/track.h."""
        return ["-DIN_NAMESPACE"] if self.inode else []

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of kernel structs that these need."""
        return (_THREAD_PID, _LEVEL, "upid.nr", "upid.ns", "pid_namespace.ns.inum") if self.inode else ()


def own_namespace(proc: Path = _PROC) -> Namespace:
    """Asks the kernel, which refuses it to some users. Raises CaptureError where `check_proc` does."""
    check_proc(proc)
    try:
        inode = os.stat(proc / "self/ns/pid").st_ino
    except FileNotFoundError:
        return Namespace()  # a kernel without PID namespaces
    except OSError as error:
        raise CaptureError(
            f"{proc}/self/ns/pid cannot be read ({error.strerror}), so the PID namespace that we run in is not known"
        ) from error
    return Namespace() if inode == FIRST_INODE else Namespace(inode, _depth())


def check_proc(proc: Path = _PROC) -> None:
    """Raises CaptureError where /proc is not that of our namespace, or clocks here are not those of the kernel."""
    _refuse_foreign(proc)
    _refuse_other_clocks(proc)


def _refuse_foreign(proc: Path) -> None:
    try:
        status = (proc / "self/status").read_text(errors="replace")
    except OSError as error:
        numbers, seen = list[str](), f"we are process {os.getpid()}, and {proc}/self/status cannot be read ({error.strerror})"
    else:
        # of the namespace that /proc belongs to and of each one below, down to ours (proc_pid_status(5))
        found = re.search(r"^NSpid:((?:\s+\d+)+)$", status, re.MULTILINE)
        numbers = found[1].split() if found else [str(os.getpid())]
        seen = f"we are process {os.getpid()}, and {proc} calls us {numbers[0]}"
    if len(numbers) != 1:
        raise CaptureError(
            f"{seen}: {proc} is not of the PID namespace that we run in, so a number there means another process; "
            f"mount it anew (mount -t proc proc {proc}, or start with unshare --mount-proc), "
            "or run in the namespace of the host (docker run --pid=host)"
        )


def _refuse_other_clocks(proc: Path) -> None:
    try:
        text = (proc / "self/timens_offsets").read_text()
    except OSError:
        return  # a kernel without time namespaces
    moved = [line.split() for line in text.splitlines() if any(int(number) for number in line.split()[1:])]
    if moved:
        named = ", ".join(f"{name} {int(seconds):+d} s" for name, seconds, _ in moved)
        raise CaptureError(
            f"we run in a time namespace whose clocks differ from the kernel's ({named}), so times of processes would not fit; "
            "start this outside of it"
        )


@cache
def _depth() -> int:
    """How many namespaces ours is below. Only the kernel knows: a program that runs in this thread reads `level` of its pid."""
    pid, level = offsets((_THREAD_PID, _LEVEL))
    steps = ((_CALL, 0, 0, _CURRENT_TASK), *_read_at(pid, _LOAD_64, 8), *_read_at(level, _LOAD_32, 4), (_EXIT, 0, 0, 0))
    try:
        program = load_program("depth", RAW_TRACEPOINT, b"".join(pack("<BBhi", *step) for step in steps))
        try:
            return run_once(program)
        finally:
            os.close(program)
    except OSError as error:
        raise CaptureError(
            f"we run in a PID namespace, and the kernel did not say how deep it is ({str(error)[:200]}); "
            "run in the namespace of the host (docker run --pid=host)"
        ) from error


def _read_at(offset: int, load: int, size: int) -> tuple[_Step, ...]:
    """r0 = what stands at r0 + offset, by the last 8 bytes of the stack."""
    return (
        (_ADD, 0, 0, offset),
        (_COPY, 0x03, 0, 0),
        (_COPY, 0xA1, 0, 0),
        (_ADD, 1, 0, -8),
        (_SET, 2, 0, size),
        (_CALL, 0, 0, _READ_KERNEL),
        (load, 0xA0, -8, 0),
    )
