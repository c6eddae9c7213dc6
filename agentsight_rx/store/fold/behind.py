"""Calls whose answer has ended while their body goes on: what comes behind the end still belongs to them."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping

from msgspec.structs import replace

from ...core.bounded import Recent
from ..rows.kinds import HUNG_UP, CallRow, Row
from .background import OpenCall

__all__ = ["Behind", "judge"]

_MOST = 64
_HANG_UPS = frozenset({"closed", "reset", "cancelled"})


class Behind(Recent[str, OpenCall]):
    """By the id of the call; `OpenCall.partial` is its row."""

    def __init__(self) -> None:
        super().__init__(_MOST)

    def row(self, key: str) -> CallRow | None:
        found = self.get(key)
        return found.partial if found is not None else None

    def ended(self, key: str, reason: str | None) -> list[CallRow]:
        """The body has ended, not as it should: the row with a note where the client hung up."""
        row = self.row(key)
        self.pop(key, None)
        return [replace(row, note=HUNG_UP)] if row is not None and reason in _HANG_UPS else []

    def close(self, connection: str) -> None:
        for key in [key for key, each in self.items() if each.connection == connection]:
            del self[key]


def judge(rows: Iterable[Row], *tables: MutableMapping[str, OpenCall]) -> None:
    """Calls that go on are asides, as the row of a later one shows."""
    for row in rows:
        for table in tables:
            if type(row) is CallRow and (each := table.get(row.id)) is not None:
                partial = each.partial and replace(each.partial, aside=row.aside)
                table[row.id] = replace(each, row=replace(each.row, aside=row.aside), partial=partial)
