"""State by key, and several streams in one: what `per_key` and `merge` add to an event, and what a tick of 1,000 keys costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from msgspec import Struct

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.machine import Kernel, Machine
from agentsight_rx.core.merge import merge
from agentsight_rx.core.stream import Stream, of
from agentsight_rx.operators import per_key
from benchmarks.recording import cut
from benchmarks.timing import Case, Row, Work, measure

__all__ = ["rows"]

_EVENTS = 20_480
_BATCH = 256
_KEYS = 64  # connections at once
_MANY = 1000  # keys of a tick
_TICKS = 20
_INPUTS = 4  # what a full trace merges: tls, process, stdio, system
_SPACING_NS = 10_000


class _Event(Struct, frozen=True, gc=False):
    time_ns: int
    key: int


class _Echo(Machine[_Event, _Event]):
    """Gives back what it is fed; wants to know the time and has nothing to say then."""

    def feed(self, event: _Event, /) -> Iterable[_Event]:
        return (event,)

    def tick(self, now_ns: int, /) -> Iterable[_Event]:
        return ()


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    """For comparison: at first `per_key` added 10-20 ns an event, `merge` of four 54 ns, and a tick took 21-37 µs."""
    count = max(1, int(_EVENTS * scale) // (_INPUTS * _BATCH)) * _INPUTS * _BATCH
    events = [_Event(number * _SPACING_NS, number * 7 % _KEYS) for number in range(count)]
    batches, inputs = cut(events, _BATCH), [events[start::_INPUTS] for start in range(_INPUTS)]
    plain, apart, many = "plain loop over a dict", "4 streams, each for itself", "plain loop over 1,000 machines, a tick"
    cases = [
        Case(plain, partial(_plain, batches), count),
        Case("per_key", partial(_per_key, batches), count, floor=plain, target=1.5),
        Case(apart, partial(_apart, inputs), count),
        Case("merge of 4 streams", partial(_merged, inputs), count, floor=apart),
        Case(many, _plain_ticks, _TICKS),
        Case("per_key with 1,000 keys, a tick", _ticks, _TICKS, floor=many, target=2.0),
    ]
    return measure("keyed", cases, rounds)


def _time(event: _Event) -> int:
    return event.time_ns


def _key(event: _Event) -> int:
    return event.key


def _plain(batches: Sequence[Sequence[_Event]]) -> Work:
    table: dict[int, _Echo] = {}

    def work() -> None:
        for batch in batches:
            out: list[_Event] = []
            for event in batch:
                key = _key(event)
                machine = table.get(key)
                if machine is None:
                    machine = table[key] = _Echo()
                out.extend(machine.feed(event))

    return work


def _kernel() -> Kernel[_Event, _Event]:
    return per_key(_key, _Echo, name="echo", key_type=int).kernel(Site(Engine(), "keyed/echo"))


def _per_key(batches: Sequence[Sequence[_Event]]) -> Work:
    kernel = _kernel()

    def work() -> None:
        for batch in batches:
            kernel.feed(batch)

    return work


def _plain_ticks() -> Work:
    machines = [_Echo() for _ in range(_MANY)]

    def work() -> None:
        out: list[_Event] = []
        for now_ns in range(_TICKS):
            for machine in machines:
                out.extend(machine.tick(now_ns))

    return work


def _ticks() -> Work:
    kernel = _kernel()
    kernel.feed([_Event(0, key) for key in range(_MANY)])

    def work() -> None:
        for now_ns in range(_TICKS):
            kernel.tick(now_ns)

    return work


class _Taken:
    """The end of a stream."""

    singles = 0

    def __init__(self) -> None:
        self.count = 0

    def on_batch(self, batch: Sequence[_Event], /) -> None:
        self.count += len(batch)

    def on_completed(self) -> None:
        pass

    def on_error(self, error: Exception, /) -> None:
        raise error


def _merged(inputs: Sequence[Sequence[_Event]]) -> Work:
    return _run([merge(*_sources(), time_of=_time)], inputs)


def _apart(inputs: Sequence[Sequence[_Event]]) -> Work:
    return _run(_sources(), inputs)


def _sources() -> list[Stream[_Event]]:
    return [of(time_of=_time, name=f"input {number}") for number in range(_INPUTS)]


def _run(streams: Sequence[Stream[_Event]], inputs: Sequence[Sequence[_Event]]) -> Work:
    """Hand every source its batches in turn, as their readers would."""
    engine, taken = Engine(), _Taken()
    for stream in streams:
        stream.attach(engine, taken)
    batches = [cut(events, _BATCH) for events in inputs]

    def work() -> None:
        for turn in zip(*batches, strict=True):
            for hub, batch in zip(engine.hubs, turn, strict=True):
                engine.push(hub, batch)
        for hub in engine.hubs:
            engine.end(hub)
        assert taken.count == sum(map(len, inputs))

    return work
