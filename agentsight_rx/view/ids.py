"""Rows of one time -> the same rows with ids of their own: two closes of a file at one nanosecond are two rows."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from .rows import AuditRow, Row

__all__ = ["Ids", "IdsState"]


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
