"""A store, a selection -> the audit trail, the newest first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from ...state import Store
from ..rows import AuditRow
from ..tables import AUDIT
from .causes import Causes
from .reading import newest_first
from .selection import Selection

__all__ = ["AUDIT_TYPES", "newest_audits"]

AUDIT_TYPES = ("llm", "process", "file", "network", "mcp")


def newest_audits(store: Store, selection: Selection, kind: str | None = None) -> Iterator[AuditRow]:
    """The rows of one type, or of all, the newest first, as many as the limit of the selection says."""
    causes = Causes(store) if selection.sessions is not None else None
    others = Selection(selection.since_ms, selection.until_ms, pid=selection.pid)

    def is_meant(row: AuditRow) -> bool:
        if kind is not None and row.audit_type != kind:
            return False
        return others.has(row) and (causes is None or causes.session_of_row(row) in (selection.sessions or ()))

    return islice(filter(is_meant, newest_first(store, AUDIT, others)), selection.limit)
