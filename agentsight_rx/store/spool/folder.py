"""A folder -> the spools in it, and the recordings that their segments make up."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from msgspec import Struct

from ...core.bounded import Recent
from ...core.errors import SpoolError
from ...core.options import Fits, Options, above, between
from ...core.start import regex
from ...events import Event, ProcessExec, ProcessFork, ProcessSeen
from .records import SegmentBroken
from .segment import Header, read_header

HOST = regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # the name of a host, and of its folder
_FOLDER = regex(rf"({HOST.pattern})(?:\+(\d+)of(\d+))?")
_SEGMENT = regex(r"(\d{10})\.seg")
_BEGIN = 262_144  # bytes of a segment in which its header is


class Recorded(Struct, frozen=True):
    """
    The segments of one recording of one host, in order; `next` is where the following recording begins, if there is one, and
    `before` the number of the last segment of the one before.
    """

    key: str
    paths: tuple[str, ...]
    next: Header | None = None
    before: int = 0


def segment_name(sequence: int) -> str:
    return f"{sequence:010}.seg"


def sequence_of(name: str) -> int | None:
    """The number of a segment by its name; None for another file."""
    found = _SEGMENT.fullmatch(name)
    return int(found[1]) if found is not None else None


def is_spool(path: str | Path) -> bool:
    """A folder is read as a spool, or as the folder of one host of it."""
    return Path(path).is_dir()


def is_segment(path: str | Path) -> bool:
    """A file that is named as a segment or begins as one does."""
    found = Path(path)
    return found.is_file() and (sequence_of(found.name) is not None or _header(found) is not None)


def folders(path: str | Path, *, empty: bool = False) -> dict[str, Path]:
    """
    The folders of hosts by their keys, in order; of the folder of one host, that alone. Raises SpoolError where none is, unless
    the spool may be `empty`.
    """
    root = Path(path)
    try:
        if any(sequence_of(each.name) is not None for each in root.iterdir()):
            return {_checked(root.resolve().name, root): root}
        found = {each.name: each for each in sorted(root.iterdir()) if each.is_dir() and _FOLDER.fullmatch(each.name)}
        found = {key: each for key, each in found.items() if any(sequence_of(one.name) is not None for one in each.iterdir())}
    except OSError as error:
        raise SpoolError(f"{path} cannot be read: {error.strerror}") from error
    if not found and not empty:
        raise SpoolError(f"{path} holds no segments: give the folder of `--spool`, with a folder for each host in it")
    return found


def recordings(folder: Path, key: str) -> Iterator[Recorded]:
    """
    The recordings in the folder of one host, one after the other. A segment whose header cannot be read belongs to the one that
    is open, else to the next.
    """
    run, paths, before, last = "", list[str](), 0, 0
    for path in sorted(each for each in folder.iterdir() if sequence_of(each.name) is not None):
        header = _header(path)
        if header is not None and run and header.run != run:
            yield Recorded(key, tuple(paths), header, before)
            paths, before = [], last
        run = header.run if header is not None else run
        paths.append(str(path))
        last = sequence_of(path.name) or 0
    if paths:
        yield Recorded(key, tuple(paths), before=before)


def _header(path: Path) -> Header | None:
    try:
        with path.open("rb") as file:
            return read_header(file.read(_BEGIN))
    except (SegmentBroken, OSError):
        return None


def _checked(name: str, folder: Path) -> str:
    if _FOLDER.fullmatch(name) is None:
        raise SpoolError(f"{folder} is not named as the folder of a host: letters, digits, '.', '_' and '-' are expected")
    return name


# -- options -------------------------------------------------------------------------------------------------------
# Where segments go and when they are cut; and the name of this machine among others.


_PARTS_MOST = 256


class SpoolOptions(Options, frozen=True):
    """
    Where segments go and when they are cut: after `seconds`, or `size` bytes before they are compressed. `host` is the name of
    this machine in all that is made of them.
    """

    folder: str
    host: Annotated[str, Fits(HOST.fullmatch, "of up to 64 letters, digits, '.', '_' and '-'")]
    parts: Annotated[int, between(1, _PARTS_MOST)] = 1
    seconds: Annotated[float, above(0)] = 60.0
    size: Annotated[int, above(0)] = 64 << 20
    redacted: bool = True


def host_of_machine() -> str:
    """The name of this machine, with what makes it the only one of that name where that is known."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", platform.node()).strip(".-_")[:48] or "host"
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine = ""
    return f"{name}-{machine[:8]}" if re.fullmatch(r"[0-9a-f]{32}", machine) else name


# -- parts ---------------------------------------------------------------------------------------------------------
# Event -> the number of its part: what one family of processes does stays together, so that its rows are the same.


_KNOWN = 65_536  # processes
_ROOTS = 2  # init and kthreadd begin families and belong to none


class Parts:
    """A process belongs to the part of its parent, and a process without a known parent to the part of its number."""

    def __init__(self, parts: int) -> None:
        self._parts = parts
        self._of: Recent[int, int] = Recent(_KNOWN)

    def of(self, event: Event, /) -> int:
        if self._parts == 1:
            return 0
        origin = event.origin
        if isinstance(event, ProcessFork):
            return self._learn(origin.pid, event.ppid)  # a number is used again: what it was before does not count
        pid = origin.connection.pid if origin.connection is not None else origin.pid
        known = self._of.use(pid)
        if known is not None:
            return known
        return self._learn(pid, event.ppid if isinstance(event, ProcessExec | ProcessSeen) else 0)

    def _learn(self, pid: int, ppid: int) -> int:
        parent = self._of.use(ppid) if ppid > _ROOTS else None
        part = pid % self._parts if parent is None else parent
        if pid > 0:
            self._of.put(pid, part)
        return part
