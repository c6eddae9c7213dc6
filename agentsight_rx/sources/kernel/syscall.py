"""The bpf system call: maps, programs and where they run -> file descriptors, without any library."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from .machine import MACHINE

_BPF = MACHINE.calls["bpf"]

# include/uapi/linux/bpf.h: commands, types of programs
_MAP_CREATE, _PROG_LOAD, _PROG_TEST_RUN, _GET_INFO, _RAW_TRACEPOINT_OPEN, LINK_CREATE = 0, 5, 10, 15, 17, 28
KPROBE, TRACEPOINT, RAW_TRACEPOINT = 2, 5, 17
PROGRAM_ARRAY, ARRAY_OF_MAPS, RINGBUF = 3, 12, 27  # types of maps
TRACE_UPROBE_MULTI = 48  # the attach type of programs for uprobe_multi links
_NAME_MOST = 15
_INFO_WORDS = 27  # of 8 bytes: struct bpf_prog_info up to `recursion_misses`, which kernels before 5.12 leave 0

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


class _Info(ctypes.Structure):
    """For BPF_OBJ_GET_INFO_BY_FD."""

    _fields_ = (("fd", ctypes.c_uint32), ("size", ctypes.c_uint32), ("info", ctypes.c_uint64))


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


_call = ctypes.CDLL(None, use_errno=True).syscall  # it releases the interpreter lock: the verifier takes its time
_call.restype = ctypes.c_long


def bpf(command: int, attributes: ctypes.Structure) -> int:
    """One bpf(2) call. Raises OSError."""
    result: int = _call(_BPF, command, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if result < 0:
        raise last_error()
    return result


_quick_call = ctypes.PyDLL(None, use_errno=True).syscall  # it keeps the lock
_quick_call.restype = ctypes.c_long


def bpf_at_once(command: int, attributes: ctypes.Structure) -> int:
    """The same for what takes no time: to release the interpreter lock may cost 5 ms, until another thread gives it back."""
    result: int = _quick_call(_BPF, command, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if result < 0:
        raise last_error()
    return result


def last_error() -> OSError:
    """What the last call of this thread said."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _name(text: str) -> bytes:
    return text.encode()[:_NAME_MOST]


def create_map(name: str, kind: int, sizes: tuple[int, int], *, entries: int, flags: int = 0, like: int = 0) -> int:
    """
    A new map with keys and values of these `sizes`; one of maps has maps that are `like` that one. It keeps the interpreter
    lock: 64 MB take 11 ms, and who waits for them may have no time for others.
    """
    key, value = (0, 0) if kind == RINGBUF else sizes
    wanted = _Map(kind=kind, key_size=key, value_size=value, entries=entries, flags=flags, inner_map=like, name=_name(name))
    return bpf_at_once(_MAP_CREATE, wanted)


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


def skipped_runs(program: int) -> int:
    """How often the kernel did not run a program, because its CPU was in the middle of the same one."""
    info = (ctypes.c_uint64 * _INFO_WORDS)()
    bpf_at_once(_GET_INFO, _Info(fd=program, size=ctypes.sizeof(info), info=ctypes.addressof(info)))
    skipped: int = info[-1]
    return skipped


def at_raw_tracepoint(program: int, name: str) -> int:
    """Run a program at a raw tracepoint, until the descriptor is closed."""
    text = ctypes.create_string_buffer(name.encode())
    return bpf(_RAW_TRACEPOINT_OPEN, _RawTracepoint(name=ctypes.addressof(text), program=program))


def at_uprobes(program: int, path: str, sites: Sequence[tuple[int, int]], *, flags: int) -> int:
    """Run a program at each (offset, cookie) of a file, by one link."""
    count = len(sites)
    offsets = (ctypes.c_uint64 * count)(*[offset for offset, _ in sites])
    cookies = (ctypes.c_uint64 * count)(*[cookie for _, cookie in sites])
    file = ctypes.create_string_buffer(os.fsencode(path))
    wanted = _Link(
        program=program,
        attach_type=TRACE_UPROBE_MULTI,
        path=ctypes.addressof(file),
        offsets=ctypes.addressof(offsets),
        cookies=ctypes.addressof(cookies),
        count=count,
        multi_flags=flags,
    )
    return bpf(LINK_CREATE, wanted)


@cache
def possible_cpus() -> int:
    """One more than the highest number that a CPU of this machine can have."""
    text = Path("/sys/devices/system/cpu/possible").read_text()
    return int(text.replace(",", "-").split("-")[-1]) + 1
