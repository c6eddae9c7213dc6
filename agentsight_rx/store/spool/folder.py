"""A folder -> the spools in it, and the recordings that their segments make up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from ...core.errors import SpoolError
from .records import SegmentBroken
from .segment import Header, read_header

__all__ = ["HOST", "Recorded", "folders", "is_segment", "is_spool", "recordings", "segment_name", "sequence_of"]

HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # the name of a host, and of its folder
_FOLDER = re.compile(rf"({HOST.pattern})(?:\+(\d+)of(\d+))?")
_SEGMENT = re.compile(r"(\d{10})\.seg")
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
