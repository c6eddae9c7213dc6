"""
What this kernel and this compiler can do, asked by doing it -> a table that doctor, the sources and docs/kernels.md read.

No other place tests a version: a version is what a vendor says, and kernels of vendors have features of newer ones.

Longer than 300 lines because the table is one place, and each of its rows has the question beside it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from struct import pack

from msgspec import Struct

from ...core.errors import CaptureError, Unavailable
from ...core.messages import program
from ..hold import group
from .btf import TYPES, has_any, known_functions, known_offsets, read_types
from .compiler import REMEDY, compiled, compiler_identity
from .loaded import calling_kernel
from .machine import MACHINES, PAGE
from .namespace import own_namespace
from .probes import at_tracepoint, leave, number_of, try_uprobe
from .rights import Call, enough, missing_rights, own_rights, refusal
from .syscall import (
    KPROBE,
    RAW_TRACEPOINT,
    RINGBUF,
    TRACE_UPROBE_MULTI,
    TRACEPOINT,
    at_raw_tracepoint,
    at_uprobes,
    create_map,
    load_program,
)

_OWN_ALLOCATOR = "bpf_htab.ma"

# Instructions: operation, registers, offset, value (Documentation/bpf/standardization/instruction-set.rst)
_SET_0 = pack("<BBhi", 0xB7, 0, 0, 0)
_MAY_GOTO = pack("<BBhi", 0xE5, 0, 1, 0)
_EXIT = pack("<BBhi", 0x95, 0, 0, 0)
_ATTACH_COOKIE, _CURRENT_TASK_BTF = 174, 158  # numbers of helpers, include/uapi/linux/bpf.h


def _calling(helper: int) -> bytes:
    return pack("<BBhi", 0x85, 0, 0, helper) + _SET_0 + _EXIT


_NOTHING = _SET_0 + _EXIT


class Finding(Struct, frozen=True):
    """Whether something is there, the evidence, and what to do where it is missing."""

    ok: bool
    seen: str
    remedy: str = ""


class Feature(Struct, frozen=True):
    """Something of the kernel or the compiler that a capture uses. `since` is the first Linux that has it, for people."""

    name: str
    since: str
    purpose: str
    without: str  # what happens where it is missing
    ask: Callable[[], Finding]
    # Asked before each capture, where nothing can be captured without it: the same, or less where `ask` takes time
    at_start: Callable[[], Finding] | None = None


# --- asked by sources, so that they choose the other way ---


@cache
def has_uprobe_multi() -> bool:
    """
    Whether one link carries many probes. A kernel without such links takes a program for them; a link on something that is no
    file tells: EBADF where there are links, EINVAL where there are none.
    """
    try:
        program = load_program("nothing", KPROBE, _NOTHING, attach_type=TRACE_UPROBE_MULTI)
    except OSError:
        return False
    try:
        os.close(at_uprobes(program, "/", [(0, 0)], flags=0))
    except OSError as error:
        return error.errno == errno.EBADF
    finally:
        os.close(program)
    return True


@cache
def has_may_goto() -> bool:
    """Whether the verifier looks at one turn of a loop instead of at each: by an instruction that may leave a loop."""
    try:
        os.close(load_program("asked", TRACEPOINT, _SET_0 + _MAY_GOTO + _SET_0 + _EXIT, explain=False))
    except OSError:
        return False
    return True


@cache
def holds_cpu() -> tuple[int, int] | None:
    """
    The functions by which a program keeps others off its CPU and lets them on it again, as numbers of types; None where the
    kernel has none. It reads the kernel's types, so only who compiles a program asks.
    """
    hold, release = known_functions(("bpf_preempt_disable", "bpf_preempt_enable"))
    if hold is None or release is None:
        return None
    try:
        os.close(load_program("held", TRACEPOINT, calling_kernel(hold) + calling_kernel(release) + _NOTHING, explain=False))
    except OSError:
        return None
    return hold, release


@cache
def preempts_programs() -> bool:
    """
    Whether a program at a tracepoint may be preempted, and is then skipped where another thread on its CPU comes to the same
    place. Such kernels protect tracepoints by SRCU, or run the programs of system calls in a function of its own. Up to 6.12
    that SRCU was for the idle loop alone, and freed what it protected by a function that later kernels do without.
    """
    if has_any(("trace_call_bpf_faultable",)):
        return True
    return has_any(("tracepoint_srcu_srcu_data",)) and not has_any(("srcu_free_old_probes",))


@cache
def allocates_entries() -> bool:
    """
    Whether a program may put entries into a hash that has no memory for them yet: the hashes of such kernels have an allocator
    that works in any context. Older ones take such a program too, and warn that it is unsafe, so none is tried.
    """
    return known_offsets((_OWN_ALLOCATOR,))[_OWN_ALLOCATOR] is not None


def takes_links(*, wanted: bool) -> bool:
    """
    Whether probes are set by links of many: where that is `wanted` and the kernel has them, else one by one. Raises Unavailable
    where the kernel takes neither, and as `require_kernel` does.
    """
    require_kernel()
    if has_uprobe_multi():
        return wanted
    call: Call = "program"
    try:
        os.close(load_program("nothing", KPROBE, _NOTHING))
        call = "perf uprobe"
        leave([try_uprobe(*_own_libc())])
    except OSError as error:
        raise Unavailable(f"the kernel takes no probe: {refusal(call, error)}") from error
    return False


def wanted_capabilities() -> tuple[str, ...]:
    """All that this kernel wants of a process that captures everything, and no more."""
    return enough(links=has_uprobe_multi(), paranoid=own_rights().paranoid)


def _own_libc() -> tuple[str, int]:
    """The libc of this process, and the offset of a function in it that is rarely used."""
    address = ctypes.cast(ctypes.CDLL(None).a64l, ctypes.c_void_p).value or 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, _, offset, _, _, *path = line.split(maxsplit=5)
        start, end = (int(number, 16) for number in span.split("-"))
        if path and start <= address < end:
            return path[0], address - start + int(offset, 16)
    raise OSError(errno.ENOENT, f"no file is mapped at {address:#x}")


# --- asked by doctor ---

_OLDEST = (5, 15)


def _system() -> Finding:
    name = os.uname()
    numbers = tuple(int(number) for number in re.findall(r"\d+", name.release)[:2])
    ok = name.sysname == "Linux" and name.machine in MACHINES and numbers >= _OLDEST
    return Finding(
        ok, f"{name.sysname} {name.release} on {name.machine}", "use a machine with Linux 5.15 or newer on x86-64 or arm64"
    )


def _tried(call: Call, done: Callable[[], int], seen: str, *, close: Callable[[int], None] = os.close) -> Finding:
    """`done` returns a descriptor, which `close` closes."""
    try:
        close(done())
    except OSError as error:
        return _missing(f"the kernel refuses it: {refusal(call, error)}")
    return Finding(True, seen)


def _attached(kind: int, call: Call, place: Callable[[int], int], seen: str) -> Finding:
    """A program of this kind, run at a `place`."""
    try:
        program = load_program("nothing", kind, _NOTHING)
    except OSError as error:
        return _missing(f"the kernel refuses it: {refusal('program', error)}")
    try:
        return _tried(call, lambda: place(program), seen, close=_behind_us)
    finally:
        os.close(program)


def _behind_us(fd: int) -> None:
    """The kernel takes 0.1 s to close an attached program."""
    leave([fd])


def _missing(text: str) -> Finding:
    """Of "why; what to do"."""
    why, _, remedy = text.partition("; ")
    return Finding(False, why, remedy)


def _programs() -> Finding:
    return _tried("program", lambda: load_program("nothing", KPROBE, _NOTHING), "the kernel takes a program")


def _ring() -> Finding:
    return _tried("map", lambda: create_map("ring", RINGBUF, (0, 0), entries=PAGE), "one was made")


def _cookies() -> Finding:
    return _tried("program", lambda: load_program("cookie", KPROBE, _calling(_ATTACH_COOKIE)), "a program may ask for it")


def _tasks() -> Finding:
    return _tried("program", lambda: load_program("task", KPROBE, _calling(_CURRENT_TASK_BTF)), "a program may ask for it")


def _types() -> Finding:
    readable = _types_are_readable()
    if not readable.ok:
        return readable
    try:
        found = known_offsets(("task_struct.pid", "task_struct.tgid"))
    except Unavailable as error:
        return Finding(False, str(error), readable.remedy)
    ok = all(offset is not None for offset in found.values())
    return Finding(ok, readable.seen, "use another kernel: this one does not describe its tasks")


def _types_are_readable() -> Finding:
    """Not more: a look into them takes 30 ms and 10 MB, which a capture with kept programs saves."""
    remedy = "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as Debian's are"
    try:
        read_types(size=1)
    except Unavailable as error:
        return Finding(False, str(error), remedy)
    return Finding(True, f"{TYPES}, {TYPES.stat().st_size:,} bytes", remedy)


def _namespace() -> Finding:
    try:
        here = own_namespace()
    except CaptureError as error:
        return _missing(str(error))
    if not here.inode:
        return Finding(True, "that of the machine")
    return Finding(True, f"{here.inode}, {here.depth} below the machine's: its processes alone are watched; --pid=host for all")


def _raw_tracepoints() -> Finding:
    return _attached(
        RAW_TRACEPOINT, "raw tracepoint", lambda program: at_raw_tracepoint(program, "sched_process_exec"), "one was attached"
    )


_QUIET = "syscalls:sys_exit_mmap"


def _tracepoints() -> Finding:
    try:
        number = number_of(_QUIET)
    except CaptureError as error:
        return _missing(str(error))
    if number is None:
        return Finding(False, f"this kernel has no {_QUIET}", "use a kernel with CONFIG_FTRACE_SYSCALLS=y, as Debian's are")
    seen = f"one was attached at {_QUIET}"
    return _attached(TRACEPOINT, "tracepoint", lambda program: at_tracepoint(program, number), seen)


def _many_probes() -> Finding:
    if has_uprobe_multi():
        return Finding(True, "the kernel has them")
    return Finding(False, "the kernel has none", "Linux 6.6 has them")


def _perf_probes() -> Finding:
    return _tried("perf uprobe", lambda: try_uprobe(*_own_libc()), "one was set in a function of libc", close=_behind_us)


def _other_users() -> Finding:
    ok = "CAP_SYS_PTRACE" in own_rights().capabilities
    return Finding(
        ok, "/proc shows their programs" if ok else "CAP_SYS_PTRACE is missing", "start it as root, or with CAP_SYS_PTRACE"
    )


def _loops() -> Finding:
    has = has_may_goto()
    return Finding(has, "the kernel has it" if has else "the kernel does not have it", "Linux 6.9 has it")


def _holds() -> Finding:
    try:
        has = holds_cpu() is not None
    except Unavailable as error:
        return Finding(False, str(error))
    return Finding(has, "the kernel has it" if has else "the kernel does not have it", "Linux 6.10 has it")


def _preemption() -> Finding:
    try:
        preempts = preempts_programs()
    except Unavailable as error:
        return Finding(False, str(error))
    return Finding(not preempts, "the kernel may preempt them" if preempts else "the kernel does not preempt them")


def _growing() -> Finding:
    try:
        has = allocates_entries()
    except Unavailable as error:
        return Finding(False, str(error))
    return Finding(
        has, "the kernel has an allocator for them" if has else "the kernel has no allocator for them", "Linux 6.1 has it"
    )


def _freezer() -> Finding:
    with group() as made:
        if made is None:
            return Finding(
                False,
                "no control group (version 2) can be made below our own",
                "run it as root where cgroup2 is mounted to write",
            )
        ok = (made.path / "cgroup.freeze").exists()
    return Finding(ok, "a control group was made, which can be held" if ok else "control groups cannot be held")


def _compiler() -> Finding:
    """The program returns the version of clang, which its first instruction then has."""
    try:
        image = compiled("int clang_version(void *ctx) { return __clang_major__; }", [])
    except CaptureError as error:
        return Finding(False, str(error), REMEDY)
    (version,) = struct.unpack_from("<i", image.functions[0].code, 4)
    where = ", ".join(text.split()[0] for text in compiler_identity()) or "found by the dynamic linker"
    return Finding(True, f"it compiles without kernel headers, with clang {version}: {where}")


_EVERY = "every capture"

FEATURES: tuple[Feature, ...] = (
    Feature(
        "system",
        since="5.15",
        purpose=_EVERY,
        without="no capture",
        ask=_system,
        at_start=_system,
    ),
    Feature(
        "BPF programs",
        since="5.15",
        purpose=_EVERY,
        without="no capture",
        ask=_programs,
        at_start=_programs,
    ),
    Feature(
        "BPF ring buffers",
        since="5.8",
        purpose=_EVERY,
        without="no capture",
        ask=_ring,
        at_start=_ring,
    ),
    Feature(
        "kernel types (BTF)",
        since="5.2",
        purpose=_EVERY,
        without="no capture",
        ask=_types,
        at_start=_types_are_readable,
    ),
    Feature(
        "PID namespace",
        since="3.8",
        purpose=_EVERY,
        without="no capture: a number of a process means another one",
        ask=_namespace,
        at_start=_namespace,
    ),
    Feature(
        "the current task in BPF",
        since="5.11",
        purpose=_EVERY,
        without="no capture",
        ask=_tasks,
    ),
    Feature(
        "raw tracepoints",
        since="4.17",
        purpose=_EVERY,
        without="no capture",
        ask=_raw_tracepoints,
    ),
    Feature(
        "tracepoints of system calls",
        since="4.7",
        purpose="files, connections, pipes, HTTP without TLS, late libraries",
        without="these are not captured",
        ask=_tracepoints,
    ),
    Feature(
        "uprobe_multi links",
        since="6.6",
        purpose="TLS and typed lines",
        without="perf uprobes, which need CAP_SYS_ADMIN and are slower to remove",
        ask=_many_probes,
    ),
    Feature(
        "perf uprobes",
        since="4.17",
        purpose="TLS and typed lines where there are no uprobe_multi links",
        without="nothing where there are such links; else TLS and typed lines are not captured",
        ask=_perf_probes,
    ),
    Feature(
        "cookies of probes",
        since="5.15",
        purpose="knowing which function of TLS was called",
        without="no TLS",
        ask=_cookies,
    ),
    Feature(
        "may_goto",
        since="6.9",
        purpose="loops that are quick to verify",
        without="programs without it, which take 0.3 s longer to load",
        ask=_loops,
    ),
    Feature(
        "holding a CPU",
        since="6.10",
        purpose="whole records where programs at tracepoints may be preempted (seen with 7.3)",
        without="nothing on kernels that do not preempt them",
        ask=_holds,
    ),
    Feature(
        "programs without preemption",
        since="",
        purpose="every event at a tracepoint in one run of a program",
        without="each program is attached five times, since the kernel skips one while it is preempted (7.3), and counted",
        ask=_preemption,
    ),
    Feature(
        "tables that grow",
        since="6.1",
        purpose="tables that take memory for what is in them",
        without="tables that take 65 MB more, whether anything is in them or not",
        ask=_growing,
    ),
    Feature(
        "processes of other users",
        since="",
        purpose="TLS in their programs, names of theirs",
        without="only our own are looked into",
        ask=_other_users,
    ),
    Feature(
        "freezer",
        since="5.2",
        purpose="holding a command of record while its TLS code is searched",
        without="its first calls may be missed, which is counted",
        ask=_freezer,
    ),
    Feature(
        "BCC",
        since="",
        purpose="programs that are not compiled yet",
        without="only programs that the cache has",
        ask=_compiler,
    ),
)


def require_kernel() -> None:
    """
    Raise Unavailable for missing rights, else for the first feature without which nothing can be captured. It takes 0.4 ms.
    """
    if lacking := missing_rights():
        own = f"`{program()} import` reads what agents wrote down"
        raise Unavailable(f"{lacking}. `{program()} record -- COMMAND` works without them, and {own}")
    for feature in FEATURES:
        if feature.at_start is not None:
            found = feature.at_start()
            if not found.ok:
                raise Unavailable(f"cannot capture: {feature.name}: {found.seen}. What to do: {found.remedy}")
