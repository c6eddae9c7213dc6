"""The audit trail of files -> one value a path: its operations, with the process and the tool."""

from __future__ import annotations

import errno
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from ....store.rows.kinds import AuditRow
from ....store.rows.tables import AUDIT
from ....store.state import Store
from ..calls.lookup import Cause
from ..selection import Selection
from .causes import Actor, Causes, within
from .file_fates import KINDS, Fate, FateKind, Fates, Lives, number_of

_PATHS_MOST = 200_000  # what is done to more of them is counted together
_NAMED_MOST = 8  # processes, and tools, that one path names
_SYSTEM = ("/usr/", "/lib/", "/lib64/", "/etc/", "/proc/", "/sys/", "/run/")  # what programs read to start: last of its kind


class FileUse(Struct, frozen=True):
    """
    One path. `kind`: written (also made new), removed, moved (its new name is `target`), refused (not permitted), temporary
    (made and removed or moved again within the recording), read, failed (it is not there, and other errors), device (also files
    in /proc and /sys that were written). `count` has all operations, `errors` the failed ones. `made`: it was not there before.
    """

    path: str
    kind: FateKind
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
    made: bool = False


class FileUses(Struct, frozen=True):
    """Writes and removals first, then refusals, then reads. `uncounted` operations are of paths beyond the limit."""

    files: tuple[FileUse, ...]
    uncounted: int = 0

    def of(self, kind: FateKind) -> list[FileUse]:
        return [each for each in self.files if each.kind == kind]


class _Use(Struct):
    """The sums of one path, beside its fate."""

    fate: Fate
    count: int = 0
    errors: int = 0
    error: str | None = None
    read_bytes: int = 0
    written_bytes: int = 0
    first_ms: int = 0
    last_ms: int = 0
    by: dict[str, Actor] = {}
    causes: dict[str, Cause] = {}


def read_file_uses(store: Store, selection: Selection, causes: Causes | None = None, /) -> FileUses:
    """The files that were used in the selection, without its limit."""
    causes = causes or Causes(store)
    rows = within(store, AUDIT, replace(selection, limit=None), causes, kind="file")
    return file_uses(rows, causes, None if selection.whole else Lives(store))


def file_uses(rows: Iterable[AuditRow], causes: Causes, lives: Lives | None = None, /) -> FileUses:
    """
    What rows of the audit trail say of files; rows of other kinds do not count. Oldest first. `lives` where the rows are a part
    of a recording: a file that was made or removed by another part of it is temporary too.
    """
    uses: dict[str, _Use] = {}
    fates, uncounted = Fates(_PATHS_MOST), 0
    for row in rows:
        if row.audit_type != "file":
            continue
        found = fates.note(row)
        if found is None:
            uncounted += number_of(row, "count") or 1
            continue
        fate, new = found
        use = uses.get(fate.path)
        if use is None:
            use = uses[fate.path] = _Use(fate, first_ms=row.timestamp_ms)
        _note(use, row, causes)
        if new is not None:
            _moved(uses.setdefault(new.path, _Use(new, first_ms=row.timestamp_ms)), use, row)
    files = [_frozen(use, lives) for use in uses.values()]
    return FileUses(tuple(sorted(files, key=_place)), uncounted)


def _place(use: FileUse) -> tuple[int, bool, str]:
    return KINDS.index(use.kind), use.path.startswith(_SYSTEM), use.path


def _note(use: _Use, row: AuditRow, causes: Causes) -> None:
    """Add what one row says."""
    count = number_of(row, "count") or 1
    use.count += count
    use.last_ms = row.timestamp_ms
    _name(use, row, causes)
    code = number_of(row, "errno")
    if code:
        use.errors += count
        use.error = errno.errorcode.get(code, str(code))
        return
    use.read_bytes += number_of(row, "read_bytes")
    use.written_bytes += number_of(row, "written_bytes")


def _moved(new: _Use, old: _Use, row: AuditRow) -> None:
    """A file has a new name: bytes that were written under the old one are there now."""
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


def _frozen(use: _Use, lives: Lives | None) -> FileUse:
    return FileUse(
        use.fate.path,
        use.fate.kind(lives),
        use.fate.target,
        count=use.count,
        errors=use.errors,
        error=use.error,
        read_bytes=use.read_bytes,
        written_bytes=use.written_bytes,
        first_timestamp_ms=use.first_ms,
        last_timestamp_ms=use.last_ms,
        by=tuple(use.by.values()),
        causes=tuple(use.causes.values()),
        made=bool(use.fate.made),
    )
