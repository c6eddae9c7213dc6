"""Several streams -> one, in order of time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast, get_args

import msgspec
from reactivex import abc
from reactivex.disposable import CompositeDisposable

from ..events import BlindSpot, Event, Loss, Tick, TlsUse, moment_of
from .engine import Engine, Site
from .errors import refuse_others
from .hub import Outlet, times_of
from .machine import Kernel, Node, encode_state
from .reading import LATE_NS
from .stream import Operator, Stream
from .weight import weight_of_all

# -- beside losses -------------------------------------------------------------------------------------------------
# An operator of another package -> the same in our graph: it loses no count, and emits no event that redaction does not know.


_PASSED = frozenset({Loss, Tick, BlindSpot, TlsUse})  # what says that something is missing, and time
_EVENTS = frozenset(get_args(Event))
_EMITTED = _EVENTS - {Tick}


def beside_losses(name: str, operator: Operator[Event, Event], options: str = "") -> Operator[Event, Event]:
    """
    Losses, blind spots and time go past the operator, in their place between its events. What it emits and is no event is
    counted as a bug and goes no further: only of the kinds of events is it known where they have text.
    """
    return Operator(name, lambda site: _BesideLosses(site, operator.kernel(site)), options, authors=(operator,))


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
            self._site.meter.seen -= 1  # the operator neither takes nor emits it
            self._site.meter.passed -= 1
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


# ------------------------------------------------------------------------------------------------------------------------


E = TypeVar("E")

_events: msgspec.msgpack.Decoder[list[Event]] = msgspec.msgpack.Decoder(list[Event])
# Bytes of content: 20 ms of the 200 MB/s that the pipeline takes are 4 MB. From there on readers gather no longer
_HEAVY, _HELD_MOST = 4 << 20, 32 << 20
_SOON_NS = 20_000_000


def merge(*streams: Stream[E], time_of: Callable[[Any], int] = moment_of) -> Stream[E]:
    """
    All events of `streams`, ordered by (time, place of the stream among the arguments, arrival).

        --a------c--|
        ----b-d-------|
        [   merge()   ]      at each 100 ms of event time
        ------ab-------cd|

    A message counts by its last byte, as the view reads it. An event goes out at the first step of time that is 200 ms past it;
    so does one that comes later. Where what waits has more than 4 MiB of content, 20 ms are enough, and where it has more than
    32 MiB, all of it goes out at once. A stream that fails ends the run; where `on_bug` of `run` says otherwise, it is
    counted as a bug and the others go on.
    """
    refuse_others("merge", "Streams, such as merge(a, b)", streams, lambda each: isinstance(each, Stream))
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
    singles = 0  # what waits goes out at ticks, however it came

    def __init__(self, run: _Merging[E]) -> None:
        self.waiting: list[E] = []
        self.times: list[int] = []  # of what waits
        self.ended = False
        self._run = run

    def on_batch(self, batch: Sequence[E], /) -> None:
        run = self._run
        run.meter.seen += len(batch)
        self.times += times_of(run.time_of, batch)
        self.waiting += batch
        run.held += weight_of_all(batch)
        if run.held > _HELD_MOST:
            run.release()

    def take(self, latest_ns: int) -> tuple[list[E], list[int]]:
        """The events up to this time, and their times; the rest goes on waiting."""
        waiting, times = self.waiting, self.times
        if max(times) <= latest_ns:
            self.waiting, self.times = [], []
            return waiting, times
        place = bisect_right(times, latest_ns)
        if (place and max(times[:place]) > latest_ns) or min(times[place:]) <= latest_ns:  # not in order
            pairs = sorted(zip(times, waiting, strict=True), key=lambda pair: pair[0])
            times, waiting = [time_ns for time_ns, _ in pairs], [event for _, event in pairs]
            place = bisect_right(times, latest_ns)
        self.waiting, self.times = waiting[place:], times[place:]
        return waiting[:place], times[:place]

    def on_completed(self) -> None:
        self.ended = True
        self._run.complete_if_done()

    def on_error(self, error: Exception, /) -> None:
        self._run.fail(error)
        self.on_completed()


class _Merging(Generic[E]):
    def __init__(self, engine: Engine, outlet: Outlet[E], inputs: int, time_of: Callable[[Any], int]) -> None:
        self.site = Site(engine, "merge")
        self.meter = self.site.meter
        self.inputs: list[_Input[E]] = [_Input(self) for _ in range(inputs)]
        self.time_of = time_of
        self._outlet = outlet
        self._done = False
        self._failed = False
        self._halts = engine.halts
        self.held = 0  # bytes of content that came since all that waits was lighter than that

    def fail(self, error: Exception) -> None:
        """One of the streams does: what came before goes out, and the run ends, or goes on without this stream."""
        if not self._halts:
            self.site.bug(error)
        elif not self._failed:
            self.release()
            self._failed = True
            self._outlet.on_error(error)

    def release(self) -> None:
        """Emit all that waits."""
        ready = [event for source in self.inputs for event in source.waiting]
        times = [time_ns for source in self.inputs for time_ns in source.times]
        for source in self.inputs:
            source.waiting, source.times = [], []
        self.held = 0
        self._emit(ready, times)

    def tick(self, now_ns: int, /) -> None:
        for source in self.inputs:
            if source.waiting:
                break
        else:
            self.held = 0
            return
        latest_ns = now_ns - (_SOON_NS if self.held > _HEAVY else LATE_NS)
        ready: list[E] = []
        ready_times: list[int] = []
        for source in self.inputs:
            if source.waiting:
                events, times = source.take(latest_ns)
                ready += events
                ready_times += times
        self._emit(ready, ready_times)
        if not any(source.waiting for source in self.inputs):
            self.held = 0
        elif self.held > _HELD_MOST // 2:
            self.held = sum(weight_of_all(source.waiting) for source in self.inputs)

    def _emit(self, ready: list[E], times: list[int]) -> None:
        if ready and not self._failed:
            if times != sorted(times):
                order = sorted(range(len(times)), key=times.__getitem__)
                ready = list(map(ready.__getitem__, order))
            self.meter.passed += len(ready)
            self._outlet.on_batch(ready)

    def snapshot(self) -> list[bytes]:
        """What came, and what waits of each input: the events of the product, of which the kinds are known."""
        for foreign in {type(event) for source in self.inputs for event in source.waiting} - _EVENTS:
            raise TypeError(
                f"merge holds a {foreign.__name__}, and only kinds of agentsight_rx.events.Event can be saved there"
            )
        return [encode_state(self.held), *(encode_state(source.waiting) for source in self.inputs)]

    def restore(self, states: Sequence[bytes], /) -> None:
        self.held = msgspec.msgpack.decode(states[0], type=int)
        for source, state in zip(self.inputs, states[1:], strict=True):
            source.waiting = cast("list[E]", _events.decode(state))
            source.times = times_of(self.time_of, source.waiting)

    def complete_if_done(self) -> None:
        if self._done or self._failed or not all(source.ended for source in self.inputs):
            return
        self._done = True
        self.release()
        self._outlet.on_completed()
