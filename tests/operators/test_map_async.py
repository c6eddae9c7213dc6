"""A call of a function for each event: all answers, in order or as they come, within a limit, and what fails is counted."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reactivex import operators as rx

from agentsight_rx import GraphError, Sink, Stream, merge, op, run
from agentsight_rx.core.engine import Engine
from agentsight_rx.core.errors import UsageError
from agentsight_rx.core.kernels import compose
from agentsight_rx.core.merge import beside_losses
from agentsight_rx.core.stream import as_stream, of
from agentsight_rx.events import Origin, Readline
from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.operators.map_async import HELD
from agentsight_rx.runtime.run import Summary
from tests.runtime.test_run import Keeping

COUNT = 38


def numbers(size: int = COUNT, count: int = COUNT) -> Stream[int]:
    return of(*(range(start, min(start + size, count)) for start in range(0, count, size)))


def double(number: int) -> int:
    return 2 * number


async def double_later(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def returns_later(number: int) -> Awaitable[int]:
    return double_later(number)


def nap(_: int) -> None:
    time.sleep(60)


async def nap_later(_: int) -> None:
    await asyncio.sleep(60)


def slow(number: int) -> int:
    time.sleep(0.2)
    return number


def run_kept(graph: Any, **options: Any) -> tuple[list[Any], Summary]:
    kept = Keeping()
    return kept.items, run(graph, [Sink("kept", lambda _: kept)], **options)


@pytest.mark.parametrize("function", [double, double_later, returns_later])
@given(size=st.integers(1, COUNT), limit=st.integers(1, 9), ordered=st.booleans())
def test_every_event_has_its_answer(function: Callable[[int], Any], size: int, limit: int, *, ordered: bool) -> None:
    graph = numbers(size).pipe(op.map_async(function, limit=limit, ordered=ordered), op.change(double))
    items, summary = run_kept(graph)
    assert (items if ordered else sorted(items)) == [4 * number for number in range(COUNT)]
    assert (summary.complete, summary.ended_by) == (True, "end of input")


class Gate:
    """Calls that wait until they are let through, and how many there are at once."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.most = self._now = 0
        self.open = {number: threading.Event() for number in range(COUNT)}
        self._changing = threading.Lock()

    def call(self, number: int) -> int:
        with self._changing:
            self._now += 1
            self.most = max(self.most, self._now)
            self.begun.append(number)
        self.open[number].wait(60)
        with self._changing:
            self._now -= 1
        return number


@pytest.mark.parametrize(("ordered", "expected"), [(True, [0, 1, 2]), (False, [2, 1, 0])])
def test_answers_come_in_the_order_of_events_or_as_they_come(*, ordered: bool, expected: list[int]) -> None:
    gate, out = Gate(), list[int]()

    def opened(number: int) -> int:
        if number == 2:
            return number
        gate.open[number].wait(60)
        return number

    def seen(number: int) -> None:
        out.append(number)
        if number:
            gate.open[number - 1].set()  # out of order: each lets the one before it go

    if ordered:
        gate.open[0].set()
        gate.open[1].set()
    run(numbers(count=3).pipe(op.map_async(opened, limit=3, ordered=ordered), rx.do_action(seen)))
    assert out == expected


def test_no_more_than_the_limit_are_under_way() -> None:
    gate = Gate()
    for each in gate.open.values():
        each.set()
    run(numbers().pipe(op.map_async(gate.call, limit=3)))
    assert sorted(gate.begun) == list(range(COUNT))
    assert gate.most <= 3


def test_a_recorded_source_waits_for_its_answers() -> None:
    """What waits is bounded by the source, not by the room: nothing is lost however many events there are."""
    read: list[int] = []
    ahead: list[int] = []
    answered: list[int] = []

    def noted(number: int) -> int:
        read.append(number)
        ahead.append(len(read) - len(answered))
        return number

    graph = numbers(1, 2000).pipe(op.change(noted), op.map_async(double, limit=2), rx.do_action(answered.append))
    assert run(graph).complete
    assert len(answered) == 2000
    assert max(ahead) < 1000


