"""Lines of the audit trail about a path -> what became of the file: the one place that decides it, for every view."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice
from typing import Literal, TypeAlias

from msgspec import Struct

from ....core.bounded import Recent
from ....store.rows.kinds import AuditRow
from ....store.rows.tables import AUDIT
from ....store.state import Store, by_index, pages

Effect: TypeAlias = Literal["written", "removed", "moved", "refused", "read"]
FateKind: TypeAlias = Literal["written", "removed", "moved", "refused", "temporary", "read", "failed", "device"]

KINDS: tuple[FateKind, ...] = ("written", "removed", "moved", "refused", "temporary", "read", "failed", "device")
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_LINES_MOST = 64  # of one path that are looked at, from either end: the first that succeeded, the last that changed it
_NAMES_MOST = 8  # that a file had before, one after the other
_KNOWN_MOST = 20_000  # paths of which the answer is kept
_PATHS_MOST = 200_000
_BY_NAME = "path"  # the input of the tool names the file


def effect_of(row: AuditRow, /) -> Effect | None:
    """What a line about a file did to it; None where it did nothing that counts, such as a failed look-up."""
    if row.status == "failure" or number_of(row, "errno"):
        return "refused" if number_of(row, "errno") in _REFUSED else None
    match row.action:
        case "unlink" | "rmdir":
            return "removed"
        case "rename":
            return None if _moved_to(row) == row.target else "moved"
        case "mkdir" | "truncate":
            return "written"
        case "close":
            return "written" if number_of(row, "written_bytes") else None
        case "open":
            flags = number_of(row, "flags")
            return "written" if flags & _WRITES and not flags & os.O_DIRECTORY else "read"
        case _:
            return None


class Fate(Struct):
    """
    What the lines that were noted say of one path, oldest first. `made`: the first that succeeded made it; None: none has yet.
    `gone`: removed or moved, and not made again; `target` is its new name. `tie`: how the tool that changed it was
    found, "" where none did. `folder`: it was made or removed as one.
    """

    path: str
    made: bool | None = None
    gone: Literal["removed", "moved"] | None = None
    target: str | None = None
    written: bool = False
    opened: bool = False
    refused: bool = False
    tie: str = ""
    folder: bool = False

    def note(self, row: AuditRow) -> None:
        """Add what one line says."""
        effect = effect_of(row)
        if effect == "refused":
            self.refused = True
        if row.status == "failure" or number_of(row, "errno"):
            return
        if self.made is None:
            creates = row.action == "open" and number_of(row, "flags") & os.O_CREAT
            self.made = row.action == "mkdir" or bool(creates and not row.details.get("existed"))
        match effect:
            case "removed":
                self.gone, self.target = "removed", None
            case "moved":
                self.gone, self.target = "moved", _moved_to(row)
            case "written":
                self.written = True
                if row.action != "close":  # an open file may be written to after its name is gone
                    self.gone = None
            case _:
                pass
        if effect is not None and effect != "read":
            self.folder |= row.action in ("mkdir", "rmdir")
            if row.tool_id and self.tie != _BY_NAME:
                self.tie = row.link or "lineage"
        self.opened |= row.action not in ("unlink", "rmdir", "rename", "mkdir", "truncate")

    def follow(self, old: Fate) -> None:
        """A file got this name: bytes that were written under the old one are here now."""
        self.written, self.gone = True, None
        self.tie, self.folder = self.tie or old.tie, old.folder
        self.made = bool(old.made) if self.made is None else self.made

    def kind(self, lives: Lives | None = None) -> FateKind:
        """`lives` knows what other lines of the recording say; without it, the noted ones are all."""
        if self.path.startswith("/dev/") and not self.path.startswith("/dev/shm/"):
            return "device"
        if self.written and self.path.startswith(("/proc/", "/sys/")):
            return "device"  # a setting of the kernel, no file
        if self.gone:
            return "temporary" if (bool(self.made) if lives is None else lives.is_temporary(self.path)) else self.gone
        if self.written:
            return "temporary" if lives is not None and lives.is_temporary(self.path) else "written"
        if self.refused:
            return "refused"
        return "read" if self.opened else "failed"


class Fates:
    """The fates of many paths, at most so many; the first ones are kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._paths: dict[str, Fate] = {}

    def note(self, row: AuditRow) -> tuple[Fate, Fate | None] | None:
        """The path of a line, and its new path where it was moved; None: one path too many, it is not noted."""
        path = row.target or ""
        fate = self._of(path)
        if fate is None:
            return None
        fate.note(row)
        target = _moved_to(row) if effect_of(row) == "moved" else None
        new = None if target is None else self._of(target)
        if new is not None:
            new.follow(fate)
        return fate, new

    def _of(self, path: str) -> Fate | None:
        fate = self._paths.get(path)
        if fate is None and len(self._paths) < self._most:
            fate = self._paths[path] = Fate(path)
        return fate

    def __iter__(self) -> Iterator[Fate]:
        return iter(self._paths.values())

    def get(self, path: str) -> Fate | None:
        return self._paths.get(path)


