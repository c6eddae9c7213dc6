"""
Event -> the event itself and, behind it, the alerts: what breaks a rule of the guard. Before it the guard gets known hosts, and
new rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..core.kernels import each
from ..core.machine import Checkpointed, Machine
from ..core.stream import Operator
from ..events import Event, HostsKnown, Origin, RulesLoaded
from ..policy.rules.guard.values import Rules
from ..store.fold.fold import Fold, FoldState
from ..store.fold.guard.talk import Priced
from ..store.rows.kinds import AlertRow, Row, RowGone

_BEFORE_NS = 5_000_000_000  # what comes late is not from before it
_EVERY_NS = 1_000_000_000
Look = Callable[[], RulesLoaded | None]  # what has changed since the last time, without a time


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


def know_hosts(*pairs: tuple[str, str], homes: tuple[str, ...] = ()) -> Operator[Event, Event]:
    """
    Put a HostsKnown before the first event: the guard behind it takes these as known. `pairs` of a workspace and a host that a
    session there has spoken to, and `homes` of users of this machine. So they are in the recording, and a replay knows them.

        --a---------------b--|
        [ know_hosts(pair)   ]
        --HostsKnown a----b--|
    """
    return each(lambda: _Knowing(pairs, homes), name="know_hosts", options=f"{len(pairs)} hosts")


class _Knowing(Machine[Event, Event], Checkpointed[bool]):
    def __init__(self, pairs: tuple[tuple[str, str], ...], homes: tuple[str, ...]) -> None:
        self._pairs, self._homes = pairs, homes
        self.state = False  # whether they were said

    def feed(self, event: Event, /) -> Iterable[Event]:
        if self.state:
            return (event,)
        self.state = True
        origin = event.origin
        time_ns = max(1, origin.time_ns - _BEFORE_NS)
        wall_ns = max(0, origin.wall_ns - (origin.time_ns - time_ns))
        return (HostsKnown(Origin(time_ns, 0, comm="guard", wall_ns=wall_ns), self._pairs, self._homes), event)


def reload_rules(look: Look) -> Operator[Event, Event]:
    """
    Put a RulesLoaded where the file of rules has changed: the guard behind it judges by the new ones. `look` is asked each
    second of the engine's time. A replay has no such operator: it finds the RulesLoaded in its recording.

        --FileEvent------------------FileEvent--|      with a change of the file after the first event
        [          reload_rules(look)         ]
        --FileEvent--RulesLoaded-----FileEvent--|
    """
    return each(lambda: _Reloading(look), name="reload_rules")


class _Reloading(Machine[Event, Event]):
    """It keeps no state of its own: a run that goes on begins with the rules that hold then."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._due_ns = 0
        self._offset_ns = 0  # of the wall clock

    def feed(self, event: Event, /) -> Iterable[Event]:
        origin = event.origin
        if origin.wall_ns:
            self._offset_ns = origin.wall_ns - origin.time_ns
        return (event,)

    def tick(self, now_ns: int, /) -> Iterable[Event]:
        if now_ns < self._due_ns or not self._offset_ns:  # before the first event the time of day is not known
            return ()
        self._due_ns = now_ns + _EVERY_NS
        found = self._look()
        if found is None:
            return ()
        origin = Origin(now_ns, 0, comm="guard", wall_ns=now_ns + self._offset_ns)
        return (RulesLoaded(origin, found.file, found.rules, found.sha256, found.error),)
