"""Event -> the event and, where the file of rules has changed, a RulesLoaded: the guard behind it judges by the new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..core.kernels import each
from ..core.machine import Machine
from ..core.stream import Operator
from ..events import Event, Origin, RulesLoaded

_EVERY_NS = 1_000_000_000
Look = Callable[[], RulesLoaded | None]  # what has changed since the last time, without a time


def reload_rules(look: Look) -> Operator[Event, Event]:
    """
    `look` is asked each second of the engine's time. A replay has no such operator: it finds the RulesLoaded in its recording.

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