class Lives:
    """
    Paths of a whole recording -> whether each was made and removed, or moved on, within it, whoever did that and whenever. So a
    part of a recording, a session or a tool, says the same of a file as the whole.
    """

    def __init__(self, store: Store, lines: Iterable[AuditRow] | None = None) -> None:
        """`lines`: all those about files, oldest first, where they are at hand: then nothing is read."""
        self._store = store
        self._known: Recent[str, bool] = Recent(_KNOWN_MOST)
        self._all = None if lines is None else _noted(lines)

    def is_temporary(self, path: str) -> bool:
        known = self._known.get(path)
        if known is None:
            known = self._is_temporary(path)
            self._known.put(path, known)
        return known

    def _is_temporary(self, path: str) -> bool:
        if self._all is None and not self._store.indexed:
            self._all = _noted(row for _, row in pages(self._store, AUDIT))  # one pass, not one a path
        if self._all is not None:
            fate = self._all.get(path)
            return fate is not None and fate.kind() == "temporary"
        return self._is_gone(path) and self._was_made(path)

    def _is_gone(self, path: str) -> bool:
        """By the last line that changed it."""
        for row in islice(self._lines(path, newest_first=True), _LINES_MOST):
            if row.target != path:
                if effect_of(row) == "moved":  # another file got this name
                    return False
                continue
            fate = Fate(path)
            fate.note(row)
            if fate.gone:
                return True
            if fate.written and row.action != "close":
                return False
        return False

    def _was_made(self, path: str, names: int = _NAMES_MOST) -> bool:
        """By the first line that succeeded."""
        for row in islice(self._lines(path), _LINES_MOST):
            if row.target != path:
                if effect_of(row) == "moved":
                    return names > 0 and self._was_made(row.target or "", names - 1)
                continue
            fate = Fate(path)
            fate.note(row)
            if fate.made is not None:
                return fate.made
        return False

    def _lines(self, path: str, *, newest_first: bool = False) -> Iterator[AuditRow]:
        """The lines about a path, under either of its names, in the order of time."""
        found = [
            (row for _, row in by_index(self._store, AUDIT, index, prefix=(path,), reverse=newest_first) if _is_of(row, path))
            for index in ("target", "renamed")
        ]
        return merge(*found, key=lambda row: (row.timestamp_ms, row.id), reverse=newest_first)


def _noted(rows: Iterable[AuditRow]) -> Fates:
    fates = Fates(_PATHS_MOST)
    for row in rows:
        if row.audit_type == "file" and row.target:
            fates.note(row)
    return fates


def _is_of(row: AuditRow, path: str) -> bool:
    return row.audit_type == "file" and path in (row.target, row.details.get("target"))


def _moved_to(row: AuditRow) -> str | None:
    target = row.details.get("target")
    return target if isinstance(target, str) and target else None


def names_in(row: AuditRow, /) -> tuple[str, ...]:
    """The path that a line is about, and its new name where it was moved."""
    return tuple(filter(None, (row.target, _moved_to(row))))


def number_of(row: AuditRow, name: str, /) -> int:
    """A number among the details of a line; 0 where it has none."""
    found = row.details.get(name)
    return found if isinstance(found, int) else 0


def kinds_of(rows: Iterable[AuditRow], lives: Lives | None = None, /) -> dict[str, FateKind]:
    """By path, what became of the files that these lines are about, in the order of their first touch."""
    return {fate.path: fate.kind(lives) for fate in _noted(rows)}
