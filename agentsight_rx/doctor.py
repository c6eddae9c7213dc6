"""This machine -> what can be captured here, what cannot, and what to do about that."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Iterable
from errno import ENOENT
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from .errors import CaptureError
from .sources.kernel.cache import Cache, default_directory
from .sources.kernel.compiler import REMEDY, compiled, compiler_identity
from .sources.tls.libraries import system_libraries

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Check", "checks", "render", "require_capture"]


class Check(Struct, frozen=True):
    """One requirement of a capture: what was found, and what to do if it is not `ok`."""

    name: str
    ok: bool
    seen: str
    remedy: str
    needed_for: str


_EVERY = "every capture"


def checks() -> list[Check]:
    """
    All checks; they take less than a second and leave the machine unchanged.

    On a system that cannot be captured at all only that check is made.
    """
    system = _system()
    return [system, *(probe() for probe in (*_NEEDED[1:], *_GOOD_TO_HAVE))] if system.ok else [system]


def require_capture() -> None:
    """Raise CaptureError for the first missing requirement of every capture."""
    for probe in _NEEDED:
        check = probe()
        if not check.ok:
            raise CaptureError(f"cannot capture: {check.name}: {check.seen}. What to do: {check.remedy}")


def render(found: Iterable[Check]) -> Table:
    """A table for people: one row a check; its purpose and remedy only where it failed."""
    from rich.markup import escape  # takes 15 ms, which a capture must not pay
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for check in found:
        mark, more = ("[green]ok[/]", "") if check.ok else ("[red]--[/]", f"\nfor {check.needed_for}: {check.remedy}")
        table.add_row(mark, check.name, escape(check.seen + more))
    return table


# --- needed for every capture ---

# Ring buffers came with 5.8, bpf_get_attach_cookie() with 5.15.
_OLDEST_KERNEL = (5, 15)


def _system() -> Check:
    name = os.uname()
    ok = (name.sysname, name.machine) == ("Linux", "x86_64") and _numbers(name.release) >= _OLDEST_KERNEL
    seen = f"{name.sysname} {name.release} on {name.machine}"
    return Check("system", ok, seen, "use a machine with Linux 5.15 or newer on x86-64", _EVERY)


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", release)[:2])


# Bit numbers of include/uapi/linux/capability.h.
_CAPABILITIES = {"CAP_DAC_READ_SEARCH": 2, "CAP_SYS_PTRACE": 19, "CAP_PERFMON": 38, "CAP_BPF": 39}
_CAP_SYS_ADMIN = 21
_IMPLIED_BY_ADMIN = {"CAP_PERFMON", "CAP_BPF"}


def _rights() -> Check:
    effective = int(_between(Path("/proc/self/status").read_text(), "CapEff:", "\n"), 16)
    missing = [name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1]
    if effective >> _CAP_SYS_ADMIN & 1:
        missing = [name for name in missing if name not in _IMPLIED_BY_ADMIN]
    seen = f"user {os.geteuid()} " + (f"without {', '.join(missing)}" if missing else "with all that it takes")
    remedy = "start it as root, with sudo for example; in a container with --privileged too"
    return Check("rights", not missing, seen, remedy, _EVERY)


def _between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0].strip()


_BTF = Path("/sys/kernel/btf/vmlinux")


def _btf() -> Check:
    ok = os.access(_BTF, os.R_OK)
    seen = f"{_BTF}, {_BTF.stat().st_size:,} bytes" if ok else f"{_BTF} is not there or not readable"
    return Check("kernel types (BTF)", ok, seen, "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as Debian's are", _EVERY)


_TRACEFS = Path("/sys/kernel/tracing")
_TRACEFS_PLACES = (Path("/sys/kernel/debug/tracing"), _TRACEFS)  # in the order of BCC


def _tracefs() -> Check:
    found = next((str(place) for place in _TRACEFS_PLACES if os.access(place / "events", os.R_OK)), None)
    seen = found or f"nothing readable at {_TRACEFS}"
    return Check("tracefs", found is not None, seen, f"as root: mount -t tracefs tracefs {_TRACEFS}", _EVERY)


def _load() -> Check:
    try:
        os.close(_load_empty_program())
    except OSError as error:
        remedy = "start it as root; in a container with --privileged too; the kernel's log may have more"
        return Check("BPF", False, f"the kernel refuses a kprobe program: {_words(error)}", remedy, _EVERY)
    return Check("BPF", True, "the kernel accepts a kprobe program", "", _EVERY)


# --- needed for a part, or for more comfort ---


def _compiler() -> Check:
    name, needed_for = "BCC", "every capture of a kind that the cache has no program for"
    try:
        compiled("int nothing(void *ctx) { return 0; }", [])
    except CaptureError as error:
        return Check(name, False, str(error), REMEDY, needed_for)
    where = ", ".join(text.split()[0] for text in compiler_identity())
    return Check(name, True, f"it compiles without kernel headers: {where or 'found by the dynamic linker'}", "", needed_for)


def _cache() -> Check:
    used, seen = Cache(default_directory()).state()
    remedy = "remove the directory, or give it to the user that captures, with mode 0700; it is made anew"
    return Check("cache of programs", used, seen, remedy, "a start without compiling, which takes seconds")


def _many_probes() -> Check:
    name, needed_for = "uprobe_multi links", "stopping at once"
    try:
        _attach_to_own_libc()
    except OSError as error:
        remedy = "works without, but with slower detach: 0.1 s a probe, not 0.05 s in all; Linux 6.6 or newer has them"
        return Check(name, False, f"none could be attached: {_words(error)}", remedy, needed_for)
    return Check(name, True, "one was attached and detached", "", needed_for)


def _openssl() -> Check:
    files = system_libraries()
    seen = ", ".join(map(str, files)) or "the dynamic linker knows no libssl"
    remedy = "apt-get install openssl; programs with a TLS library of their own do not need it"
    return Check("OpenSSL", bool(files), seen, remedy, "TLS of Python, curl and the like")


def _leftovers() -> Check:
    """
    Probes by name that a killed tracer left in tracefs.

    BCC uses them on kernels without perf uprobes; their names are …_bcc_PID.
    """
    lists = (place / "uprobe_events" for place in _TRACEFS_PLACES)
    text = next((file.read_text() for file in lists if os.access(file, os.R_OK)), "")
    dead = [name for name, pid in _named_probes(text) if not Path("/proc", pid).exists()]
    seen = f"{len(dead)} of dead tracers" if dead else "none"
    remedy = "as root: " + "; ".join(f"echo '-:{name}' >> {_TRACEFS / 'uprobe_events'}" for name in dead)
    return Check("left-over probes", not dead, seen, remedy if dead else "", "a clean machine")


def _named_probes(uprobe_events: str) -> list[tuple[str, str]]:
    """(group/event, PID) of every line that BCC made: `p:uprobes/p__usr_lib_x_so_0x10_bcc_123 /usr/lib/x.so:0x10`."""
    return re.findall(r"^[pr]\d*:(\S+_bcc_(\d+)) ", uprobe_events, re.MULTILINE)


_Probe: TypeAlias = Callable[[], Check]
_NEEDED: tuple[_Probe, ...] = (_system, _rights, _btf, _tracefs, _load)
_GOOD_TO_HAVE: tuple[_Probe, ...] = (
    _compiler,
    _cache,
    _many_probes,
    _openssl,
    _leftovers,
)


# --- the bpf system call: numbers and layouts of include/uapi/linux/bpf.h ---

_NR_BPF = 321  # x86-64
_PROG_LOAD, _LINK_CREATE = 5, 28
_PROG_TYPE_KPROBE = 2
_TRACE_UPROBE_MULTI = 48

# r0 = 0; exit
_EMPTY_PROGRAM = pack("<BBhi", 0xB7, 0, 0, 0) + pack("<BBhi", 0x95, 0, 0, 0)


def _load_empty_program(attach_type: int = 0) -> int:
    """Load a program of two instructions; return its file descriptor or raise OSError with the kernel's error."""
    code = ctypes.create_string_buffer(_EMPTY_PROGRAM)
    license_name = ctypes.create_string_buffer(b"GPL")
    kind_and_code = pack("<IIQQ", _PROG_TYPE_KPROBE, 2, ctypes.addressof(code), ctypes.addressof(license_name))
    no_log = pack("<IIQ", 0, 0, 0)
    version_flags_name_device = pack("<II16sI", 0, 0, b"nothing", 0)
    return _bpf(_PROG_LOAD, kind_and_code + no_log + version_flags_name_device + pack("<I", attach_type))


