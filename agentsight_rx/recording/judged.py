"""A recording and the rules of a guard -> the alerts that these rules would have made, as a live run has them."""

from __future__ import annotations

from ..rules.guard.values import Rules
from ..state import Store
from ..view import AlertRow, Fold, Row, RowGone
from ..view.fold.guard.talk import Priced
from ..view.log.reading import read_events_of_now

__all__ = ["judged"]


def judged(store: Store, rules: Rules, /, *, priced: Priced | None = None) -> list[AlertRow]:
    """All alerts, oldest first. The log is folded once; the alerts that the store has are not looked at."""
    fold, found = Fold(rules, priced=priced), dict[str, AlertRow]()
    for event in read_events_of_now(store):
        _take(found, fold.add(event))
    _take(found, fold.finish())
    return sorted(found.values(), key=lambda row: (row.timestamp_ms, row.number))


def _take(found: dict[str, AlertRow], rows: list[Row]) -> None:
    for row in rows:
        if isinstance(row, AlertRow):
            found[row.id] = row
        elif isinstance(row, RowGone) and isinstance(row.row, AlertRow):
            found.pop(row.id, None)