def test_an_answer_that_is_awaited_holds_back_a_bounded_number() -> None:
    first = threading.Event()
    begun: list[int] = []

    def call(number: int) -> int:
        begun.append(number)
        if number == 0:
            first.wait(60)
        elif len(begun) == HELD:
            threading.Timer(0.2, first.set).start()
        return number

    items, summary = run_kept(numbers(1, 4 * HELD).pipe(op.map_async(call, limit=1 + 1)))
    assert (items, summary.complete) == (list(range(4 * HELD)), True)


def fail_at_five(number: int) -> int:
    if number == 5:
        raise LookupError("no such number")
    return number


async def fail_later(number: int) -> int:
    return fail_at_five(number)


@pytest.mark.parametrize("function", [fail_at_five, fail_later])
@pytest.mark.parametrize("size", [1, 7, COUNT])
def test_a_call_that_fails_is_an_error_at_its_event(function: Callable[[int], Any], size: int) -> None:
    kept, bugs = Keeping(), Keeping()
    graph = numbers(size).pipe(op.map_async(function))
    with pytest.raises(GraphError, match="in map_async, given int: LookupError: no such number"):
        run(graph, [Sink("kept", lambda _: kept)])
    assert kept.items == [0, 1, 2, 3, 4]
    items, summary = run_kept(graph, on_bug=Sink("bugs", lambda _: bugs))
    assert items == [number for number in range(COUNT) if number != 5]
    assert [(bug.operator, bug.error) for bug in bugs.items] == [("map_async", "LookupError: no such number")]
    assert summary.ledger.unintended() == [Entry("of/map_async", Reason.BUG, 1)]


@pytest.mark.parametrize("function", [nap, nap_later])
def test_a_call_that_takes_too_long_is_one_that_fails(function: Callable[[int], Any]) -> None:
    with pytest.raises(GraphError, match=r"in map_async, given int: TimeoutError: no answer in 0.01 s"):
        run(numbers().pipe(op.map_async(function, timeout=0.01)))


def test_what_does_not_answer_is_counted_at_the_end_and_what_did_goes_out() -> None:
    gate = Gate()
    for number in (0, 1, 3):
        gate.open[number].set()
    items, summary = run_kept(numbers(count=5).pipe(op.map_async(gate.call)), grace=1.0)
    gate.open[2].set()
    assert items == [0, 1, 3]
    assert summary.ledger.unintended() == [Entry("of/map_async", Reason.UNFINISHED, 2)]


def test_an_answer_that_failed_behind_one_that_does_not_come_is_counted_too() -> None:
    gate = Gate()

    def call(number: int) -> int:
        if number == 1:
            raise LookupError("no such number")
        return gate.call(number) if number == 0 else number

    items, summary = run_kept(numbers(count=3).pipe(op.map_async(call)), grace=0.5, on_bug="count")
    gate.open[0].set()
    assert items == [2]
    assert summary.ledger.unintended() == [Entry("of/map_async", Reason.UNFINISHED, 2)]


@pytest.mark.parametrize("size", [1, COUNT])
def test_what_is_wanted_no_more_is_neither_asked_nor_lost_and_holds_no_source(size: int) -> None:
    """One branch has enough at once, and the other goes on to the end."""
    shared, asked = numbers(size, 2000).share(), list[int]()

    def call(number: int) -> int:
        asked.append(number)
        return number

    enough = as_stream(shared.pipe(op.map_async(call, limit=1), rx.take(1)))
    items, summary = run_kept(merge(enough, shared, time_of=double))
    assert sorted(items) == sorted([0, *range(2000)])
    assert summary.complete
    assert len(asked) <= 2


def test_answers_are_waited_for_while_they_come() -> None:
    """The grace counts from the last answer: it is known how many are to come."""
    items, summary = run_kept(numbers(count=6).pipe(op.map_async(slow, limit=1)), grace=1.0)
    assert (items, summary.complete) == (list(range(6)), True)


