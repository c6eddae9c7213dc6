"""The perf_event_open system call: tracepoints and probes, one by one -> descriptors that run a program while they are open."""

from __future__ import annotations

import ctypes
import os
from fcntl import ioctl
from pathlib import Path

from .syscall import LINK_CREATE, bpf, last_error

__all__ = ["at_tracepoint", "at_uprobe", "try_uprobe"]

_PERF_EVENT_OPEN = 298  # its number on x86-64
_PERF_EVENT = 41  # a type of attachment, include/uapi/linux/bpf.h

# include/uapi/linux/perf_event.h
_PERF_TRACEPOINT = 2
_SAMPLE_RAW = 1 << 10
_CLOSE_ON_EXEC = 1 << 3
_ENABLE, _SET_BPF = 0x2400, 0x40042408


class _PerfLink(ctypes.Structure):
    """For BPF_LINK_CREATE with a perf event."""

    _fields_ = (
        ("program", ctypes.c_uint32),
        ("event", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("cookie", ctypes.c_uint64),
    )


class _Event(ctypes.Structure):
    """struct perf_event_attr, in the size that it has since Linux 4.1."""

    _fields_ = (
        ("kind", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("config", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
        ("samples", ctypes.c_uint64),
        ("reading", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
        ("wake_up", ctypes.c_uint32),
        ("breakpoint", ctypes.c_uint32),
        ("path", ctypes.c_uint64),
        ("offset", ctypes.c_uint64),
        ("rest", ctypes.c_uint64 * 5),
    )


_call = ctypes.CDLL(None, use_errno=True).syscall
_call.restype = ctypes.c_long


def at_tracepoint(program: int, number: int) -> int:
    """Run a program at the tracepoint with this number (its file `id` in tracefs)."""
    return _perf(program, _Event(kind=_PERF_TRACEPOINT, config=number, samples=_SAMPLE_RAW))


def at_uprobe(program: int, path: str, offset: int, *, cookie: int, at_return: bool) -> int:
    """
    Run a program where the code at an offset of a file runs, or returns; for kernels without uprobe_multi links. A program gets
    the cookie of a perf event through a link (Linux 5.15), which keeps the event.
    """
    event, _file = _uprobe(path, offset, at_return=at_return)
    opened = _perf_event(event)
    try:
        return bpf(LINK_CREATE, _PerfLink(program=program, event=opened, attach_type=_PERF_EVENT, cookie=cookie))
    finally:
        os.close(opened)


def try_uprobe(path: str, offset: int) -> int:
    """
    A probe there, without a program; the caller closes it. Raises OSError where the kernel refuses. A program that runs there
    meanwhile pays for it once.
    """
    event, _file = _uprobe(path, offset, at_return=False)
    return _perf_event(event)


def _uprobe(path: str, offset: int, *, at_return: bool) -> tuple[_Event, ctypes.Array[ctypes.c_char]]:
    """The event, and what has to live as long: the name of the file."""
    place = Path("/sys/bus/event_source/devices/uprobe")
    try:
        kind = int((place / "type").read_text())
        bit = int((place / "format/retprobe").read_text().partition(":")[2])
    except OSError as error:
        raise OSError(error.errno, f"this kernel has no perf uprobes ({place})") from error
    file = ctypes.create_string_buffer(os.fsencode(path))
    return _Event(kind=kind, config=at_return << bit, path=ctypes.addressof(file), offset=offset), file


def _perf(program: int, event: _Event) -> int:
    opened = _perf_event(event)
    try:
        ioctl(opened, _SET_BPF, program)
        ioctl(opened, _ENABLE, 0)
    except BaseException:
        os.close(opened)
        raise
    return opened


def _perf_event(event: _Event) -> int:
    event.size, event.period, event.wake_up = ctypes.sizeof(event), 1, 1
    every_process, first_cpu, no_group = -1, 0, -1  # a BPF program at an event runs on every CPU
    numbers = (ctypes.c_long(number) for number in (every_process, first_cpu, no_group, _CLOSE_ON_EXEC))
    opened: int = _call(_PERF_EVENT_OPEN, ctypes.byref(event), *numbers)
    if opened < 0:
        raise last_error()
    return opened
