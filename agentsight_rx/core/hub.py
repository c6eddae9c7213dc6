"""One source in one run: what reads it, and who takes its batches."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import accumulate
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from reactivex import abc
from reactivex.disposable import Disposable

from ..events.loss import Meter
from .start import step

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)
E_contra = TypeVar("E_contra", contravariant=True)


class Reader(Protocol[E_co]):
    """What reads a source. `open` emits nothing; `poll` waits at most `timeout` s and returns None at the end of input."""

    def open(self) -> None: ...
    def poll(self, timeout: float, /) -> Sequence[E_co] | None: ...
    def lost(self) -> Sequence[E_co]: ...  # `Loss` events since the last call
    def close(self) -> Sequence[E_co]: ...  # detach, then return the events that were still under way


@runtime_checkable
class Wakes(Protocol):
    """A Reader whose `poll` another thread can end before its time, also one that has not begun: it may be given longer."""

    def wake(self) -> None: ...


@runtime_checkable
class Continues(Protocol):
    """A Reader that can begin at a `place` behind all that it gave, in another run: `go_on` comes before `open`."""

    def place(self) -> bytes: ...
    def go_on(self, place: bytes, /) -> None: ...


class Waiter(Protocol):
    """What the thread of several readers waits by, before it polls each of them without a wait."""

    def wait(self, timeout: float, /) -> bool: ...
    def close(self) -> None: ...


@runtime_checkable
class Shares(Protocol):
    """
    A Reader that shares a thread with others whose `shares` has the same name, if it has one: one of them makes the waiter of
    all. In `due_s` s its `poll` has something to do even if nothing comes.
    """

    @property
    def shares(self) -> str: ...
    @property
    def due_s(self) -> float: ...
    def waiter(self, readers: Sequence[Any], /) -> Waiter: ...


class Outlet(Protocol[E_contra]):
    """
    A subscriber to batches. `singles`: how many subscribers behind it get single events, and so see how the events of several
    branches are interleaved; one that may subscribe again during the run counts as two. 0: whole batches end there.
    """

    @property
    def singles(self) -> int: ...
    def on_batch(self, batch: Sequence[E_contra], /) -> None: ...
    def on_completed(self) -> None: ...
    def on_error(self, error: Exception, /) -> None: ...


class Ticker(Protocol):
    """A subscriber to the steps of time."""

    def tick(self, now_ns: int, /) -> None: ...


@runtime_checkable
class Saved(Protocol):
    """A Ticker whose state can be kept between two batches."""

    def snapshot(self) -> list[bytes]: ...
    def restore(self, states: Sequence[bytes], /) -> None: ...


def times_of(time_of: Callable[[E], int], events: Sequence[E], /) -> list[int]:
    """The time of each. A function that raises StopIteration would end `map` as if there were no more events."""
    times = list(map(time_of, events))
    if len(times) < len(events):
        raise RuntimeError(f"time_of raised StopIteration, given {type(events[len(times)]).__name__}")
    return times


def needs_order(outlets: Sequence[Outlet[Any]]) -> bool:
    """Whether two subscribers to single events could see in which order the branches were served."""
    return sum(outlet.singles for outlet in outlets) > 1


class Hub(Generic[E]):
    """One source in one run: hands each batch to all subscribers."""

    def __init__(self, name: str, reader: Reader[E], time_of: Callable[[E], int] | None, *, live: bool = False) -> None:
        self.live = live  # its events happen now: while none comes, time follows the clock
        self.meter = Meter(name)
        self.name = name
        self.reader = reader
        self.time_of = time_of
        self.ended = False
        self.opened = False
        self.failure: BaseException | None = None  # why it could not be opened
        self.opening_s = 0.0  # since when it is being opened
        self._opener: threading.Thread | None = None
        self._outlets: list[Outlet[E]] = []

    def open(self) -> None:
        """An exception is kept as `failure`, and anything that was opened before it is closed."""
        try:
            with step(f"{self.name}, opened"):
                self.reader.open()
            self.opened = True
        except BaseException as error:
            self.failure = error
            self._close()

    def opener(self) -> threading.Thread:
        """The thread that opens it, which begins with the first call."""
        if self._opener is None:
            self._opener = threading.Thread(target=self.open, name=f"open:{self.name}", daemon=True)
            self.opening_s = time.monotonic()
            self._opener.start()
        return self._opener

    def give_up(self) -> None:
        """Close the reader, which no run will read. Waits where it is being opened."""
        if self._opener is not None:
            self._opener.join()
        if self.opened:
            self.opened = False
            self._close()

    def _close(self) -> None:
        with suppress(Exception):  # what it had under way is of no use
            self.reader.close()

    @property
    def wanted(self) -> bool:
        return bool(self._outlets)

    @property
    def apart(self) -> bool:
        """Each event goes to all subscribers before the next one does."""
        return needs_order(self._outlets)

    def join(self, outlet: Outlet[E]) -> abc.DisposableBase:
        if self.ended:
            outlet.on_completed()
            return Disposable()
        self._outlets.append(outlet)
        return Disposable(lambda: self._leave(outlet))

    def _leave(self, outlet: Outlet[E]) -> None:
        if outlet in self._outlets:
            self._outlets.remove(outlet)
            if not self._outlets:
                self.wake()

    def wake(self) -> None:
        """Have the thread of the reader look whether it is still wanted."""
        if isinstance(self.reader, Wakes):
            self.reader.wake()

    def on_batch(self, batch: Sequence[E]) -> None:
        for outlet in tuple(self._outlets):
            outlet.on_batch(batch)

    def on_completed(self) -> None:
        self.ended = True
        outlets, self._outlets = self._outlets, []
        for outlet in outlets:
            outlet.on_completed()


# -- inline --------------------------------------------------------------------------------------------------------
# A run on one thread: every source is read to its end, event by event in order of time.


class Run(AbstractContextManager[object], Protocol):
    """The parts of an engine that are needed here."""

    @property
    def hubs(self) -> list[Hub[Any]]: ...
    @property
    def now_ns(self) -> int: ...
    @property
    def step_ns(self) -> int: ...
    def take_handed(self) -> None: ...
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
                engine.take_handed()
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
        self._times = times_of(time_of, events) if time_of else [0] * len(events)
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
