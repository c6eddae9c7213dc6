"""Several streams in one order: by time, then by place among the arguments, then by arrival, however batches are cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from reactivex import operators as ops

from agentsight_rx.core.engine import Engine, EngineState
from agentsight_rx.core.kernels import change, keep
from agentsight_rx.core.machine import Kernel, Node
from agentsight_rx.core.merge import merge
from agentsight_rx.core.stream import Operator, Stream, of
from agentsight_rx.errors import UsageError
from agentsight_rx.events import Event, HttpRequest, Loss, Origin, ProcessFork, TlsChunk, TlsClose
from agentsight_rx.events import time_of as event_time
from agentsight_rx.events.loss import Reason

MS = 1_000_000
Timed: TypeAlias = tuple[int, str]  # ms, name


def at(event: Timed) -> int:
    return event[0] * MS


def given(*batches: Sequence[Timed]) -> Stream[Timed]:
    return of(*batches, time_of=at)


def merged(*streams: Stream[Timed]) -> Stream[Timed]:
    return merge(*streams, time_of=at)


def names(stream: Stream[Timed], engine: Engine | None = None) -> str:
    """The names of all events, `|` where the stream completes."""
    out: list[str] = []
    engine = engine or Engine()
    stream.subscribe(lambda event: out.append(event[1]), on_completed=lambda: out.append("|"), scheduler=engine)
    engine.run_inline()
    return "".join(out)


class Steps:
    """A run of `merge` over some live inputs, as sinks see it; `out` is what comes out, and at which step."""

    singles = 0

    def __init__(self, inputs: int) -> None:
        self.engine = Engine()
        self.out: list[tuple[int, str]] = []
        merged(*(given() for _ in range(inputs))).attach(self.engine, self)
        self.engine.start(0)

    def on_batch(self, batch: Sequence[Timed], /) -> None:
        self.out += [(self.engine.now_ns // MS, name) for _, name in batch]

    def on_completed(self) -> None:
        pass

    def on_error(self, error: Exception, /) -> None:
        raise error

    def push(self, source: int, *events: Timed) -> None:
        self.engine.push(self.engine.hubs[source], events)

    def end(self, source: int) -> None:
        self.engine.end(self.engine.hubs[source])


def test_events_come_in_order_of_time() -> None:
    assert names(merged(given([(0, "a"), (50, "d")], [(60, "e")]), given([(10, "b"), (30, "c"), (90, "f")]))) == "abcdef|"


def test_a_message_has_the_time_of_its_last_byte() -> None:
    first, second = (
        HttpRequest(Origin(begin * MS, 7), number, "GET", "/", "HTTP/1.1", (), end_ns=end * MS)
        for number, (begin, end) in enumerate([(1, 9), (3, 5)], 1)
    )
    fork, unended = ProcessFork(Origin(7 * MS, 7), 1, 0), HttpRequest(Origin(8 * MS, 7), 3, "GET", "/", "HTTP/1.1", ())
    messages: Stream[Event] = of([first, second, unended], time_of=event_time)
    forks: Stream[Event] = of([fork], time_of=event_time)
    out: list[Event] = []
    engine = Engine()
    merge(messages, forks).subscribe(out.append, scheduler=engine)
    engine.run_inline()
    assert out == [second, fork, unended, first]


def test_of_one_time_the_order_is_that_of_the_arguments_and_then_of_arrival() -> None:
    one, other = given([(5, "c"), (5, "d")]), given([(5, "a"), (5, "b")])
    assert names(merged(one, other)) == "cdab|"
    assert names(merged(other, one)) == "abcd|"


def test_an_event_goes_out_at_the_first_step_that_is_200_ms_past_it() -> None:
    steps = Steps(2)
    steps.push(0, (0, "a"), (101, "c"))
    steps.push(1, (100, "b"))
    steps.push(0, (199, "d"))
    assert steps.out == []
    steps.push(0, (399, "e"))
    assert steps.out == [(200, "a"), (300, "b")]
    steps.push(0, (401, "f"))
    assert steps.out == [(200, "a"), (300, "b"), (400, "c"), (400, "d")]


def test_a_slower_source_is_waited_for_within_those_200_ms() -> None:
    steps = Steps(2)
    steps.push(0, (1, "a"), (90, "c"), (199, "e"))
    steps.push(1, (79, "b"), (180, "d"))
    steps.push(0, (500, "f"))
    assert "".join(name for _, name in steps.out) == "abcde"


def test_what_comes_later_than_that_goes_out_at_the_next_step() -> None:
    steps = Steps(2)
    steps.push(0, (0, "a"), (50, "c"), (370, "d"))
    steps.push(1, (10, "b"))
    assert steps.out == [(200, "a"), (300, "c")]
    steps.push(0, (620, "e"))
    assert steps.out[-2:] == [(400, "b"), (600, "d")]


def test_before_an_observer_of_rxpy_steps_are_fine() -> None:
    engine, out = Engine(), list[tuple[int, str]]()
    merged(given(), given()).subscribe(lambda event: out.append((engine.now_ns // MS, event[1])), scheduler=engine)
    engine.start(0)
    first, _ = engine.hubs
    engine.push(first, [(0, "a"), (41, "b"), (250, "c"), (301, "d")])
    assert out == [(200, "a"), (260, "b")]


def test_of_much_content_an_event_waits_for_20_ms() -> None:
    nothing: list[TlsChunk] = []
    engine, out = Engine(), list[int]()
    inputs = [of(nothing, name=name, time_of=event_time) for name in ("one", "other")]
    merge(*inputs).subscribe(lambda chunk: out.append(chunk.seq), scheduler=engine)
    engine.start(0)
    first, second = engine.hubs
    body = bytes(1 << 20)
    engine.push(first, [TlsChunk(Origin(10 * MS, 1), body, 0, number) for number in range(5)])
    engine.push(second, [TlsChunk(Origin(9 * MS, 1), body, 0, 9), TlsChunk(Origin(39 * MS, 1), body, 0, 10)])
    engine.push(second, [TlsChunk(Origin(41 * MS, 1), body, 0, 11)])
    assert out == [9, 0, 1, 2, 3, 4]


def test_the_end_of_one_input_keeps_the_others_going() -> None:
    steps = Steps(2)
    steps.push(0, (0, "a"))
    steps.end(0)
    steps.push(1, (30, "b"), (330, "c"))
    assert [name for _, name in steps.out] == ["a", "b"]
    steps.end(1)
    assert [name for _, name in steps.out] == ["a", "b", "c"]


def test_what_still_waits_at_the_end_comes_out_in_order() -> None:
    assert names(merged(given([(3, "c"), (1, "a")]), given([(2, "b")]))) == "abc|"


def test_one_stream_may_be_merged_and_none_may_not() -> None:
    with pytest.raises(UsageError, match="and got nothing"):
        merged()
    assert names(merged(given([(2, "a"), (1, "b")]))) == "ba|"


def test_a_merge_of_merges_is_a_merge() -> None:
    inner = merged(given([(0, "a"), (30, "d")]), given([(10, "b")]))
    assert names(merged(inner, given([(20, "c"), (90, "e")]))) == "abcde|"


def test_machines_before_a_merge_tick_before_it_and_those_behind_it_after_it() -> None:
    ticked: list[str] = []

    class Says(Kernel[Timed, Timed]):
        def __init__(self, name: str) -> None:
            self._name = name

        def feed(self, batch: Sequence[Timed], /) -> Sequence[Timed]:
            return batch

        def tick(self, now_ns: int, /) -> Sequence[Timed]:
            ticked.append(self._name)
            return [(0, self._name)] if self._name != "behind" else ()

    def says(name: str) -> Operator[Timed, Timed]:
        return Operator(name, lambda _: Says(name))

    both = merged(given([(0, "a"), (21, "b")]).pipe(says("one")), given([(0, "c"), (22, "d")]).pipe(says("other")))
    assert names(both.pipe(says("behind"))).startswith("a")
    assert ticked == ["one", "other", "behind"]


def test_who_unsubscribes_from_a_merge_unsubscribes_from_every_source() -> None:
    engine = Engine()
    merged(given([(0, "a")]), given([(0, "b")])).subscribe(scheduler=engine).dispose()
    assert not any(hub.wanted for hub in engine.hubs)


def test_every_event_is_counted_in_and_out() -> None:
    engine = Engine()
    names(merged(given([(0, "a"), (50, "b")]), given([(0, "c")])), engine)
    (meter,) = [meter for meter in engine.ledger if meter.stage == "merge"]
    assert (meter.seen, meter.passed, meter.lost()) == (3, 3, 0)


def test_events_have_their_own_time_if_no_other_is_given() -> None:
    def event(time_ns: int) -> TlsClose:
        return TlsClose(Origin(time_ns, 1))

    out: list[TlsClose] = []
    one, other = of([event(2)]), of([event(1), event(3)])
    merge(one, other).subscribe(out.append)
    assert [each.origin.time_ns for each in out] == [1, 2, 3]


def test_losses_flow_beside_the_data() -> None:
    lost = Loss(Origin(1, 1), "tls", Reason.KERNEL_LOST, 1)
    out: list[TlsClose | Loss] = []
    inputs: list[Stream[TlsClose | Loss]] = [of([TlsClose(Origin(2, 1))]), of([lost])]
    merge(*inputs).subscribe(out.append)
    assert out == [lost, TlsClose(Origin(2, 1))]


def test_the_graph_shows_what_is_merged() -> None:
    node = merged(given().pipe(keep(bool)), given()).node()
    assert node == Node("merge", "", (Node("keep", "", (Node("of"),)), Node("of")))


def _same(event: Timed) -> Timed:
    return event


def _louder(event: Timed) -> Timed:
    return event[0], event[1].upper()


# -- a branch that fails -----------------------------------------------------------------------------------------------


def broken(event: Timed) -> Timed:
    if event[1] == "x":
        raise ValueError("a bug in a stock operator")
    return event


def with_a_broken_branch(batch: Sequence[Timed]) -> Stream[Timed]:
    branch = given(batch).pipe(ops.map(broken)).pipe(change(_same))
    return merged(branch, given([(5, "b"), (30, "d"), (90, "e")]))


def test_a_branch_that_fails_is_counted_as_a_bug_and_the_others_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    engine = Engine(strict=False)
    assert names(with_a_broken_branch([(0, "a"), (10, "c"), (20, "x"), (40, "y")]), engine) == "abcde|"
    assert [(entry.stage, entry.reason, entry.count) for entry in engine.ledger.entries()] == [("merge", Reason.BUG, 1)]
    assert "a bug in a stock operator" in capsys.readouterr().err


def test_a_branch_that_fails_raises_where_the_engine_is_strict() -> None:
    with pytest.raises(ValueError, match="a bug in a stock operator"):
        names(with_a_broken_branch([(0, "x")]))


# -- any cutting -------------------------------------------------------------------------------------------------------

times = st.sampled_from([0, 5, 15, 20, 35, 80, 81, 100, 200, 300, 1800])
events = st.lists(st.tuples(times, st.sampled_from("abc")), max_size=8)


@st.composite
def cut(draw: st.DrawFn, whole: list[Timed]) -> list[list[Timed]]:
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


def graph(one: Stream[Timed], other: Stream[Timed], third: Stream[Timed]) -> Stream[Timed]:
    """Two branches of one source, one of them with a stock operator, and two more sources."""
    shared = one.pipe(keep(lambda event: event[1] != "c")).share()
    named = change(_louder)
    late = third.pipe(ops.delay(0.03)).pipe(change(_same))
    branches = merged(shared, shared.pipe(ops.map(_same)).pipe(named), other)
    return merged(branches, late)


@settings(max_examples=60, deadline=None)
@for_all(st.tuples(events, events, events), st.data())
def test_the_order_does_not_depend_on_how_any_source_is_cut(
    inputs: tuple[list[Timed], list[Timed], list[Timed]], data: st.DataObject
) -> None:
    one, other, third = [sorted(some) for some in inputs] if data.draw(st.booleans()) else inputs
    whole = names(graph(given(one), given(other), given(third)))
    again: list[Any] = [given(*data.draw(cut(some))) for some in (one, other, third)]
    assert names(graph(*again)) == whole
    singles = [given(*[[event] for event in some]) for some in (one, other, third)]
    assert names(graph(*singles)) == whole


@settings(max_examples=60, deadline=None)
@for_all(events, events)
def test_what_is_never_late_comes_out_sorted(one: list[Timed], other: list[Timed]) -> None:
    out: list[Timed] = []
    one, other = sorted(one), sorted(other)
    merged(given(one), given(other)).subscribe(out.append)
    assert out == sorted([*one, *other], key=at)


def test_what_waits_is_bounded_in_bytes() -> None:
    """Traffic of some ms may become gigabytes: then it goes out early, in order, and nothing is lost."""
    nothing: list[TlsChunk] = []
    engine, out = Engine(), list[TlsChunk]()
    merge(of(nothing, name="one"), of(nothing, name="other")).subscribe(out.append, scheduler=engine)
    engine.start(0)
    first, second = engine.hubs
    body = bytes(1 << 20)
    for number in range(40):
        hub = second if number % 2 else first
        engine.push(hub, [TlsChunk(Origin(10 * MS - number, 1), body, 0, number)])
    waiting = 40 - len(out)
    assert (len(out), waiting) == (33, 7)  # more than 32 MiB
    assert [event.seq for event in out] == sorted((event.seq for event in out), reverse=True)
    engine.idle(1000 * MS)
    assert sorted(event.seq for event in out) == list(range(40))


def test_what_waits_is_in_a_snapshot() -> None:
    first, second, last = (TlsClose(Origin(ms * 1_000_000, 7)) for ms in (5, 1, 300))

    def run(state: EngineState | None, *batches: Sequence[TlsClose]) -> tuple[list[TlsClose], EngineState]:
        seen: list[TlsClose] = []
        engine = Engine()
        inputs = [of([event], time_of=event_time) for event in (first, second)]
        merge(*inputs).subscribe(seen.append, scheduler=engine)
        if state is not None:
            engine.restore(state)
        for hub, batch in zip(engine.hubs, batches, strict=False):
            engine.push(hub, batch)
        return seen, engine.snapshot()

    nothing, state = run(None, [first], [second])
    assert [] == nothing
    seen, _ = run(state, [last])
    assert [second, first] == seen
