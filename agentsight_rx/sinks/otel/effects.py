"""AuditRow -> an event of the span of a tool or process: a file, or a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...view import AuditRow
from .names import SPANS, attributes_of
from .planned import PlannedEvent

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

__all__ = ["KINDS", "EventList"]

KINDS = ("file", "network")
_EVENTS_MOST = 128  # of one span, as in the SDK


class EventList:
    """The first events of a span, each action on each target once."""

    def __init__(self) -> None:
        self.kept: list[PlannedEvent] = []
        self.dropped = 0
        self._seen: set[tuple[str | None, str | None, str | None]] = set()

    def add(self, row: AuditRow) -> None:
        key = row.action, row.target, row.status
        if key in self._seen:
            return
        if len(self.kept) >= _EVENTS_MOST:
            self.dropped += 1
            return
        self._seen.add(key)
        self.kept.append(_event(row))

    def remove(self, row: AuditRow) -> None:
        """It was not of this span."""
        key = row.action, row.target, row.status
        event = _event(row)
        if key in self._seen and event in self.kept:
            self._seen.remove(key)
            self.kept.remove(event)


def _event(row: AuditRow) -> PlannedEvent:
    kind = f"agentsight.{row.audit_type}"
    fields = _file(row) if row.audit_type == "file" else _connection(row)
    fields |= {"action": row.action, "status": row.status, "pid": row.pid}
    return PlannedEvent(kind, row.timestamp_ms * 1_000_000, attributes_of(SPANS[kind], fields, with_content=False))


def _file(row: AuditRow) -> dict[str, AttributeValue | None]:
    said = row.details
    return {
        "path": row.target,
        "target": said.get("target") or None,
        "read_bytes": said.get("read_bytes") or None,
        "written_bytes": said.get("written_bytes") or None,
    }


def _connection(row: AuditRow) -> dict[str, AttributeValue | None]:
    """A target is `address:port`, `[address]:port`, or the path of a Unix socket."""
    address, _, port = (row.target or "").rpartition(":")
    whole = port.isdigit()
    return {
        "address": address.strip("[]") if whole else row.target,
        "port": int(port) if whole else None,
        "transport": row.details.get("protocol"),
    }
