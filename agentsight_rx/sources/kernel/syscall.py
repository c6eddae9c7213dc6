"""The bpf and perf_event_open system calls: maps, programs and where they run -> file descriptors, without any library."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from fcntl import ioctl
from pathlib import Path
from struct import pack

__all__ = [
    "KPROBE",
    "RAW_TRACEPOINT",
    "TRACEPOINT",
    "at_raw_tracepoint",
    "at_tracepoint",
    "at_uprobe",
    "at_uprobes",
    "bpf",
    "create_map",
    "load_program",
    "possible_cpus",
]

_BPF, _PERF_EVENT_OPEN = 321, 298  # the numbers of the calls on x86-64

# include/uapi/linux/bpf.h: commands, types of programs
_MAP_CREATE, _PROG_LOAD, _RAW_TRACEPOINT_OPEN, _LINK_CREATE = 0, 5, 17, 28
KPROBE, TRACEPOINT, RAW_TRACEPOINT = 2, 5, 17
_RING = 27
_TRACE_UPROBE_MULTI = 48
_NAME_MOST = 15

# include/uapi/linux/perf_event.h
_PERF_TRACEPOINT = 2
_SAMPLE_RAW = 1 << 10
_ATTRIBUTES_SIZE = 112  # PERF_ATTR_SIZE_VER5
_CLOSE_ON_EXEC = 1 << 3
_ENABLE, _SET_BPF = 0x2400, 0x40042408

_LOG_SIZE = 1 << 16

_call = ctypes.CDLL(None, use_errno=True).syscall  # it releases the interpreter lock: the verifier takes its time
_call.restype = ctypes.c_long


def bpf(command: int, attributes: ctypes.Array[ctypes.c_char] | ctypes.Structure) -> int:
    """One bpf(2) call. Raises OSError."""
    result: int = _call(_BPF, command, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if result < 0:
        raise _error()
    return result


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _attributes(packed: bytes) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(packed, len(packed))


def _name(text: str) -> bytes:
    return text.encode()[:_NAME_MOST]


def create_map(name: str, kind: int, sizes: tuple[int, int], *, entries: int, flags: int = 0) -> int:
    """A new map with keys and values of these `sizes`."""
    key, value = (0, 0) if kind == _RING else sizes
    return bpf(_MAP_CREATE, _attributes(pack("<IIIIIII16s", kind, key, value, entries, flags, 0, 0, _name(name))))


def load_program(name: str, kind: int, code: bytes, *, attach_type: int = 0) -> int:
    """Have the kernel verify and translate a program. Raises OSError, with the last words of the verifier."""
    instructions, license_name = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")

    def load(level: int, log: ctypes.Array[ctypes.c_char] | None) -> int:
        begin = pack("<IIQQ", kind, len(code) // 8, ctypes.addressof(instructions), ctypes.addressof(license_name))
        words = pack("<IIQ", level, len(log) if log else 0, ctypes.addressof(log) if log else 0)
        return bpf(_PROG_LOAD, _attributes(begin + words + pack("<II16sII", 0, 0, _name(name), 0, attach_type)))

    try:
        return load(0, None)
    except OSError as refusal:
        log = ctypes.create_string_buffer(_LOG_SIZE)
        try:
            return load(1, log)
        except OSError:
            words = [
                line for line in log.value.decode(errors="replace").splitlines() if line and not line.startswith("processed ")
            ]
            reason = f"{os.strerror(refusal.errno or 0)}, errno {refusal.errno}"
            raise OSError(refusal.errno, f"{reason}: {words[-1]}" if words else reason) from refusal


def at_raw_tracepoint(program: int, name: str) -> int:
    """Run a program at a raw tracepoint, until the descriptor is closed."""
    text = ctypes.create_string_buffer(name.encode())
    return bpf(_RAW_TRACEPOINT_OPEN, _attributes(pack("<QII", ctypes.addressof(text), program, 0)))


def at_tracepoint(program: int, number: int) -> int:
    """Run a program at the tracepoint with this number (its file `id` in tracefs)."""
    return _perf(program, pack("<IIQQQQQI", _PERF_TRACEPOINT, _ATTRIBUTES_SIZE, number, 1, _SAMPLE_RAW, 0, 0, 1))


def at_uprobe(program: int, path: str, offset: int, *, at_return: bool) -> int:
    """Run a program where the code at an offset of a file runs, or returns; for kernels without uprobe_multi."""
    place = Path("/sys/bus/event_source/devices/uprobe")
    try:
        kind = int((place / "type").read_text())
        bit = int((place / "format/retprobe").read_text().partition(":")[2])
    except OSError as error:
        raise OSError(error.errno, f"this kernel has no perf uprobes ({place})") from error
    file = ctypes.create_string_buffer(os.fsencode(path))
    config = at_return << bit
    head = pack("<IIQQQQQIIQQ", kind, _ATTRIBUTES_SIZE, config, 1, 0, 0, 0, 1, 0, ctypes.addressof(file), offset)
    return _perf(program, head)


def _perf(program: int, head: bytes) -> int:
    """`head` is the begin of struct perf_event_attr: type, size, config, period, samples, reading, flags, wake-ups, …"""
    attributes = _attributes(head.ljust(_ATTRIBUTES_SIZE, b"\0"))
    every_process, first_cpu, no_group = -1, 0, -1  # a BPF program at an event runs on every CPU
    event: int = _call(
        _PERF_EVENT_OPEN,
        ctypes.byref(attributes),
        *(ctypes.c_long(number) for number in (every_process, first_cpu, no_group, _CLOSE_ON_EXEC)),
    )
    if event < 0:
        raise _error()
    try:
        ioctl(event, _SET_BPF, program)
        ioctl(event, _ENABLE, 0)
    except BaseException:
        os.close(event)
        raise
    return event


def at_uprobes(program: int, path: str, sites: Sequence[tuple[int, int]], *, flags: int) -> int:
    """Run a program at each (offset, cookie) of a file, by one link."""
    count = len(sites)
    offsets = (ctypes.c_uint64 * count)(*[offset for offset, _ in sites])
    cookies = (ctypes.c_uint64 * count)(*[cookie for _, cookie in sites])
    file = ctypes.create_string_buffer(os.fsencode(path))
    begin = pack("<IIII", program, 0, _TRACE_UPROBE_MULTI, 0)
    where = pack("<QQQQ", ctypes.addressof(file), ctypes.addressof(offsets), 0, ctypes.addressof(cookies))
    return bpf(_LINK_CREATE, _attributes(begin + where + pack("<IIII", count, flags, 0, 0)))


def possible_cpus() -> int:
    """One more than the highest number that a CPU of this machine can have."""
    text = Path("/sys/devices/system/cpu/possible").read_text()
    return int(text.replace(",", "-").split("-")[-1]) + 1
