"""Event -> the event itself and, behind it, the alerts: what breaks a rule of the guard."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.kernels import each
from ..core.machine import Checkpointed, Machine
from ..core.stream import Operator
from ..events import Event
from ..policy.rules.guard.values import Rules
from ..store.fold.fold import Fold, FoldState
from ..store.fold.guard.talk import Priced
from ..store.rows.kinds import AlertRow, Row, RowGone


def guard(rules: Rules, *, priced: Priced | None = None) -> Operator[Event, Event | AlertRow | RowGone]:
    """
    For a graph that needs no other rows; `materialize(guard=rules)` has both in one pass. An alert comes again with each deed
    that it counts. Where an event comes late and shows that an alert is not true, a RowGone removes it. `priced` is what a call
    cost, for the budgets.

        --FileEvent--FileEvent----------FileEvent------------|
        [                 guard(rules)                       ]
        --FileEvent--FileEvent-AlertRow-FileEvent-AlertRow---|
    """
    return each(lambda: _Guarding(Fold(rules, priced=priced)), name="guard", options=f"{len(rules.rules)} rules")


class _Guarding(Machine[Event, Event | AlertRow | RowGone], Checkpointed[FoldState]):
    def __init__(self, fold: Fold) -> None:
        self._fold = fold

    def feed(self, event: Event, /) -> Iterable[Event | AlertRow | RowGone]:
        return [event, *_alerts(self._fold.add(event))]

    def tick(self, now_ns: int, /) -> Iterable[AlertRow | RowGone]:
        return _alerts(self._fold.tick(now_ns))

    def finish(self) -> Iterable[AlertRow | RowGone]:
        return _alerts(self._fold.finish())

    def snapshot(self) -> FoldState:
        return self._fold.snapshot()

    def restore(self, state: FoldState, /) -> None:
        self._fold.restore(state)


def _alerts(rows: Iterable[Row]) -> list[AlertRow | RowGone]:
    return [row for row in rows if isinstance(row, AlertRow) or (isinstance(row, RowGone) and isinstance(row.row, AlertRow))]
