"""Several streams -> one, in order of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from reactivex import abc
from reactivex.disposable import CompositeDisposable

from ..events import time_of as event_time
from .engine import Engine, Site
from .hub import Outlet
from .pace import STEP_NS
from .stream import Node, Stream

__all__ = ["merge"]

E = TypeVar("E")


def merge(*streams: Stream[E], time_of: Callable[[Any], int] = event_time) -> Stream[E]:
    """
    All events of `streams`, ordered by (time, place of the stream among the arguments, arrival).

        --a------c--|
        ----b-d-------|
        [   merge()   ]      20 ms of event time later
        -----a-b-cd---|

    An event waits until time is 20 ms past it; one that comes later than that goes out at the next tick. A stream that
    fails is counted as a bug and the others go on.
    """
    return Stream[E](_Merge(streams, time_of))


class _Merge(Generic[E]):
    name = "merge"

    def __init__(self, streams: Sequence[Stream[E]], time_of: Callable[[Any], int]) -> None:
        self._streams = streams
        self._time_of = time_of

    def attach(self, engine: Engine, outlet: Outlet[E], /) -> abc.DisposableBase:
        run: _Merging[E] = _Merging(engine, outlet, len(self._streams), self._time_of)
        upstream = [stream.attach(engine, run.inputs[index]) for index, stream in enumerate(self._streams)]
        run.complete_if_done()
        return CompositeDisposable(*upstream, engine.add(run))

    def node(self) -> Node:
        return Node(self.name, "", tuple(stream.node() for stream in self._streams))


class _Input(Generic[E]):
    def __init__(self, run: _Merging[E]) -> None:
        self.waiting: list[E] = []
        self.ended = False
        self._run = run

    def on_batch(self, batch: Sequence[E], /) -> None:
        self._run.meter.seen += len(batch)
        self.waiting.extend(batch)

    def on_completed(self) -> None:
        self.ended = True
        self._run.complete_if_done()

    def on_error(self, error: Exception, /) -> None:
        self._run.site.bug(error)
        self.on_completed()


class _Merging(Generic[E]):
    def __init__(self, engine: Engine, outlet: Outlet[E], inputs: int, time_of: Callable[[Any], int]) -> None:
        self.site = Site(engine, "merge")
        self.meter = self.site.meter
        self.inputs: list[_Input[E]] = [_Input(self) for _ in range(inputs)]
        self._outlet = outlet
        self._time_of = time_of
        self._done = False

    def tick(self, now_ns: int, /) -> None:
        latest_ns = now_ns - STEP_NS
        ready: list[E] = []
        for source in self.inputs:
            if not source.waiting:
                continue
            times = list(map(self._time_of, source.waiting))
            if max(times) <= latest_ns:
                ready += source.waiting
                source.waiting = []
            elif min(times) <= latest_ns:
                pairs = list(zip(times, source.waiting, strict=True))
                ready += [event for time_ns, event in pairs if time_ns <= latest_ns]
                source.waiting = [event for time_ns, event in pairs if time_ns > latest_ns]
        self._emit(ready)

    def _emit(self, ready: list[E]) -> None:
        if ready:
            ready.sort(key=self._time_of)
            self.meter.passed += len(ready)
            self._outlet.on_batch(ready)

    def complete_if_done(self) -> None:
        if self._done or not all(source.ended for source in self.inputs):
            return
        self._done = True
        ready = [event for source in self.inputs for event in source.waiting]
        for source in self.inputs:
            source.waiting = []
        self._emit(ready)
        self._outlet.on_completed()