def _attach_to_own_libc() -> None:
    """Attach a uprobe_multi link to a rarely used function of libc, for this process only, and detach it."""
    path, offset = _place_in_file(ctypes.cast(ctypes.CDLL(None).a64l, ctypes.c_void_p).value or 0)
    file = ctypes.create_string_buffer(os.fsencode(path))
    offsets = (ctypes.c_uint64 * 1)(offset)
    program = _load_empty_program(_TRACE_UPROBE_MULTI)
    try:
        link = pack("<IIII", program, 0, _TRACE_UPROBE_MULTI, 0)
        where = pack("<QQQQ", ctypes.addressof(file), ctypes.addressof(offsets), 0, 0)
        os.close(_bpf(_LINK_CREATE, link + where + pack("<III", 1, 0, os.getpid())))
    finally:
        os.close(program)


def _place_in_file(address: int) -> tuple[str, int]:
    """Path of the file that this process has mapped at `address`, and the offset in it."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, _, offset, _, _, *path = line.split(maxsplit=5)
        start, end = (int(number, 16) for number in span.split("-"))
        if path and start <= address < end:
            return path[0], address - start + int(offset, 16)
    raise OSError(ENOENT, f"no file is mapped at {address:#x}")


def _bpf(command: int, attributes: bytes) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result: int = libc.syscall(_NR_BPF, command, buffer, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _words(error: OSError) -> str:
    return f"errno {error.errno} ({error.strerror})"
