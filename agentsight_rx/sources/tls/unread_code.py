"""The files of a process whose traffic was not read -> what TLS code they seem to have, or why none of it is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import BinaryIO, TypeAlias

from msgspec import Struct

from ...core.bounded import Recent
from ...core.errors import CaptureError
from ...events import EMULATED, NO_CODE, NO_FILES, SEARCHED, UNOPENED
from .candidates import Mapped, emulated, mapped_files
from .libraries import FileId, Library, file_id, inspect_open, open_file

_MOST = 16_384  # files, and processes

Files: TypeAlias = tuple[tuple[str, str], ...]  # (path, a place that opens the file)


class Code(Struct):
    """The `files` that a process had mapped when it first connected, and the paths of all that were looked at."""

    files: Files = ()
    looked_at: set[str] | None = None
    newest: Files = ()  # that it had mapped when they were
    emulated: tuple[str, str] | None = None  # of a process that runs a program of another machine: the file, and the machine


class UnreadCode:
    """
    A file is searched once, which takes 0.2 s for 100 MB, unless it is known what it `seems` to have. Of a file that is being
    searched the later connections are read.
    """

    def __init__(self, seems: Callable[[FileId], str | None]) -> None:
        self._seems = seems
        self._looks: Recent[FileId, str] = Recent(_MOST)
        self._attached_ns: Recent[FileId, int] = Recent(_MOST)  # since when a file is read
        self._mapped: Recent[int, Files] = Recent(_MOST)  # by living processes, when they began to use a new file

    def maps(self, pid: int, mapped: Iterable[Mapped]) -> None:
        """A process has these files mapped as code."""
        self._mapped.put(pid, _files_of(mapped))

    def gone(self, pid: int) -> None:
        """Another process may have its number from now on."""
        self._mapped.pop(pid, None)

    def connects(self, code: Code, pid: int) -> None:
        """A process opens a connection. If it lived for some milliseconds it may be gone, and was looked at before."""
        if not code.files:
            code.files = _files_of(mapped_files((pid,))) or self._mapped.get(pid, ())
            if len(code.files) == 1:  # emulators are linked statically, and what they run is not mapped as code
                code.emulated = emulated(pid)

    def looked_at(self, code: Code, pid: int, since_ns: int) -> list[tuple[str, str]]:
        """
        Each file with TLS code that was not read at that time, once, and what it looks like; or without a path why no file is
        known. Files that the process loaded since the last time are new.
        """
        newest = self._mapped.get(pid, ())
        if code.looked_at is not None and newest is code.newest:
            return []
        files = dict((*code.files, *newest))
        if code.looked_at is None:
            code.looked_at = set()
            files.update(_files_of(mapped_files((pid,))))
        code.newest = newest
        news = {path: place for path, place in files.items() if path not in code.looked_at}
        found = {path: self._looks_like(since_ns, place, path) for path, place in news.items()}
        code.looked_at.update(found)
        if code.emulated and not any(found.values()):
            path, machine = code.emulated
            code.emulated = None
            return [(path, f"{EMULATED}{machine}")]
        why = NO_FILES if not code.looked_at else UNOPENED if None in found.values() else NO_CODE
        return [(path, seems) for path, seems in found.items() if seems] or [("", why)]

    def _looks_like(self, since_ns: int, *places: str) -> str | None:
        """What the file looks like, if it was not read when the connection began; None where it cannot be opened."""
        for place in places:
            try:
                file = open_file(place)
            except CaptureError:
                continue
            with file:
                identity = file_id(file)
                seems = self._seems(identity) or self._looks.get(identity)
                if self._attached_ns.get(identity, 0) > since_ns:
                    return SEARCHED
                if seems is None and identity not in self._attached_ns:
                    seems = _searched(file, place)
                    self._looks.put(identity, seems)
                return seems or ""
        return None

    def attached(self, library: Library) -> None:
        """Its functions are probed from now on."""
        self._attached_ns.put(library.id, time.monotonic_ns())

    def unreadable(self, library: Library, stack: str) -> None:
        """The functions that were taken for this stack are others."""
        self._looks.put(library.id, stack)


def _searched(file: BinaryIO, place: str) -> str:
    """What a file looks like that no search has met yet."""
    try:
        library = inspect_open(file, place)
    except CaptureError:  # it is no program
        return ""
    return library.seems or (SEARCHED if library.is_readable else "")


def _files_of(mapped: Iterable[Mapped]) -> Files:
    return tuple((each.name, each.place) for each in mapped)
