"""Functions of a file -> attached user probes: one uprobe_multi link for all where the kernel has them, else one by one."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection, Sequence
from typing import NamedTuple

from ...core.errors import Unavailable
from .detach import leave
from .loaded import Loaded
from .perf_events import at_uprobe
from .rights import Call, refusal
from .syscall import KPROBE, TRACE_UPROBE_MULTI, at_uprobes

__all__ = ["Attached", "ProbeRefused", "Probes", "Site"]

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
        groups = _groups(sites, together)
        attached = Attached()
        self._attached.append(attached)
        try:
            if self._multi:
                for group in groups:
                    places = [(site.offset, site.cookie) for site in group]
                    flags = _ON_RETURN if group[0].at_return else 0
                    attached.links.append(at_uprobes(self._program(group[0].program), path, places, flags=flags))
            else:
                attached.links.extend(self._perf(path, site) for group in groups for site in group)
            attached.sites = groups
        except OSError as error:
            attached.close()
            raise ProbeRefused(error, "uprobe_multi link" if self._multi else "perf uprobe") from error
        return attached

    def _perf(self, path: str, site: Site) -> int:
        program = self._program(site.program)
        return at_uprobe(program, path, site.offset, cookie=site.cookie, at_return=site.at_return)

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
