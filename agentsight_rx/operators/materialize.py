"""Event -> the event itself and, behind it, the rows it adds to the view."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.kernels import each
from ..core.machine import Checkpointed, Machine
from ..core.stream import Operator
from ..events import Event, Witness
from ..policy.rules.guard.values import Rules
from ..store.fold.fold import Fold, FoldState
from ..store.fold.guard.talk import Priced
from ..store.log.resuming import Checkpoints
from ..store.rows.kind import of_host, seen_by
from ..store.rows.kinds import SEEN, Row


def materialize(
    *,
    resumed: FoldState | None = None,
    checkpoints: Checkpoints | None = None,
    host: str = "",
    guard: Rules | None = None,
    priced: Priced | None = None,
    follows: bool = False,
) -> Operator[Event, Event | Row]:
    """
    Fold the merged events into rows: calls, tokens, tools tied to processes, process nodes, the audit trail, losses. An
    event that comes up to 5 s behind later ones amends their rows: a row replaces the earlier one of its id, or a RowGone
    removes it. It goes on from `resumed`, the state behind the events of an earlier run, and leaves its own in
    `checkpoints`. The ids of rows contain `host`, where that is given. With the rules of a `guard` what breaks one becomes
    an AlertRow; `priced` is the cost of a call. Where it `follows`, a RulesLoaded among the events changes the rules.
    """
    options = f"guard={len(guard.rules)} rules" if guard is not None else ""
    return each(
        lambda: _Materializer(Fold(guard, priced=priced, follows=follows), resumed, checkpoints, host),
        name="materialize",
        options=options,
    )


class _Materializer(Machine[Event, Event | Row], Checkpointed[FoldState]):
    def __init__(self, fold: Fold, resumed: FoldState | None, checkpoints: Checkpoints | None, host: str) -> None:
        self._fold = fold
        self._host = host
        self._seen_by = SEEN
        self._checkpoints = checkpoints
        if resumed is not None:
            self._fold.restore(resumed)

    def feed(self, event: Event, /) -> Iterable[Event | Row]:
        if type(event) is Witness:
            self._seen_by = event.seen_by
        rows = self._fold.add(event)
        if self._checkpoints is not None:
            self._checkpoints.folded(event, self._fold)
        return [event, *self._named(rows)]

    def tick(self, now_ns: int, /) -> Iterable[Event | Row]:
        return self._named(self._fold.tick(now_ns))

    def finish(self) -> Iterable[Event | Row]:
        return self._named(self._fold.finish())

    def _named(self, rows: list[Row]) -> list[Row]:
        """As rows of this host, and of who saw what they say."""
        if self._host:
            rows = [of_host(self._host, row) for row in rows]
        return rows if self._seen_by == SEEN else [seen_by(self._seen_by, row) for row in rows]

    def snapshot(self) -> FoldState:
        state = self._fold.snapshot()
        state.seen_by = self._seen_by
        return state

    def restore(self, state: FoldState, /) -> None:
        self._seen_by = state.seen_by
        self._fold.restore(state)
