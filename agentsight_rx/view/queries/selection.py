"""Row -> whether it belongs to the part of a store that was asked for."""

from __future__ import annotations

from msgspec import Struct

from ...store.rows.kinds import AnyRow, CallRow, NetworkRow, ProcessRow, SessionRow, ToolRow


class Selection(Struct, frozen=True):
    """
    A part of a store. Times are Unix time in ms, `until_ms` excluded; `sessions` are ids; with a `limit` the newest so many.

    Calls, tools and effects belong to the time in which they began; sessions, processes and network targets to all the time in
    which they were seen.
    """

    since_ms: int | None = None
    until_ms: int | None = None
    sessions: frozenset[str] | None = None
    pid: int | None = None
    limit: int | None = None

    @property
    def whole(self) -> bool:
        """True where nothing is left out but by the limit."""
        return self.since_ms is None and self.until_ms is None and self.sessions is None and self.pid is None

    def has(self, row: AnyRow) -> bool:
        """The limit aside."""
        if self.since_ms is not None and _seen_last(row) < self.since_ms:
            return False
        if self.until_ms is not None and began(row) >= self.until_ms:
            return False
        if self.sessions is not None and _session_of(row) not in self.sessions:
            return False
        return self.pid is None or self.pid in _pids_of(row)


def began(row: AnyRow) -> int:
    """When it began, as Unix time in ms; 0: unknown."""
    match row:
        case CallRow() | SessionRow():
            return row.start_timestamp_ms
        case ProcessRow():
            return row.start_timestamp_ms or row.end_timestamp_ms or 0
        case NetworkRow():
            return row.first_timestamp_ms or 0
        case _:
            time_ms: int = getattr(row, "timestamp_ms", 0)  # every other kind of row has it
            return time_ms


def _seen_last(row: AnyRow) -> int:
    match row:
        case SessionRow():
            return max(row.start_timestamp_ms, row.end_timestamp_ms or 0)
        case ProcessRow():
            return 1 << 63 if row.end_timestamp_ms is None else row.end_timestamp_ms
        case NetworkRow():
            return row.last_timestamp_ms or 0
        case _:
            return began(row)


def _session_of(row: AnyRow) -> str | None:
    if isinstance(row, SessionRow):
        return row.id
    session: str | None = getattr(row, "session_id", None)
    return session


def _pids_of(row: AnyRow) -> tuple[int | None, ...]:
    pid: int | None = getattr(row, "pid", None)
    return (pid, row.related_pid) if isinstance(row, ToolRow) else (pid,)
