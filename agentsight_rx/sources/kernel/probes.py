"""Functions of a file -> attached user probes: one uprobe_multi link for all where the kernel has them, else one by one."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Collection, Sequence
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from threading import Lock, Thread
from typing import NamedTuple

from ...core.errors import Unavailable
from .loaded import Loaded
from .machine import MACHINE
from .rights import Call, refusal
from .syscall import KPROBE, LINK_CREATE, TRACE_UPROBE_MULTI, at_uprobes, bpf, last_error

# -- detach --------------------------------------------------------------------------------------------------------
# Descriptors of attached programs -> closed by a child that ends behind us, since the kernel takes its time.


# Between its fork and its start a child has copies of all our descriptors. If another thread gave its own away and its child
# ended meanwhile, these copies would be the last, and our child would take that time, with us waiting for its start.
_ONE_AT_A_TIME = Lock()


def leave(descriptors: Sequence[int]) -> None:
    """
    Close them. The kernel takes about 90 ms for each perf event and each link of probes, one after the other, also when a
    process ends. A child that holds them too, and ends at once, spends that time instead of us.
    """
    if not descriptors:
        return
    child = None
    with _ONE_AT_A_TIME:
        with suppress(OSError):  # without a child it takes longer
            nowhere = subprocess.DEVNULL
            child = subprocess.Popen(["/bin/cat"], pass_fds=descriptors, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere)
        for fd in descriptors:
            os.close(fd)
        if child is not None:
            assert child.stdin is not None
            child.stdin.close()  # its end of input
    if child is not None:
        Thread(target=child.wait, name="detach", daemon=True).start()


# -- perf events ---------------------------------------------------------------------------------------------------
# The perf_event_open system call: tracepoints and probes, one by one -> descriptors that run a program while they are open.


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
    opened: int = _call(MACHINE.calls["perf_event_open"], ctypes.byref(event), *numbers)
    if opened < 0:
        raise last_error()
    return opened


# ------------------------------------------------------------------------------------------------------------------------


_ON_RETURN = 1
_SITES_MOST = 1 << 20  # of one link, in the kernel (MAX_UPROBE_MULTI_CNT)


class Site(NamedTuple):
    """A place in a file to probe: run `program` of the BPF object there, or where the function that begins there returns."""

    program: str
    offset: int
    cookie: int
    at_return: bool = False


class ProbeRefused(Unavailable):
    """The kernel does not take a probe: why, and what to do. `path` is not named: it may be the number of an open file."""

    def __init__(self, error: OSError, call: Call = "perf uprobe") -> None:
        super().__init__(f"the kernel refused a probe ({refusal(call, error).replace('; ', '); ', 1)}")
        self.reason = error.strerror or str(error)


class Probes:
    """The user probes of one BPF object: many a link with `multi`, else one by one, as on kernels without such links."""

    def __init__(self, bpf: Loaded, *, multi: bool) -> None:
        self._bpf = bpf
        self._attached: list[Attached] = []
        self._multi = multi

    def _program(self, name: str) -> int:
        """Loaded when it is needed: the verifier takes its time for each."""
        return self._bpf.load(name, KPROBE, attach_type=TRACE_UPROBE_MULTI if self._multi else 0)

    def follow(self, table: str, name: str) -> None:
        """Have programs go on in this one, by the first slot of a table of programs."""
        self._bpf[table][ctypes.c_int(0)] = ctypes.c_int(self._program(name))

    def attach(self, path: str, sites: Sequence[Site], *, together: int = _SITES_MOST) -> Attached:
        """
        Probe `path`. Raises ProbeRefused where the kernel refuses; then none of them is probed. With uprobe_multi at most
        `together` sites share a link: the kernel takes 50 to 100 ms to close one, however many sites it has.
        """
        attached = Attached()
        self._attached.append(attached)
        try:
            for group in _groups(sites, together if self._multi else 1):
                attached.links.append(self._link(path, group))
                attached.sites.append(group)
        except OSError as error:
            attached.close()
            raise ProbeRefused(error, "uprobe_multi link" if self._multi else "perf uprobe") from error
        return attached

    def _link(self, path: str, group: Sequence[Site]) -> int:
        """A link for sites of one program; without `multi` there is one."""
        first = group[0]
        program = self._program(first.program)
        if self._multi:
            places = [(site.offset, site.cookie) for site in group]
            return at_uprobes(program, path, places, flags=_ON_RETURN if first.at_return else 0)
        return at_uprobe(program, path, first.offset, cookie=first.cookie, at_return=first.at_return)

    def close(self) -> None:
        """Take out all of them, behind us: see `leave`."""
        leave([fd for attached in self._attached for fd in attached.release()])
        self._attached.clear()


class Attached:
    """Probes in one file; `close` takes them out."""

    def __init__(self) -> None:
        self.links: list[int] = []
        self.sites: list[Sequence[Site]] = []  # of each link

    def keep(self, sites: Collection[Site]) -> None:
        """Take out the links that have none of these."""
        pairs = list(zip(self.links, self.sites, strict=True))
        kept = [pair for pair in pairs if any(site in sites for site in pair[1])]
        self.links, self.sites = [fd for fd, _ in kept], [group for _, group in kept]
        for fd, _ in pairs:
            if fd not in self.links:
                os.close(fd)

    def release(self) -> list[int]:
        links, self.links = self.links, []
        return links

    def close(self) -> None:
        for fd in self.release():
            os.close(fd)


def _groups(sites: Sequence[Site], most: int) -> list[Sequence[Site]]:
    """The sites of each program, at entry and at return."""
    alike: dict[tuple[str, bool], list[Site]] = {}
    for site in sites:
        alike.setdefault((site.program, site.at_return), []).append(site)
    return [group[at : at + most] for group in alike.values() for at in range(0, len(group), most)]


# -- tracepoints ---------------------------------------------------------------------------------------------------
# The name of a tracepoint -> its number, which tracefs has; or why tracefs cannot be read, and what to do.


_TRACEPOINTS = (Path("/sys/kernel/tracing/events"), Path("/sys/kernel/debug/tracing/events"))
_MOUNTS = Path("/proc/self/mounts")
_KINDS = ("tracefs", "debugfs")


def number_of(tracepoint: str) -> int | None:
    """
    Of "category:name", for perf_event_open(2). None: this kernel has no such tracepoint. Raises Unavailable where no
    tracepoint can be looked up.
    """
    for place in _TRACEPOINTS:
        with suppress(OSError):
            return int((place / tracepoint.replace(":", "/") / "id").read_text())
    if not any(os.access(place, os.R_OK | os.X_OK, effective_ids=True) for place in _TRACEPOINTS):
        raise Unavailable(_why_no_tracefs())
    return None


def _why_no_tracefs() -> str:
    """
    It is a file system of its own, alone or inside of debugfs, which only root may read, or who may read everything. What is
    mounted and cannot be read is not to be mounted.
    """
    root = str(_TRACEPOINTS[0].parent)
    mounted = [line.split()[1] for line in _MOUNTS.read_text(errors="replace").splitlines() if line.split()[2] in _KINDS]
    closed = next((place for place in mounted if not os.access(place, os.R_OK | os.X_OK, effective_ids=True)), None)
    if closed is not None:
        return f"{closed} cannot be read by user {os.geteuid()}; start it as root, or with CAP_DAC_READ_SEARCH"
    if root in mounted:
        return f"{root} is mounted and has no events that can be read; a security module may forbid it: its log may name it"
    return (
        f"tracefs is not mounted; as root: mount -t tracefs tracefs {root}, or give a container the host's /sys/kernel/tracing"
    )
