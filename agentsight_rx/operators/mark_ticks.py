"""Event -> the event and, before it where time had passed it by, a Tick: so that a replay ticks as the live run did."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar, cast

from msgspec import Struct

from ..core.kernels import each
from ..core.machine import Checkpointed, Machine
from ..core.stream import Operator
from ..events import Event, Origin, Tick

E = TypeVar("E", bound=Event)


def mark_ticks() -> Operator[E, E | Tick]:
    """
    Emit the time that ticks have reached before an event that is older, and at the end. Before a newer event a replay reaches
    that time by itself. Before the first tick comes the time at which a replay begins, where no event has said it.

        --a------b(2)--c(9)--|      with a tick at 8 before b
        [   mark_ticks()    ]
        --a------T8 b--c-----|
    """
    return cast("Operator[E, E | Tick]", each(_Ticks, name="mark_ticks"))


class _State(Struct, array_like=True):
    reached_ns: int = 0  # by ticks; 0: what was emitted says so
    newest_ns: int = 0  # of the events
    begun: bool = False


class _Ticks(Machine[Event, Event], Checkpointed[_State]):
    def __init__(self) -> None:
        self.state = _State()

    def feed(self, event: Event, /) -> Iterable[Event]:
        state = self.state
        time_ns, reached_ns = event.origin.time_ns, state.reached_ns
        state.newest_ns = max(state.newest_ns, time_ns)
        state.begun = True
        if not reached_ns:
            return (event,)
        state.reached_ns = 0
        return (event,) if time_ns >= reached_ns else (Tick(Origin(reached_ns, 0)), event)

    def tick(self, now_ns: int, /) -> Iterable[Event]:
        state = self.state
        if now_ns > state.newest_ns:
            state.reached_ns = now_ns
        if state.begun:
            return ()
        state.begun = True
        return (Tick(Origin(now_ns - 1, 0)),)

    def finish(self) -> Iterable[Event]:
        reached_ns, self.state.reached_ns = self.state.reached_ns, 0
        return (Tick(Origin(reached_ns, 0)),) if reached_ns else ()
