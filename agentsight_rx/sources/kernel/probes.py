"""Functions of a file -> attached user probes: one uprobe_multi link for all where the kernel has them, else one by one."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from ...errors import CaptureError
from .bcc import bcc

__all__ = ["Attached", "Probes", "Site"]

_BPF = 321  # the system call's number on x86-64
_LINK_CREATE = 28
_TRACE_UPROBE_MULTI = 48
_ON_RETURN = 1
_SITES_MOST = 1 << 20  # of one link, in the kernel (MAX_UPROBE_MULTI_CNT)


class _LinkCreate(ctypes.Structure):
    """union bpf_attr for BPF_LINK_CREATE with uprobe_multi (include/uapi/linux/bpf.h)."""

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


class Site(NamedTuple):
    """A place in a file to probe: run `program` of the BPF object there, or where the function that begins there returns."""

    program: str
    offset: int
    cookie: int
    at_return: bool = False


class Probes:
    """The user probes of one BPF object. `multi=False` attaches them one by one, as on kernels before 6.6."""

    def __init__(self, bpf: Any, *, first: str, multi: bool = True) -> None:
        self._bpf = bpf
        self._programs: dict[str, int] = {}  # name -> descriptor
        self._attached: list[Attached] = []
        self._multi = multi
        if multi:
            try:
                self._program(first)
            except Exception:
                self._multi = False

    @property
    def multi(self) -> bool:
        """Whether the kernel has uprobe_multi, asked with the program `first`."""
        return self._multi

    def _program(self, name: str) -> int:
        """Loaded when it is needed: the verifier takes its time for each."""
        if name not in self._programs:
            more = (None, _TRACE_UPROBE_MULTI) if self._multi else ()
            self._programs[name] = self._bpf.load_func(name.encode(), bcc().BPF.KPROBE, *more).fd
        return self._programs[name]

    def follow(self, table: str, name: str) -> None:
        """Have programs go on in this one, by the first slot of a table of programs."""
        self._bpf[table.encode()][ctypes.c_int(0)] = ctypes.c_int(self._program(name))

    def attach(self, path: str, sites: Sequence[Site], *, together: int = _SITES_MOST) -> Attached:
        """
        Probe `path`. Raises CaptureError where the kernel refuses; then none of them is probed. With uprobe_multi at most
        `together` sites share a link: the kernel takes 50 to 100 ms to close one, however many sites it has.
        """
        groups = _groups(sites, together)
        attached = Attached()
        self._attached.append(attached)
        try:
            if self._multi:
                for group in groups:
                    places = [(site.offset, site.cookie) for site in group]
                    flags = _ON_RETURN if group[0].at_return else 0
                    attached.links.append(_link(self._program(group[0].program), path, places, flags))
            else:
                attached.links.extend(self._perf(path, site) for group in groups for site in group)
            attached.sites = groups
        except CaptureError:
            attached.close()
            raise
        except Exception as error:
            attached.close()
            raise CaptureError(f"the kernel refused a probe in {path}: {error}") from error
        return attached

    def _perf(self, path: str, site: Site) -> int:
        name = f"{site.program}_{site.cookie & 0xFF}"
        event = f"{'r' if site.at_return else 'p'}_agentsight_{os.getpid()}_{name}_{site.offset:x}".encode()
        fd: int = bcc().lib.bpf_attach_uprobe(
            self._program(name), int(site.at_return), event, path.encode(), ctypes.c_uint64(site.offset), -1, 0
        )
        if fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{os.strerror(number)} at {site.offset:#x}")
        return fd

    def close(self) -> None:
        for attached in self._attached:
            attached.close()
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

    def close(self) -> None:
        links, self.links = self.links, []
        for fd in links:
            os.close(fd)


def _groups(sites: Sequence[Site], most: int) -> list[Sequence[Site]]:
    """The sites of each program, at entry and at return."""
    alike: dict[tuple[str, bool], list[Site]] = {}
    for site in sites:
        alike.setdefault((site.program, site.at_return), []).append(site)
    return [group[at : at + most] for group in alike.values() for at in range(0, len(group), most)]


def _link(program: int, path: str, sites: Sequence[tuple[int, int]], flags: int) -> int:
    count = len(sites)
    offsets = (ctypes.c_uint64 * count)(*[offset for offset, _ in sites])
    cookies = (ctypes.c_uint64 * count)(*[cookie for _, cookie in sites])
    name = ctypes.create_string_buffer(os.fsencode(path))
    attributes = _LinkCreate(
        program=program,
        attach_type=_TRACE_UPROBE_MULTI,
        path=ctypes.addressof(name),
        offsets=ctypes.addressof(offsets),
        cookies=ctypes.addressof(cookies),
        count=count,
        multi_flags=flags,
    )
    call = ctypes.CDLL(None, use_errno=True).syscall
    fd: int = call(_BPF, _LINK_CREATE, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if fd < 0:
        number = ctypes.get_errno()
        raise CaptureError(f"the kernel refused the probes in {path}: {os.strerror(number)} (errno {number})")
    return fd
