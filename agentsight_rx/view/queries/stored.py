"""A store -> its rows, one kind a function: the only place of these questions that knows how rows are kept."""

from __future__ import annotations

from collections.abc import Iterator

from ...state import Store
from ..report import rows_of
from ..rows import AuditRow, BlindSpotRow, CallRow, HttpRow, ProcessRow, SessionRow, ToolRow
from ..tables import AUDIT, BLIND_SPOTS, CALLS, HTTP, PROCESSES, SESSIONS, TOOLS

__all__ = ["audits", "blind_spots", "calls", "exchanges", "newest_audits", "processes", "sessions", "tools"]

_PAGE = 1000  # rows that are read at once


def calls(store: Store) -> Iterator[CallRow]:
    """The calls, oldest first; of one that was seen at both of its ends, the row of the client."""
    return (row for row in rows_of(store, CALLS) if row.twin is None)


def tools(store: Store) -> Iterator[ToolRow]:
    """The tool calls, in the order of their ids."""
    return rows_of(store, TOOLS)


def processes(store: Store) -> Iterator[ProcessRow]:
    """The processes, in the order of their ids."""
    return rows_of(store, PROCESSES)


def sessions(store: Store) -> Iterator[SessionRow]:
    """The sessions, oldest first."""
    return rows_of(store, SESSIONS)


def exchanges(store: Store) -> Iterator[HttpRow]:
    """The HTTP exchanges, oldest first."""
    return rows_of(store, HTTP)


def blind_spots(store: Store) -> Iterator[BlindSpotRow]:
    """The processes of which traffic was not read."""
    return rows_of(store, BLIND_SPOTS)


def audits(store: Store, *kinds: str) -> Iterator[AuditRow]:
    """The audit trail, oldest first; all of it, or the rows of these kinds."""
    return (row for row in rows_of(store, AUDIT) if not kinds or row.audit_type in kinds)


def newest_audits(store: Store, *kinds: str) -> Iterator[AuditRow]:
    """The audit trail, newest first; all of it, or the rows of these kinds."""
    page = store.scan(AUDIT, reverse=True, limit=_PAGE)
    while page:
        yield from (row for _, row in page if not kinds or row.audit_type in kinds)
        last, _ = page[-1]
        page = store.scan(AUDIT, stop=last, reverse=True, limit=_PAGE)
