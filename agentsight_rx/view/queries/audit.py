"""A store, a selection -> the audit trail, the newest first."""

from __future__ import annotations

from collections.abc import Iterator

from ...store.rows.kinds import AuditRow
from ...store.rows.tables import AUDIT
from ...store.state import Store
from .causes import Causes, newest_within
from .reading import newest_first
from .selection import Selection

__all__ = ["AUDIT_TYPES", "newest_audits", "rules_error"]

AUDIT_TYPES = ("llm", "process", "file", "network", "mcp", "rpc", "guard")


def rules_error(store: Store, /) -> str:
    """Why the newest rules of the guard that a capture was given could not be loaded; empty where they could."""
    newest = next(newest_audits(store, Selection(limit=1), "guard"), None)
    return (newest.summary or "") if newest is not None and newest.status == "failure" else ""


def newest_audits(store: Store, selection: Selection, kind: str | None = None) -> Iterator[AuditRow]:
    """The rows of one type, or of all, the newest first, as many as the limit of the selection says."""
    if selection.sessions is None:
        return newest_first(store, AUDIT, selection, kind=kind)
    return newest_within(store, AUDIT, selection, Causes(store), kind=kind)
