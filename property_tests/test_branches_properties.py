"""
A graph means the same however its events are cut into batches, live and replayed: stock operators and ours, in any order, in
branches that begin in one stream and meet again, with what they do in the course of time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import reactivex as rx
from hypothesis import given, note, settings
from hypothesis import strategies as st
from msgspec import Struct
from reactivex import Observable
from reactivex import operators as ops

from agentsight_rx import operators as op
from agentsight_rx.core.engine import Engine
from agentsight_rx.core.hub import Hub
from agentsight_rx.core.kernels import change, each, keep
from agentsight_rx.core.machine import Machine
from agentsight_rx.core.merge import merge
from agentsight_rx.core.per_key import per_key
from agentsight_rx.core.stream import Stream, as_stream, origin
from agentsight_rx.events import Origin, Tick

MS = 1_000_000
START_MS = 500_000_000  # the machine is up for days
MOST = 200  # of what comes out: some graphs multiply events

Heard: TypeAlias = list[tuple[int, str]]  # ms of event time, what came
Shape: TypeAlias = Callable[["Site"], Observable["Event"]]


class Event(Struct, frozen=True):
    """`name` is a letter and a number."""

    origin: Origin
    name: str

    @property
    def letter(self) -> str:
        return self.name[:1]


def time_of(event: Event) -> int:
    return event.origin.time_ns


class Site:
    """The streams that graphs are made of, in one run."""

    def __init__(self, source: Stream[Event]) -> None:
        self.source = source
        self.shared = source.share()


# -- operators ---------------------------------------------------------------------------------------------------------


def made(name: str, *events: Event) -> Event:
    """An event made of others, of the time of the newest."""
    return Event(Origin(max(map(time_of, events)), 0), name[:12])


def louder(event: Event) -> Event:
    return made(event.name.upper(), event)


def both(one: Event, other: Event) -> Event:
    return made(one.name + other.name, one, other)


def pair(two: tuple[Event, Event]) -> Event:
    return both(*two)


def joined(some: list[Event]) -> Event:
    return made("".join(event.name for event in some), *some)


def is_early(event: Event) -> bool:
    return event.letter.lower() in "ab"


def letter_of(event: Event) -> str:
    return event.letter


def collected(window: Observable[Event]) -> Observable[Event]:
    lists: Observable[list[Event]] = window.pipe(ops.to_list())
    return lists.pipe(ops.filter(bool), ops.map(joined))


def group_of(group: Any) -> Observable[Event]:
    events: Observable[Event] = group
    return events.pipe(ops.scan(both))


class _Twice(Machine[Event, Event]):
    """Holds each event until the next one, or until time has passed it by 100 ms."""

    def __init__(self) -> None:
        self._last: Event | None = None

    def feed(self, event: Event, /) -> Sequence[Event]:
        last, self._last = self._last, event
        return (both(last, event),) if last else ()

    def tick(self, now_ns: int, /) -> Sequence[Event]:
        if self._last is None or now_ns < time_of(self._last) + 100 * MS:
            return ()
        last, self._last = self._last, None
        return (last,)

    def finish(self) -> Sequence[Event]:
        last, self._last = self._last, None
        return (last,) if last else ()


UNARY: dict[str, Callable[[Any], Any]] = {
    "map": ops.map(louder),
    "filter": ops.filter(is_early),
    "scan": ops.scan(both),
    "pairwise": lambda source: source.pipe(ops.pairwise(), ops.map(pair)),
    "distinct": ops.distinct_until_changed(letter_of),
    "take": ops.take(4),
    "skip": ops.skip(2),
    "delay": ops.delay(0.07),
    "debounce": ops.debounce(0.1),
    "throttle": ops.throttle_first(0.1),
    "sample": ops.sample(0.15),
    "count": lambda source: source.pipe(ops.buffer_with_count(3), ops.map(joined)),
    "buffer": lambda source: source.pipe(ops.buffer_with_time(0.2), ops.filter(bool), ops.map(joined)),
    "window": lambda source: source.pipe(ops.window_with_time(0.2), ops.flat_map(collected)),
    "group": lambda source: source.pipe(ops.group_by(letter_of), ops.flat_map(group_of)),
    "start": ops.start_with(Event(Origin(START_MS * MS, 0), "s0")),
    "repeat": lambda source: source.pipe(ops.take(2), ops.repeat(3)),
    "published": lambda source: source.pipe(ops.publish(), ops.ref_count()),
    "our change": change(louder),
    "our keep": keep(is_early),
    "our each": each(_Twice, name="twice"),
    "our per_key": per_key(letter_of, _Twice, name="twice", key_type=str),
    "our share": lambda source: as_stream(source).share(),
}


def soon(one: Any, _other: Any = None) -> Observable[int]:
    del one
    return rx.timer(0.1)


def met(one: Observable[Event], other: Observable[Event]) -> Observable[Event]:
    return one.pipe(ops.join(other, soon, soon), ops.map(pair))


def followed(one: Observable[Event], other: Observable[Event]) -> Observable[Event]:
    """Behind each event of the one the next two of the other."""
    return one.pipe(ops.flat_map(lambda _: other.pipe(ops.take(2))))


BINARY: dict[str, Callable[[Observable[Event], Observable[Event]], Observable[Event]]] = {
    "merge": lambda one, other: one.pipe(ops.merge(other)),
    "merge of rx": rx.merge,
    "zip": lambda one, other: one.pipe(ops.zip(other), ops.map(pair)),
    "latest": lambda one, other: one.pipe(ops.combine_latest(other), ops.map(pair)),
    "with latest": lambda one, other: one.pipe(ops.with_latest_from(other), ops.map(pair)),
    "concat": lambda one, other: one.pipe(ops.take(3), ops.concat(other)),
    "concat of rx": lambda one, other: rx.concat(one.pipe(ops.take(2)), other),
    "until": lambda one, other: one.pipe(ops.take_until(other.pipe(ops.skip(3)))),
    "join": met,
    "flat_map": followed,
    "switch": lambda one, other: one.pipe(ops.map(lambda _: other), ops.switch_latest()),
    "our merge": lambda one, other: merge(as_stream(one), as_stream(other), time_of=time_of),
}


def _leaf(name: str) -> Shape:
    return (lambda site: site.source) if name == "source" else (lambda site: site.shared)


def _on(name: str, below: Shape) -> Shape:
    def shape(site: Site) -> Observable[Event]:
        grown: Observable[Event] = below(site).pipe(UNARY[name])
        return grown

    return shape


def _with(name: str, one: Shape, other: Shape) -> Shape:
    return lambda site: BINARY[name](one(site), other(site))


class Plan(Struct, frozen=True):
    """A graph, with words that say what it is."""

    said: str
    shape: Shape


leaves = st.sampled_from(["source", "shared"]).map(lambda name: Plan(name, _leaf(name)))
plans: st.SearchStrategy[Plan] = st.recursive(
    leaves,
    lambda below: (
        st.tuples(st.sampled_from(sorted(UNARY)), below).map(
            lambda of: Plan(f"{of[1].said} > {of[0]}", _on(of[0], of[1].shape))
        )
        | st.tuples(st.sampled_from(sorted(BINARY)), below, below).map(
            lambda of: Plan(f"{of[0]}({of[1].said}, {of[2].said})", _with(of[0], of[1].shape, of[2].shape))
        )
    ),
    max_leaves=5,
)


# -- runs --------------------------------------------------------------------------------------------------------------


@st.composite
def recordings(draw: st.DrawFn) -> list[Event]:
    """Events with gaps of nothing to seconds, some late."""
    gaps = draw(st.lists(st.sampled_from([0, 0, 1, 7, 20, 90, 400, 3000]), min_size=1, max_size=12))
    time_ms, events = START_MS, list[Event]()
    for number, gap in enumerate(gaps):
        time_ms += gap
        late = draw(st.sampled_from([0, 0, 0, 15, 60]))
        events.append(Event(Origin((time_ms - late) * MS, 0), f"{draw(st.sampled_from('abc'))}{number}"))
    return events


class _Pushed:
    """A source that the test pushes."""

    def open(self) -> None:
        pass

    def poll(self, timeout: float, /) -> None:
        del timeout

    def lost(self) -> Sequence[Event]:
        return ()

    def close(self) -> Sequence[Event]:
        return ()


class Run:
    """A graph in an engine that the test moves."""

    def __init__(self, plan: Plan, *, live: bool = False) -> None:
        self.heard: Heard = []
        self.recorded: list[Any] = []
        self.engine = Engine()
        source: Stream[Any] = origin("pushed", _Pushed, time_of=time_of, live=live)
        with self.engine:
            source.pipe(op.mark_ticks()).attach(self.engine, self)
            events = plan.shape(Site(source))
            events.subscribe(self._hear, lambda error: self._say(repr(error)), lambda: self._say("|"), scheduler=self.engine)
        self.hub: Hub[Any] = self.engine.hubs[0]

    def _hear(self, event: Event) -> None:
        self._say(event.name)

    def _say(self, word: str) -> None:
        if len(self.heard) < MOST:
            self.heard.append((self.engine.now_ns // MS, word))

    def end(self) -> Heard:
        with self.engine:
            self.engine.end(self.hub)
            self.engine.linger(lambda: len(self.heard) >= MOST)
        return self.heard

    # the outlet that records

    singles = 0

    def on_batch(self, batch: Sequence[Any], /) -> None:
        self.recorded += batch

    def on_completed(self) -> None:
        pass

    def on_error(self, error: Exception, /) -> None:
        raise error


def pushed(plan: Plan, events: Sequence[Event | Tick], size: int) -> Heard:
    run = Run(plan)
    with run.engine:
        for start in range(0, len(events), size):
            run.engine.push(run.hub, events[start : start + size])
    return run.end()


@given(plans, recordings())
@settings(deadline=None)
def test_batches_of_any_size_give_the_same(plan: Plan, events: list[Event]) -> None:
    note(plan.said)
    one_by_one = pushed(plan, events, 1)
    for size in (2, 7, 300):
        assert pushed(plan, events, size) == one_by_one


@given(plans, recordings(), st.data())
@settings(deadline=None)
def test_a_replay_gives_what_the_live_run_gave(plan: Plan, events: list[Event], data: st.DataObject) -> None:
    note(plan.said)
    live = Run(plan, live=True)
    clock_ns = time_of(events[0]) - data.draw(st.sampled_from([0, 5, 800, 5000])) * MS
    with live.engine:
        live.engine.start(clock_ns)
        left = events
        while left:
            clock_ns += data.draw(st.sampled_from([0, 30, 300, 9000])) * MS
            live.engine.idle(clock_ns)
            size = data.draw(st.integers(1, 4))
            live.engine.push(live.hub, left[:size])
            left = left[size:]
        live.engine.idle(clock_ns + data.draw(st.sampled_from([0, 300, 9000])) * MS)
    heard = live.end()
    for size in (1, 7, 300):
        assert pushed(plan, live.recorded, size) == heard


def test_what_a_graph_emits_before_the_first_event_waits_as_long_in_a_replay() -> None:
    plan = Plan("our merge(source, source > start)", _with("our merge", _leaf("source"), _on("start", _leaf("source"))))
    live = Run(plan, live=True)
    late = Event(Origin(START_MS * MS, 0), "a0")
    with live.engine:
        live.engine.start(START_MS * MS)
        live.engine.idle((START_MS + 300) * MS)
        live.engine.push(live.hub, [late])
    heard = live.end()
    assert [word for _, word in heard] == ["s0", "a0", "a0", "|"]
    assert pushed(plan, live.recorded, 1) == heard
