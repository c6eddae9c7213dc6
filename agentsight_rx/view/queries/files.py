"""The audit trail of files -> one value a path: what was done to it, by whom, and for which tool."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from msgspec import Struct

from ..rows import AuditRow
from .causes import Actor, Cause, Causes

__all__ = ["FileUse", "FileUses", "file_uses"]

_PATHS_MOST = 200_000  # what is done to more of them is counted together
_NAMED_MOST = 8  # processes, and tools, that one path names
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_ORDER = ("written", "removed", "moved", "refused", "temporary", "read", "failed", "device")
_SYSTEM = ("/usr/", "/lib/", "/lib64/", "/etc/", "/proc/", "/sys/", "/run/")  # what programs read to start: last of its kind


class FileUse(Struct, frozen=True):
    """
    One path. `kind`: written (also made new), removed, moved (its new name is `target`), refused (not permitted), temporary
    (made and removed or moved again), read, failed (it is not there, and other errors), device. `count` has all operations,
    `errors` those of them that failed.
    """

    path: str
    kind: str
    target: str | None = None
    count: int = 0
    errors: int = 0
    error: str | None = None  # name of the newest, as ENOENT
    read_bytes: int = 0
    written_bytes: int = 0
    first_timestamp_ms: int = 0
    last_timestamp_ms: int = 0
    by: tuple[Actor, ...] = ()
    causes: tuple[Cause, ...] = ()


class FileUses(Struct, frozen=True):
    """Writes and removals first, then what was refused, then reads. `uncounted` operations are of paths beyond the limit."""

    files: tuple[FileUse, ...]
    uncounted: int = 0

    def of(self, kind: str) -> list[FileUse]:
        return [each for each in self.files if each.kind == kind]


class _Use(Struct):
    path: str
    written: bool = False
    opened: bool = False
    gone: str | None = None  # removed or moved, and not made again
    made: bool | None = None  # the first that succeeded made it; None: nothing has yet
    target: str | None = None
    refused: bool = False
    count: int = 0
    errors: int = 0
    error: str | None = None
    read_bytes: int = 0
    written_bytes: int = 0
    first_ms: int = 0
    last_ms: int = 0
    by: dict[str, Actor] = {}
    causes: dict[str, Cause] = {}


def file_uses(rows: Iterable[AuditRow], causes: Causes) -> FileUses:
    """What rows of the audit trail say of files; rows of other kinds do not count. Oldest first."""
    uses: dict[str, _Use] = {}
    uncounted = 0
    for row in rows:
        if row.audit_type != "file":
            continue
        path = row.target or ""
        use = uses.get(path)
        if use is None and len(uses) >= _PATHS_MOST:
            uncounted += _number(row, "count") or 1
            continue
        if use is None:
            use = uses[path] = _Use(path, first_ms=row.timestamp_ms)
        _note(use, row, causes)
        target = row.details.get("target")
        if row.action == "rename" and not _number(row, "errno") and isinstance(target, str):
            _moved(uses.setdefault(target, _Use(target, first_ms=row.timestamp_ms)), use, row)
    files = [_frozen(use) for use in uses.values()]
    return FileUses(tuple(sorted(files, key=_place)), uncounted)


def _place(use: FileUse) -> tuple[int, bool, str]:
    return _ORDER.index(use.kind), use.path.startswith(_SYSTEM), use.path


def _note(use: _Use, row: AuditRow, causes: Causes) -> None:
    """Add what one row says."""
    count = _number(row, "count") or 1
    use.count += count
    use.last_ms = row.timestamp_ms
    _name(use, row, causes)
    code = _number(row, "errno")
    if code:
        use.errors += count
        use.error = errno.errorcode.get(code, str(code))
        use.refused |= code in _REFUSED
        return
    if use.made is None:
        use.made = row.action == "mkdir" or bool(row.action == "open" and _number(row, "flags") & os.O_CREAT)
    use.read_bytes += _number(row, "read_bytes")
    use.written_bytes += _number(row, "written_bytes")
    match row.action:
        case "unlink" | "rmdir":
            use.gone, use.target = "removed", None
        case "rename":
            use.gone = "moved"
            use.target = str(row.details.get("target") or "") or None
        case "mkdir" | "truncate":
            use.written, use.gone = True, None
        case "open":
            use.opened = True
            if _number(row, "flags") & _WRITES:
                use.written, use.gone = True, None
        case _:
            use.opened = True
            use.written |= _number(row, "written_bytes") > 0


def _moved(new: _Use, old: _Use, row: AuditRow) -> None:
    """A file has a new name: what was written under the old one is there now."""
    new.written, new.gone = True, None
    new.made = bool(old.made) if new.made is None else new.made
    new.count += 1
    new.last_ms = row.timestamp_ms
    new.written_bytes += old.written_bytes
    new.by.update(old.by)
    new.causes.update(old.causes)


def _name(use: _Use, row: AuditRow, causes: Causes) -> None:
    who = row.process_id or f"{row.pid}"
    if who not in use.by and len(use.by) < _NAMED_MOST:
        use.by[who] = causes.actor(row.pid, row.comm, row.process_id)
    cause = causes.of(row)
    if cause is not None and len(use.causes) < _NAMED_MOST:
        use.causes.setdefault(cause.tool_id, cause)


def _frozen(use: _Use) -> FileUse:
    return FileUse(
        use.path,
        _kind(use),
        use.target,
        count=use.count,
        errors=use.errors,
        error=use.error,
        read_bytes=use.read_bytes,
        written_bytes=use.written_bytes,
        first_timestamp_ms=use.first_ms,
        last_timestamp_ms=use.last_ms,
        by=tuple(use.by.values()),
        causes=tuple(use.causes.values()),
    )


def _kind(use: _Use) -> str:
    if use.path.startswith("/dev/") and not use.path.startswith("/dev/shm/"):
        return "device"
    if use.gone:
        return "temporary" if use.made else use.gone
    if use.written:
        return "written"
    if use.refused:
        return "refused"
    return "read" if use.opened else "failed"


def _number(row: AuditRow, name: str) -> int:
    found = row.details.get(name)
    return found if isinstance(found, int) else 0
