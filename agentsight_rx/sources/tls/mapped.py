"""Processes -> the files that they have mapped as code, and files -> the processes that use them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

__all__ = ["Mapped", "executables_of", "mapped_files", "users_of"]


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
_MAPS_LINE = re.compile(r"^0*([0-9a-f]+-)0*([0-9a-f]+) ..x. \S+ ([0-9a-f]+):([0-9a-f]+) (\d+) +(/.*)$", re.MULTILINE)
_MINOR_BITS = 20  # of a device number inside the kernel


def mapped_files(pids: Iterable[int]) -> Iterator[Mapped]:
    """The program and the mapped files with code of each process; a file that several processes use comes once."""
    seen: set[tuple[str, ...]] = set()
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/maps").read_text(errors="replace")
        except OSError:
            continue
        for start, end, major, minor, inode, path in _MAPS_LINE.findall(text):
            if (major, minor, inode) not in seen:
                seen.add((major, minor, inode))
                device = int(major, 16) << _MINOR_BITS | int(minor, 16)
                yield Mapped(pid, path, place=f"/proc/{pid}/map_files/{start}{end}", device=device, inode=int(inode))


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
