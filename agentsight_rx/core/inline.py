"""A run on one thread: every source is read to its end, event by event in order of time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import accumulate
from typing import Any, Protocol

from .hub import Hub

__all__ = ["run_inline"]


class Run(AbstractContextManager[object], Protocol):
    """The parts of an engine that are needed here."""

    @property
    def hubs(self) -> list[Hub[Any]]: ...
    @property
    def now_ns(self) -> int: ...
    @property
    def step_ns(self) -> int: ...
    def push(self, hub: Hub[Any], batch: Sequence[Any], /) -> None: ...
    def end(self, hub: Hub[Any], /) -> None: ...
    def linger(self, done: Callable[[], bool], /) -> None: ...


def run_inline(engine: Run) -> None:
    """
    Read every source of `engine` to its end on this thread: event by event in order of time, then of sources. A source to which
    an operator subscribes on the way is opened between two steps of time. So the cutting into batches changes nothing.
    """
    with engine:
        _Inline(engine).run()


class _Inline:
    def __init__(self, engine: Run) -> None:
        self._engine = engine
        self._opened: dict[Hub[Any], None] = {}
        self._waiting: dict[Hub[Any], _Batch] = {}

    def run(self) -> None:
        engine, waiting = self._engine, self._waiting
        try:
            while True:
                live = [hub for hub in self._opened if not hub.ended and hub.wanted]
                self._read(live)
                heads = sorted((waiting[hub].next_ns, place) for place, hub in enumerate(live) if hub in waiting)
                new = engine.hubs[len(self._opened) :]
                if new and not (heads and heads[0][0] < engine.now_ns + engine.step_ns):
                    for hub in new:
                        self._opened[hub] = None
                        hub.reader.open()
                elif heads:
                    self._push_oldest(live, heads)
                elif not live:
                    engine.linger(self._wanted)
                    if not self._wanted():
                        return
        finally:
            for hub in self._opened:
                if not hub.ended:
                    hub.reader.close()

    def _wanted(self) -> bool:
        return any(hub.wanted for hub in self._engine.hubs)

    def _read(self, live: Sequence[Hub[Any]]) -> None:
        for hub in live:
            if hub not in self._waiting:
                batch = hub.reader.poll(0.05)
                if batch is None:
                    self._engine.push(hub, [*hub.reader.lost(), *hub.reader.close()])
                    self._engine.end(hub)
                elif batch:
                    self._waiting[hub] = _Batch(batch, hub.time_of)

    def _push_oldest(self, live: Sequence[Hub[Any]], heads: Sequence[tuple[int, int]]) -> None:
        """Push what one source has within this step and before the next event of any other."""
        (time_ns, place), step_ns = heads[0], self._engine.step_ns
        border = min([*heads[1:2], ((time_ns // step_ns + 1) * step_ns, -1)])
        hub = live[place]
        batch = self._waiting[hub]
        start = batch.start
        batch.start = batch.stop(*border, place)
        if batch.start == len(batch.events):
            del self._waiting[hub]
        self._engine.push(hub, batch.events[start : batch.start])


class _Batch:
    """The batch that was read of one source, and the place of its next event."""

    def __init__(self, events: Sequence[Any], time_of: Callable[[Any], int] | None) -> None:
        self.events = events
        self.start = 0
        self._times = list(map(time_of, events)) if time_of else [0] * len(events)
        self._in_order = self._times == list(accumulate(self._times, max))

    @property
    def next_ns(self) -> int:
        return self._times[self.start]

    def stop(self, border_ns: int, border_place: int, place: int) -> int:
        """Where the first event behind the next one stands that is later than the border."""
        times, start = self._times, self.start + 1
        if self._in_order:
            return (bisect_right if place <= border_place else bisect_left)(times, border_ns, start)
        late = (at for at in range(start, len(times)) if (times[at], place) > (border_ns, border_place))
        return next(late, len(times))
