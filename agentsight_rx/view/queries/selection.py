"""Row -> whether it belongs to the part of a store that was asked for."""

from __future__ import annotations

from msgspec import Struct

from ...store.rows.kind import began, kind_of
from ...store.rows.kinds import AnyRow


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


def _seen_last(row: AnyRow) -> int:
    kind = kind_of(row)
    return kind.over(row) if kind.spans else began(row)


def _session_of(row: AnyRow) -> str | None:
    session: str | None = getattr(row, kind_of(row).session, None)
    return session


def _pids_of(row: AnyRow) -> tuple[int | None, ...]:
    return tuple(getattr(row, name, None) for name in kind_of(row).pids)