def test_sys_exit_inside_ends_the_run_as_what_it_is() -> None:
    def leave(number: int) -> int:
        raise SystemExit(number)

    with pytest.raises(SystemExit) as raised:
        run(of([3]).pipe(op.map_async(leave)))
    assert raised.value.code == 3


def test_without_a_run_answers_come_later() -> None:
    out, ended = list[int](), threading.Event()
    numbers().pipe(op.map_async(double)).subscribe(out.append, on_completed=ended.set)
    assert ended.wait(60)
    assert out == [2 * number for number in range(COUNT)]


def test_it_is_a_part_of_another_operator() -> None:
    both = compose("both", op.change(double), op.map_async(double), op.change(double))
    assert run_kept(numbers().pipe(both))[0] == [8 * number for number in range(COUNT)]


def test_what_runs_on_the_thread_of_a_command_refuses_it() -> None:
    kernel_of = beside_losses("own", op.map_async(double))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="map_async works on other threads"):
        of([Readline(Origin(1, 1), "echo")]).pipe(kernel_of).subscribe()


def test_wrong_options_are_said() -> None:
    with pytest.raises(UsageError, match="limit"):
        op.map_async(double, limit=0)
    with pytest.raises(UsageError, match="timeout"):
        op.map_async(double, timeout=-1.0)


def test_a_run_that_is_saved_asks_again_about_what_has_no_answer() -> None:
    events = [Readline(Origin(number, 1), f"echo {number}") for number in range(6)]
    gate = Gate()
    gate.open[0].set()

    def call(event: Readline) -> str:
        gate.call(event.origin.time_ns)
        return event.command

    def begun(out: list[str]) -> Engine:
        engine = Engine()
        of(events).pipe(op.map_async(call, limit=2)).subscribe(out.append, scheduler=engine)
        return engine

    before, after = list[str](), list[str]()
    engine = begun(before)
    (hub,) = engine.hubs
    engine.push(hub, events[:4])
    while not before:
        entry = engine.doors.box.get(60)
        assert entry is not None
        engine.doors.take(*entry)
    saved = engine.snapshot()
    resumed = begun(after)
    resumed.restore(saved)
    for each in gate.open.values():
        each.set()
    (hub,) = resumed.hubs
    resumed.push(hub, events[4:])
    resumed.end(hub)
    while len(after) < 5:
        entry = resumed.doors.box.get(60)
        assert entry is not None
        resumed.doors.take(*entry)
    assert (before, after) == (["echo 0"], [f"echo {number}" for number in range(1, 6)])


class _Answer:
    """What is awaited, and no coroutine."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __await__(self) -> Generator[Any, None, int]:
        yield from asyncio.sleep(0).__await__()
        return self._number


async def answers_later(number: int) -> _Answer:
    return _Answer(number)


@pytest.mark.parametrize("function", [_Answer, answers_later])
def test_whatever_can_be_awaited_is(function: Callable[[int], Any]) -> None:
    items, summary = run_kept(numbers().pipe(op.map_async(function)))
    assert (items, summary.complete) == (list(range(COUNT)), True)


def yields(number: int) -> Iterator[int]:
    yield number


async def yields_later(number: int) -> AsyncIterator[int]:
    yield number


@pytest.mark.parametrize("function", [yields, yields_later])
def test_a_function_that_yields_is_refused(function: Callable[[int], Any]) -> None:
    with pytest.raises(UsageError, match=f"one answer, and {function.__name__} yields"):
        op.map_async(function)


def hurries(_: int) -> None:
    raise TimeoutError


async def hurries_later(_: int) -> None:
    raise TimeoutError


@pytest.mark.parametrize("function", [hurries, hurries_later])
def test_a_timeout_of_the_function_itself_is_its_own_error(function: Callable[[int], Any]) -> None:
    with pytest.raises(GraphError, match=r"given int: TimeoutError: $"):
        run(numbers().pipe(op.map_async(function, timeout=3600.0)))


def ends_the_program(number: int) -> int:
    if number == 10:
        raise SystemExit
    return number


def test_a_run_that_was_ended_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    with pytest.raises(SystemExit):
        run(numbers().pipe(op.map_async(double), op.change(ends_the_program)))
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()
