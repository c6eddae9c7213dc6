"""The ids of rows: of calls and connections, and numbers for equal ones at one time."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from ..events import Origin
from .rows import AuditRow, Row, process_id

__all__ = ["Ids", "IdsState", "call_id", "connection_id", "process_of", "scheme_of"]


class IdsState(Struct, array_like=True):
    """The ids of audit rows at `time_ns`, and how often each occurred."""

    time_ns: int = 0
    counts: dict[str, int] = {}


class Ids:
    """Numbers equal ids of audit rows at one time: the second is `…-2`. A replay gives the same numbers."""

    def __init__(self) -> None:
        self.state = IdsState()

    def unique(self, rows: Iterable[Row], time_ns: int) -> list[Row]:
        if time_ns != self.state.time_ns:
            self.state = IdsState(time_ns, {})
        return [self._numbered(row) if isinstance(row, AuditRow) else row for row in rows]

    def _numbered(self, row: AuditRow) -> AuditRow:
        counts = self.state.counts
        count = counts[row.id] = counts.get(row.id, 0) + 1
        return row if count == 1 else replace(row, id=f"{row.id}-{count}")


def call_id(origin: Origin, exchange: int) -> str:
    """The id of the CallRow that this request or response belongs to."""
    return f"llm-{connection_id(origin)}-{exchange}"


def process_of(origin: Origin) -> str | None:
    """The id of the ProcessRow that owns the connection of an event."""
    connection = origin.connection
    return process_id(connection.pid, connection.start_ns) if connection else None


def scheme_of(origin: Origin) -> str:
    """The scheme of the URL that a request is for."""
    return "http" if origin.connection is not None and origin.connection.plain else "https"


def connection_id(origin: Origin) -> str:
    """The connection of an event; without one, its thread."""
    return origin.connection.id if origin.connection else f"{origin.pid}-{origin.tid}"
