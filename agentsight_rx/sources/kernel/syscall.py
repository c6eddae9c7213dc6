"""The bpf and perf_event_open system calls: maps, programs and where they run -> file descriptors, without any library."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from fcntl import ioctl
from functools import cache
from pathlib import Path

__all__ = [
    "KPROBE",
    "RAW_TRACEPOINT",
    "TRACEPOINT",
    "at_raw_tracepoint",
    "at_tracepoint",
    "at_uprobe",
    "at_uprobes",
    "bpf",
    "bpf_at_once",
    "create_map",
    "load_program",
    "possible_cpus",
    "run_once",
    "try_uprobe",
]

_BPF, _PERF_EVENT_OPEN = 321, 298  # the numbers of the calls on x86-64

# include/uapi/linux/bpf.h: commands, types of programs
_MAP_CREATE, _PROG_LOAD, _PROG_TEST_RUN, _RAW_TRACEPOINT_OPEN, _LINK_CREATE = 0, 5, 10, 17, 28
KPROBE, TRACEPOINT, RAW_TRACEPOINT = 2, 5, 17
_RING = 27
_PERF_EVENT, _TRACE_UPROBE_MULTI = 41, 48  # types of attachment
_NAME_MOST = 15

# include/uapi/linux/perf_event.h
_PERF_TRACEPOINT = 2
_SAMPLE_RAW = 1 << 10
_CLOSE_ON_EXEC = 1 << 3
_ENABLE, _SET_BPF = 0x2400, 0x40042408

# Of the verifier's log. Kernels before 6.4 keep its beginning, and the reason stands at its end: so it must fit whole.
_LOG_SIZE = (16 << 20) - 1


class _Map(ctypes.Structure):
    """union bpf_attr for BPF_MAP_CREATE."""

    _fields_ = (
        ("kind", ctypes.c_uint32),
        ("key_size", ctypes.c_uint32),
        ("value_size", ctypes.c_uint32),
        ("entries", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("inner_map", ctypes.c_uint32),
        ("numa_node", ctypes.c_uint32),
        ("name", ctypes.c_char * 16),
    )


class _Program(ctypes.Structure):
    """For BPF_PROG_LOAD."""

    _fields_ = (
        ("kind", ctypes.c_uint32),
        ("count", ctypes.c_uint32),
        ("instructions", ctypes.c_uint64),
        ("license", ctypes.c_uint64),
        ("log_level", ctypes.c_uint32),
        ("log_size", ctypes.c_uint32),
        ("log", ctypes.c_uint64),
        ("kernel_version", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("name", ctypes.c_char * 16),
        ("device", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
    )


class _TestRun(ctypes.Structure):
    """For BPF_PROG_TEST_RUN, up to what a program for raw tracepoints needs."""

    _fields_ = (("program", ctypes.c_uint32), ("result", ctypes.c_uint32), ("rest", ctypes.c_uint64 * 8))


class _RawTracepoint(ctypes.Structure):
    """For BPF_RAW_TRACEPOINT_OPEN."""

    _fields_ = (("name", ctypes.c_uint64), ("program", ctypes.c_uint32))


class _Link(ctypes.Structure):
    """For BPF_LINK_CREATE with uprobe_multi."""

    _fields_ = (
        ("program", ctypes.c_uint32),
        ("target", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("path", ctypes.c_uint64),
        ("offsets", ctypes.c_uint64),
        ("ref_counters", ctypes.c_uint64),
        ("cookies", ctypes.c_uint64),
        ("count", ctypes.c_uint32),
        ("multi_flags", ctypes.c_uint32),
        ("pid", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    )


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


_call = ctypes.CDLL(None, use_errno=True).syscall  # it releases the interpreter lock: the verifier takes its time
_call.restype = ctypes.c_long


def bpf(command: int, attributes: ctypes.Structure) -> int:
    """One bpf(2) call. Raises OSError."""
    result: int = _call(_BPF, command, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if result < 0:
        raise _error()
    return result


_quick_call = ctypes.PyDLL(None, use_errno=True).syscall  # it keeps the lock
_quick_call.restype = ctypes.c_long


def bpf_at_once(command: int, attributes: ctypes.Structure) -> int:
    """The same for what takes no time: to release the interpreter lock may cost 5 ms, until another thread gives it back."""
    result: int = _quick_call(_BPF, command, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if result < 0:
        raise _error()
    return result


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _name(text: str) -> bytes:
    return text.encode()[:_NAME_MOST]


def create_map(name: str, kind: int, sizes: tuple[int, int], *, entries: int, flags: int = 0) -> int:
    """A new map with keys and values of these `sizes`."""
    key, value = (0, 0) if kind == _RING else sizes
    wanted = _Map(kind=kind, key_size=key, value_size=value, entries=entries, flags=flags, name=_name(name))
    return bpf(_MAP_CREATE, wanted)


def load_program(name: str, kind: int, code: bytes, *, attach_type: int = 0, explain: bool = True) -> int:
    """
    Have the kernel verify and translate a program. Raises OSError, with the last words of the verifier where we may see them;
    without `explain` the kernel is not asked for them.
    """
    instructions, license_name = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")

    wanted = _Program(
        kind=kind,
        count=len(code) // 8,
        instructions=ctypes.addressof(instructions),
        license=ctypes.addressof(license_name),
        name=_name(name),
        attach_type=attach_type,
    )
    try:
        return bpf(_PROG_LOAD, wanted)
    except OSError as refusal:
        if not explain:
            raise
        log = ctypes.create_string_buffer(_LOG_SIZE)
        wanted.log_level, wanted.log_size, wanted.log = 1, len(log), ctypes.addressof(log)
        try:
            return bpf(_PROG_LOAD, wanted)
        except OSError:
            words = [
                line for line in log.value.decode(errors="replace").splitlines() if line and not line.startswith("processed ")
            ]
            reason = f"{os.strerror(refusal.errno or 0)}, errno {refusal.errno}"
            raise OSError(refusal.errno, f"{reason}: {words[-1]}" if words else reason) from refusal


def run_once(program: int) -> int:
    """Run a program for raw tracepoints, without arguments, in this thread; returns its result."""
    asked = _TestRun(program=program)
    bpf_at_once(_PROG_TEST_RUN, asked)
    result: int = asked.result
    return result


def at_raw_tracepoint(program: int, name: str) -> int:
    """Run a program at a raw tracepoint, until the descriptor is closed."""
    text = ctypes.create_string_buffer(name.encode())
    return bpf(_RAW_TRACEPOINT_OPEN, _RawTracepoint(name=ctypes.addressof(text), program=program))


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
        return bpf(_LINK_CREATE, _PerfLink(program=program, event=opened, attach_type=_PERF_EVENT, cookie=cookie))
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
        raise _error()
    return opened


def at_uprobes(program: int, path: str, sites: Sequence[tuple[int, int]], *, flags: int) -> int:
    """Run a program at each (offset, cookie) of a file, by one link."""
    count = len(sites)
    offsets = (ctypes.c_uint64 * count)(*[offset for offset, _ in sites])
    cookies = (ctypes.c_uint64 * count)(*[cookie for _, cookie in sites])
    file = ctypes.create_string_buffer(os.fsencode(path))
    wanted = _Link(
        program=program,
        attach_type=_TRACE_UPROBE_MULTI,
        path=ctypes.addressof(file),
        offsets=ctypes.addressof(offsets),
        cookies=ctypes.addressof(cookies),
        count=count,
        multi_flags=flags,
    )
    return bpf(_LINK_CREATE, wanted)


@cache
def possible_cpus() -> int:
    """One more than the highest number that a CPU of this machine can have."""
    text = Path("/sys/devices/system/cpu/possible").read_text()
    return int(text.replace(",", "-").split("-")[-1]) + 1
