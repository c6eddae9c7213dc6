"""Event -> the event itself and, behind it, the rows it adds to the view."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.kernels import each
from ..core.machine import Checkpointed, Machine
from ..core.stream import Operator
from ..events import Event
from ..view import Fold, Row
from ..view.checkpoints import Checkpoints
from ..view.fold import FoldState

__all__ = ["materialize"]


def materialize(*, resumed: FoldState | None = None, checkpoints: Checkpoints | None = None) -> Operator[Event, Event | Row]:
    """
    Fold the merged events into rows: calls, tokens, tools tied to processes, process nodes, the audit trail, losses. It goes on
    from `resumed`, the state behind the events of an earlier run, and leaves its own in `checkpoints`.
    """
    return each(lambda: _Materializer(resumed, checkpoints), name="materialize")


class _Materializer(Machine[Event, Event | Row], Checkpointed[FoldState]):
    def __init__(self, resumed: FoldState | None, checkpoints: Checkpoints | None) -> None:
        self._fold = Fold()
        self._checkpoints = checkpoints
        if resumed is not None:
            self._fold.restore(resumed)

    def feed(self, event: Event, /) -> Iterable[Event | Row]:
        rows = self._fold.add(event)
        if self._checkpoints is not None:
            self._checkpoints.folded(event, self._fold)
        return [event, *rows]

    def finish(self) -> Iterable[Event | Row]:
        return self._fold.finish()

    def snapshot(self) -> FoldState:
        return self._fold.snapshot()

    def restore(self, state: FoldState, /) -> None:
        self._fold.restore(state)
