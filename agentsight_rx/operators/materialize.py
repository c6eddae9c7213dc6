"""Event -> the event itself and, behind it, the rows it adds to the view."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.kernels import each
from ..core.machine import Checkpointed, Machine
from ..core.stream import Operator
from ..events import Event
from ..view import Fold, Row
from ..view.fold import FoldState

__all__ = ["materialize"]


def materialize() -> Operator[Event, Event | Row]:
    """Fold the merged events into rows: calls, tokens, tools tied to processes, process nodes, the audit trail, losses."""
    return each(_Materializer, name="materialize")


class _Materializer(Machine[Event, Event | Row], Checkpointed[FoldState]):
    def __init__(self) -> None:
        self._fold = Fold()

    def feed(self, event: Event, /) -> Iterable[Event | Row]:
        return [event, *self._fold.add(event)]

    def finish(self) -> Iterable[Event | Row]:
        return self._fold.finish()

    def snapshot(self) -> FoldState:
        return self._fold.snapshot()

    def restore(self, state: FoldState, /) -> None:
        self._fold.restore(state)
