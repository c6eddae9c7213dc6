"""ptrace(2), and the memory and registers of a stopped thread (x86-64)."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from contextlib import suppress

# linux/ptrace.h
_CONT, _SINGLESTEP, _GETREGS, _SETREGS, _DETACH, _POKEDATA = 7, 9, 12, 13, 17, 5
_GETEVENTMSG, _SEIZE, _INTERRUPT, _LISTEN = 0x4201, 0x4206, 0x4207, 0x4208
FORK, VFORK, CLONE, EXEC, VFORK_DONE, EXIT, STOP = 1, 2, 3, 4, 5, 6, 128  # PTRACE_EVENT_*
OPTIONS = sum(1 << event for event in (FORK, VFORK, CLONE, EXEC, VFORK_DONE, EXIT))

_KCMP, _KCMP_VM, _TKILL = 312, 1, 200
_SET_PTRACER, _ANY = 0x59616D61, ctypes.c_ulong(-1)  # linux/prctl.h

_libc = ctypes.CDLL(None, use_errno=True)
_ptrace = _libc.ptrace
_ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_ptrace.restype = ctypes.c_long


class Registers(ctypes.Structure):
    """struct user_regs_struct of sys/user.h."""

    r15: int
    r14: int
    rbp: int
    rbx: int
    r10: int
    r9: int
    r8: int
    rax: int
    rcx: int
    rdx: int
    rsi: int
    rdi: int
    orig_rax: int
    rip: int
    rsp: int

    _fields_ = tuple(
        (name, ctypes.c_ulonglong)
        for name in [
            "r15",
            "r14",
            "r13",
            "r12",
            "rbp",
            "rbx",
            "r11",
            "r10",
            "r9",
            "r8",
            "rax",
            "rcx",
            "rdx",
            "rsi",
            "rdi",
            "orig_rax",
            "rip",
            "cs",
            "eflags",
            "rsp",
            "ss",
            "fs_base",
            "gs_base",
            "ds",
            "es",
            "fs",
            "gs",
        ]
    )


def _call(request: int, tid: int, address: int = 0, data: int = 0) -> None:
    if _ptrace(request, tid, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def seize(tid: int, options: int = OPTIONS) -> None:
    """Trace this thread, which runs on, and what it forks. Raises PermissionError where the kernel refuses."""
    _call(_SEIZE, tid, 0, options)


def resume(tid: int, number: int = 0) -> None:
    """Let a stopped thread run on, with this signal. One that was killed meanwhile reports its end."""
    _ptrace(_CONT, tid, 0, number)


def step(tid: int) -> bool:
    """Let it run one instruction. False where it ended; what else stopped it comes again."""
    return _run_to_trap(tid, _SINGLESTEP)


def run_to_trap(tid: int) -> bool:
    """Let it run to a breakpoint that is a moment ahead. False where it ended; signals that come meanwhile come again."""
    return _run_to_trap(tid, _CONT)


def _run_to_trap(tid: int, request: int) -> bool:
    missed: list[int] = []
    while _ptrace(request, tid, 0, 0) == 0:
        _, status = os.waitpid(tid, 0x40000000)
        if not os.WIFSTOPPED(status):
            return False
        if os.WSTOPSIG(status) == signal.SIGTRAP and not status >> 16:
            for number in missed:
                _libc.syscall(_TKILL, tid, number)
            return True
        if not status >> 16:
            missed.append(os.WSTOPSIG(status))
    return False


def listen(tid: int) -> None:
    """Leave it stopped, as its user asked (job control), until it is continued."""
    _ptrace(_LISTEN, tid, 0, 0)


def interrupt(tid: int) -> None:
    _ptrace(_INTERRUPT, tid, 0, 0)


def detach(tid: int) -> None:
    _ptrace(_DETACH, tid, 0, 0)


def event_message(tid: int) -> int:
    """What the event of a stop is about: a new pid, or the earlier thread of an exec. 0 where the thread is gone."""
    message = ctypes.c_ulong()
    _ptrace(_GETEVENTMSG, tid, 0, ctypes.addressof(message))
    return message.value


def get_registers(tid: int, into: Registers) -> bool:
    return bool(_ptrace(_GETREGS, tid, 0, ctypes.addressof(into)) == 0)


def set_registers(tid: int, registers: Registers) -> None:
    _ptrace(_SETREGS, tid, 0, ctypes.addressof(registers))


def write_word(tid: int, address: int, word: bytes) -> None:
    """Eight bytes of memory, also of code."""
    _call(_POKEDATA, tid, address, int.from_bytes(word, "little"))


def allow_tracers() -> None:
    """Let any process of this user trace this one: yama (Documentation/admin-guide/LSM/Yama.rst) allows only its parents."""
    with suppress(AttributeError):
        _libc.prctl(_SET_PTRACER, _ANY, 0, 0, 0)  # EINVAL without yama, where it is not needed


def same_memory(first: int, second: int) -> bool:
    """Whether two processes share one memory (kcmp(2)); False where the kernel does not say."""
    answer = _libc.syscall(_KCMP, first, second, *(_KCMP_VM, 0, 0))
    return int(answer) == 0


def child_signals() -> int:
    """A descriptor that is readable when a traced thread has stopped (signalfd(2)); the signal itself is blocked."""
    mask = (ctypes.c_ulong * 16)()
    mask[0] = 1 << (signal.SIGCHLD - 1)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    fd = int(_libc.signalfd(-1, mask, os.O_NONBLOCK | os.O_CLOEXEC))
    if fd < 0:
        raise OSError(ctypes.get_errno() or errno.ENOSYS, "signalfd")
    return fd
