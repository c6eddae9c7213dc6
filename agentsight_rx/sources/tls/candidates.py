"""
Programs -> the files with TLS code to probe before one of them starts.

These files are probed before a command starts, so that its first byte is not missed. The TLS source also inspects every file
that its processes start or map, but only after that: code in a file that is not listed here may send its first bytes within
milliseconds of being mapped, before it is probed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from msgspec import Struct

from ...core.errors import CaptureError
from ...core.start import regex
from ..kernel.machine import MACHINE, machine_of
from .commands import Resolved
from .libraries import inspect, looks_like, open_file, system_libraries

# Below the prefix of an interpreter. Libraries in *.libs come with wheels, under names of their own.
_BUNDLED = (
    "lib/libssl*.so*",
    "lib64/libssl*.so*",
    "lib/libpython3*.so*",
    "lib/python3*/lib-dynload/_ssl*.so",
    "lib/python3*/site-packages/*.libs/*.so*",
    "lib64/python3*/site-packages/*.libs/*.so*",
)
_LINKS_MOST = 8  # in a chain
_BUNDLED_MOST = 500  # files of one prefix that are inspected, 0.3 ms each


def tls_candidates(*paths: str) -> list[str]:
    """
    Files with OpenSSL functions to probe before one of `paths` runs: itself, libraries below its prefix (virtual environment,
    conda, pyenv, wheels) and the system's libssl. Their exports count, not their names. For a command: `*resolved.chain` and
    `*resolved.others`.
    """
    mentioned = list(dict.fromkeys(chain.from_iterable(_links(path) for path in paths)))
    prefixes = dict.fromkeys(Path(path).parent.parent for path in mentioned)
    bundled = chain.from_iterable(_bundled(prefix) for prefix in prefixes)
    files = dict.fromkeys(os.path.realpath(path) for path in chain(mentioned, bundled))
    return list(dict.fromkeys([*filter(_can_be_probed, files), *map(str, system_libraries())]))


def _links(path: str) -> Iterator[str]:
    """The path and each target of its links: the first is in a virtual environment, the last in the installation."""
    for _ in range(_LINKS_MOST):
        yield path
        try:
            path = os.path.normpath(Path(path).parent / os.readlink(path))
        except OSError:
            return


def _bundled(prefix: Path) -> Iterable[str]:
    found = chain.from_iterable(sorted(prefix.glob(pattern)) for pattern in _BUNDLED)
    return (str(path) for path in islice(found, _BUNDLED_MOST))


def _can_be_probed(path: str) -> bool:
    try:
        return inspect(path) is not None
    except CaptureError:
        return False


def describe(resolved: Resolved, candidates: Iterable[str]) -> str:
    """One line for people: the program of a command, where its TLS is read, or why it may not be."""
    way = " -> ".join(resolved.chain)
    system = set(map(str, system_libraries()))
    own = [path for path in candidates if path not in system]
    if own:
        return f"{way}: TLS of its own in {', '.join(own)}"
    for program in (resolved.path, *resolved.others):
        try:
            seems = looks_like(program)
        except CaptureError:
            continue
        if seems:
            return f"{way}: {program} looks like {seems}, whose TLS cannot be read"
    return f"{way}: no TLS of its own; it is read in the libraries that are loaded"


# -- mapped --------------------------------------------------------------------------------------------------------
# Processes -> the files that they have mapped as code, and files -> the processes that use them.


class Mapped(Struct, frozen=True):
    """
    A file with code that a process has mapped. `device` and `inode` are the kernel's; `place` opens exactly this file,
    whatever is at its path now.
    """

    pid: int
    path: str
    place: str
    device: int
    inode: int

    @property
    def name(self) -> str:
        """A path for people: that on the host where it is the same file."""
        inside = f"/proc/{self.pid}/root{self.path}"
        return self.path if _same(self.path, self.place) else inside


# 00420000-0073e000 r-xp 00020000 fd:01 705628      /usr/bin/python3.13; in map_files it is 420000-73e000
_MAPS_LINE = regex(r"^0*([0-9a-f]+-)0*([0-9a-f]+) ..x. \S+ ([0-9a-f]+):([0-9a-f]+) (\d+) +(/.*)$", re.MULTILINE)
_MAPPED_BEGIN = regex(r"^0*([0-9a-f]+-)0*([0-9a-f]+) \S+ 0+ \S+ [1-9]\d* +(/.*)$", re.MULTILINE)  # the first bytes of a file
_BEGINS_MOST = 64
_MINOR_BITS = 20  # of a device number inside the kernel


def _maps_of(pid: int) -> str:
    """proc_pid_maps(5); "" of a process that has ended."""
    try:
        return Path(f"/proc/{pid}/maps").read_text(errors="replace")
    except OSError:
        return ""


def mapped_files(pids: Iterable[int]) -> Iterator[Mapped]:
    """The program and the mapped files with code of each process; a file that several processes use comes once."""
    seen: set[tuple[str, ...]] = set()
    for pid in pids:
        for start, end, major, minor, inode, path in _MAPS_LINE.findall(_maps_of(pid)):
            if (major, minor, inode) not in seen:
                seen.add((major, minor, inode))
                device = int(major, 16) << _MINOR_BITS | int(minor, 16)
                yield Mapped(pid, path, place=f"/proc/{pid}/map_files/{start}{end}", device=device, inode=int(inode))


def emulated(pid: int, /) -> tuple[str, str] | None:
    """A program or library for another machine that a process has mapped, as an emulator does, and the name of that machine."""
    begins = {path: f"/proc/{pid}/map_files/{start}{end}" for start, end, path in _MAPPED_BEGIN.findall(_maps_of(pid))}
    for path in islice(sorted(begins, key=lambda path: ".so" in path), _BEGINS_MOST):  # the program before its libraries
        try:
            with open_file(begins[path]) as file:
                machine = machine_of(file.read(20))
        except (CaptureError, OSError):
            continue
        if machine and machine != MACHINE.name:
            return path, machine
    return None


def executables_of(pids: Iterable[int]) -> Iterator[str]:
    """The same as paths that can be opened."""
    return (mapped.name for mapped in mapped_files(pids))


def users_of(paths: Iterable[str]) -> set[int]:
    """The processes that now run one of these files or have it mapped as code."""
    wanted = {os.stat(path).st_ino: path for path in paths if Path(path).is_file()}

    def uses(pid: int) -> bool:
        found = (mapped for mapped in mapped_files((pid,)) if mapped.inode in wanted)
        return any(_same(wanted[mapped.inode], mapped.place) for mapped in found)

    return {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and uses(int(entry.name))}


def _same(path: str, place: str) -> bool:
    try:
        return os.path.samefile(path, place)
    except OSError:
        return False
