"""
An operator of another package -> the same in our graph: it loses no count, and emits no event that redaction does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from ..events import BlindSpot, Event, Loss, Tick, TlsUse
from .engine import Site
from .machine import Kernel
from .stream import Operator

__all__ = ["beside_losses"]

_PASSED = frozenset({Loss, Tick, BlindSpot, TlsUse})  # what says that something is missing, and time
_EMITTED = frozenset(get_args(Event)) - {Tick}


def beside_losses(name: str, operator: Operator[Event, Event], options: str = "") -> Operator[Event, Event]:
    """
    Losses, blind spots and time go past the operator, in their place between its events. What it emits and is no event is
    counted as a bug and goes no further: only of the kinds of events is it known where they have text.
    """
    return Operator(name, lambda site: _BesideLosses(site, operator.kernel(site)), options)


class _BesideLosses(Kernel[Event, Event]):
    def __init__(self, site: Site, inner: Kernel[Event, Event]) -> None:
        self._site = site
        self._inner = inner

    def feed(self, batch: Sequence[Event], /) -> Sequence[Event]:
        if _PASSED.isdisjoint(map(type, batch)):
            return self._events(self._inner.feed(batch))
        out: list[Event] = []
        part: list[Event] = []
        for event in batch:
            if type(event) not in _PASSED:
                part.append(event)
                continue
            if part:
                out += self._events(self._inner.feed(part))
                part = []
            out.append(event)
        return [*out, *self._events(self._inner.feed(part))] if part else out

    def _events(self, made: Sequence[Any]) -> Sequence[Event]:
        if _EMITTED.issuperset(map(type, made)):
            return made
        foreign = [type(each).__name__ for each in made if type(each) not in _EMITTED]
        error = TypeError(f"{foreign[0]} is no kind of agentsight_rx.events.Event that an operator may emit")
        self._site.bug(error, len(foreign))
        return [each for each in made if type(each) in _EMITTED]

    @property
    def ticks(self) -> bool:
        return self._inner.ticks

    def tick(self, now_ns: int, /) -> Sequence[Event]:
        return self._events(self._inner.tick(now_ns))

    def finish(self) -> Sequence[Event]:
        return self._events(self._inner.finish())

    def snapshot(self) -> bytes:
        return self._inner.snapshot()

    def restore(self, state: bytes, /) -> None:
        self._inner.restore(state)

    def held(self) -> int:
        return self._inner.held()
