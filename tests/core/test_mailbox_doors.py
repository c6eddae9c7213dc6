"""What other threads bring comes into the run on its own thread: all of it, in order, or it is counted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import reactivex as rx
from reactivex import Observable
from reactivex import operators as ops
from reactivex.disposable import Disposable
from reactivex.scheduler import ThreadPoolScheduler, TimeoutScheduler
from reactivex.subject import Subject

from agentsight_rx import Sink, Stream, merge, op, run, sources
from agentsight_rx.core.engine import Engine
from agentsight_rx.core.errors import GraphError
from agentsight_rx.core.kernels import change
from agentsight_rx.core.mailbox import STAGE, Mailbox
from agentsight_rx.core.stream import of
from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.runtime.run import Run, Summary

COUNT = 38


class Kept:
    """A sink that keeps all, and an operator that keeps on which threads it was called."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.threads: set[str] = set()

    def write(self, batch: Sequence[Any], /) -> None:
        self.items += batch

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def sink(self) -> Sink[Any]:
        return Sink("kept", lambda _: self)

    def seen(self, event: int) -> int:
        self.threads.add(threading.current_thread().name)
        return event


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def same(number: int) -> int:
    return number


def numbers(size: int = COUNT) -> Stream[int]:
    return of(*(range(start, min(start + size, COUNT)) for start in range(0, COUNT, size)))


def run_kept(graph: Observable[int], *, grace: float = 60.0) -> tuple[Kept, Summary]:
    kept = Kept()
    return kept, run(as_ours(graph, kept), [kept.sink()], grace=grace)


def as_ours(graph: Observable[int], kept: Kept) -> Observable[int]:
    return graph.pipe(change(kept.seen))


def futures(pool: ThreadPoolExecutor) -> Callable[[Observable[int]], Observable[int]]:
    return ops.flat_map(lambda number: rx.from_future(pool.submit(same, number)))


AWAY: dict[str, Callable[[ThreadPoolExecutor], Callable[[Observable[int]], Observable[int]]]] = {
    "future": futures,
    "observe_on": lambda pool: ops.observe_on(ThreadPoolScheduler(4)),
    "delay": lambda pool: ops.delay(0.001, scheduler=ThreadPoolScheduler(4)),
    "start": lambda pool: ops.flat_map(lambda number: rx.start(lambda: number, scheduler=ThreadPoolScheduler(4))),
    "subscribe_on": lambda pool: ops.subscribe_on(ThreadPoolScheduler(4)),
    "and back": lambda pool: lambda source: source.pipe(ops.observe_on(ThreadPoolScheduler(4)), ops.delay(0.1)),
    "twice": lambda pool: lambda source: source.pipe(futures(pool), change(same), futures(pool)),
    "into ours": lambda pool: lambda source: source.pipe(futures(pool), ops.flat_map(lambda number: of([number]))),
}


@pytest.mark.parametrize("size", [1, 7, COUNT])
@pytest.mark.parametrize("name", AWAY)
def test_all_comes_and_our_operators_run_on_one_thread(name: str, size: int, pool: ThreadPoolExecutor) -> None:
    kept, summary = run_kept(numbers(size).pipe(AWAY[name](pool)))
    assert sorted(kept.items) == list(range(COUNT))
    assert (summary.complete, summary.ended_by) == (True, "end of input")
    if name != "subscribe_on":
        assert kept.threads == {"engine"}


@pytest.mark.parametrize("size", [1, 7, COUNT])
def test_the_order_of_one_thread_is_kept(size: int) -> None:
    kept, _ = run_kept(numbers(size).pipe(ops.observe_on(ThreadPoolScheduler(1))))
    assert kept.items == list(range(COUNT))


def test_a_subject_that_another_thread_feeds_is_a_source() -> None:
    fed: Subject[int] = Subject()
    kept = Kept()

    def feed() -> None:
        for number in range(COUNT):
            fed.on_next(number)
        fed.on_completed()

    feeder = threading.Thread(target=feed)
    summary = run(as_ours(fed, kept), [kept.sink()], ready=feeder.start)
    feeder.join()
    assert (kept.items, kept.threads, summary.complete) == (list(range(COUNT)), {"engine"}, True)


def test_a_run_whose_input_is_a_subject_goes_on_until_it_is_stopped() -> None:
    fed: Subject[int] = Subject()
    kept = Kept()
    with Run(as_ours(fed, kept), [kept.sink()]) as running:
        fed.on_next(1)
        assert not running.ended(0.3)
        fed.on_next(2)
        summary = running.stop()
    assert (kept.items, summary.complete, summary.ended_by) == ([1, 2], True, "caller")


def test_what_is_not_waited_for_is_counted_and_the_rest_ends_in_order() -> None:
    kept = Kept()
    never: Observable[int] = rx.never()
    summary = run(merge(numbers(), numbers().pipe(ops.merge(never), change(same)), time_of=same), [kept.sink()], grace=0.01)
    assert sorted(kept.items) == sorted([*range(COUNT)] * 2)
    assert not summary.complete
    assert summary.ledger.unintended() == [Entry(STAGE, Reason.UNFINISHED, 1)]


def all_the_time(fed: Subject[int], enough: threading.Event) -> threading.Thread:
    """A thread that feeds it without a pause."""

    def feed() -> None:
        while not enough.is_set():
            fed.on_next(1)

    return threading.Thread(target=feed)


@pytest.mark.parametrize("with_source", [False, True])
def test_a_run_ends_though_another_thread_feeds_it_without_a_pause(with_source: bool) -> None:
    """Where it has a source of its own it ends behind the grace, else when it is stopped."""
    fed, enough, kept = Subject[int](), threading.Event(), Kept()
    feeder = all_the_time(fed, enough)
    graph = numbers().pipe(ops.merge(fed)) if with_source else fed
    with Run(as_ours(graph, kept), [kept.sink()], grace=0.1) as running:
        feeder.start()
        while not kept.items:
            pass
        summary = (running.wait() and running.stop()) if with_source else running.stop()
    enough.set()
    feeder.join()
    assert isinstance(summary, Summary)
    assert with_source == (Entry(STAGE, Reason.UNFINISHED, 1) in summary.ledger.unintended())


def test_a_call_that_hangs_is_not_waited_for_however_much_another_thread_brings() -> None:
    fed, enough, hangs, kept = Subject[int](), threading.Event(), threading.Event(), Kept()
    feeder = all_the_time(fed, enough)
    answered = of([1]).pipe(op.map_async(lambda _: hangs.wait()), ops.merge(fed))
    summary = run(answered, [kept.sink()], grace=0.1, ready=feeder.start)
    enough.set()
    hangs.set()
    feeder.join()
    assert Entry("of/map_async", Reason.UNFINISHED, 1) in summary.ledger.unintended()


def test_a_run_that_is_stopped_before_it_began_ends() -> None:
    for _ in range(20):
        fed, kept = Subject[int](), Kept()
        with Run(as_ours(fed, kept), [kept.sink()]) as running:
            fed.on_next(1)
            assert running.stop().complete
        assert kept.items == [1]


@pytest.mark.parametrize("live", [False, True])
def test_a_source_behind_what_another_thread_brings_is_read_to_its_end(pool: ThreadPoolExecutor, live: bool) -> None:
    """However long that takes: the grace is for what comes behind all sources."""
    released = threading.Event()

    def slowly() -> Iterator[int]:
        yield 2
        assert not released.wait(0.3)  # three times the grace
        yield from range(3, COUNT)

    first = of([1]).pipe(futures(pool))
    kept = Kept()
    then = sources.from_events(slowly, time_of=None, live=live)
    summary = run(as_ours(first.pipe(ops.concat(then)), kept), [kept.sink()], grace=0.1)
    assert (kept.items, summary.complete, summary.ended_by) == (list(range(1, COUNT)), True, "end of input")


def test_a_source_that_cannot_be_opened_in_mid_run_is_waited_for_by_no_one(tmp_path: Path) -> None:
    missing = sources.from_lines(tmp_path / "missing", str, time_of=None)
    kept = Kept()
    graph: Any = numbers().pipe(ops.concat(missing.pipe(op.change(hash))), ops.catch(rx.of(99)))
    run(graph, [kept.sink()])
    assert kept.items == [*range(COUNT), 99]


def test_at_the_end_nothing_of_the_graph_goes_on() -> None:
    """Neither a thread that emits for ever nor what an operator holds."""
    ticked, closed = list[int](), list[str]()
    for_ever = rx.interval(0.001, scheduler=TimeoutScheduler()).pipe(ops.do_action(ticked.append))
    held: Observable[int] = rx.using(lambda: Disposable(lambda: closed.append("closed")), lambda _: for_ever)
    run(numbers().pipe(ops.merge(held)), grace=0.01)
    count = len(ticked)
    assert closed == ["closed"]
    threading.Event().wait(0.05)
    assert len(ticked) <= count + 1  # the one that was under way


def test_what_is_stopped_does_not_wait() -> None:
    """The grace is for what ends by itself: a person who asks while it lasts is not kept waiting."""
    never: Observable[int] = rx.never()
    with Run(numbers().pipe(ops.merge(never)), grace=3600.0) as running:
        assert not running.ended(0.3)
        assert running.stop().ledger.unintended() == [Entry(STAGE, Reason.UNFINISHED, 1)]


def test_a_future_that_fails_ends_the_graph(pool: ThreadPoolExecutor) -> None:
    def fail(number: int) -> int:
        raise ArithmeticError(f"no {number}")

    def later(number: int) -> Observable[int]:
        return rx.from_future(pool.submit(fail, number))

    graph = of([3]).pipe(ops.flat_map(later), change(same))
    with pytest.raises(GraphError, match=r"in flat_map.*ArithmeticError: no 3"):
        run(graph)


def test_an_end_inside_waits_for_what_another_thread_emitted_before() -> None:
    """The last event of a thread is in the box while the source itself ends: it is not lost behind the end."""
    emitted: list[int] = []

    def elsewhere(number: int) -> Observable[int]:
        fed: Subject[int] = Subject()

        def emit() -> None:
            fed.on_next(number)
            emitted.append(number)
            fed.on_completed()

        later = threading.Thread(target=emit)

        def subscribe(observer: Any, scheduler: Any = None) -> Any:
            subscribed = fed.subscribe(observer)
            later.start()
            later.join()  # all of it is handed over before the engine goes on
            return subscribed

        return rx.create(subscribe)

    kept, summary = run_kept(numbers().pipe(ops.flat_map(elsewhere)))
    assert (kept.items, emitted, summary.complete) == ([*range(COUNT)], [*range(COUNT)], True)


def test_what_finds_no_room_is_counted() -> None:
    engine = Engine(box=Mailbox[Any](events=10))
    fed: Subject[int] = Subject()
    out: list[int] = []
    fed.pipe(change(same)).subscribe(out.append, scheduler=engine)

    def feed() -> None:
        for number in range(COUNT):
            fed.on_next(number)

    feeder = threading.Thread(target=feed)
    feeder.start()
    feeder.join()
    assert out == []
    engine.take_handed()
    (entry,) = engine.ledger.entries()
    assert (entry.stage, entry.reason, entry.count + len(out)) == (STAGE, Reason.QUEUE_FULL, COUNT)
    assert out == list(range(len(out)))
    assert engine.ledger.shared(STAGE).seen == COUNT


def test_without_a_run_what_comes_later_is_delivered_one_at_a_time(pool: ThreadPoolExecutor) -> None:
    begin, out, ended = threading.Event(), list[int](), threading.Event()
    busy = threading.Lock()

    def wait(number: int) -> int:
        begin.wait(60)
        return number

    def alone(number: int) -> int:
        assert busy.acquire(blocking=False)
        busy.release()
        return number

    def waited(number: int) -> Observable[int]:
        return rx.from_future(pool.submit(wait, number))

    later = numbers().pipe(ops.flat_map(waited), change(alone))
    later.subscribe(out.append, on_completed=ended.set)
    assert out == []
    begin.set()
    assert ended.wait(60)
    assert sorted(out) == list(range(COUNT))


def test_a_subject_fed_by_the_thread_that_subscribed_needs_no_run() -> None:
    fed: Subject[int] = Subject()
    out: list[object] = []
    fed.pipe(change(str)).subscribe(out.append, on_completed=lambda: out.append("|"))
    fed.on_next(1)
    assert out == ["1"]
    fed.on_next(2)
    fed.on_completed()
    assert out == ["1", "2", "|"]


def test_what_another_thread_disposes_of_brings_nothing_more() -> None:
    fed: Subject[int] = Subject()
    out: list[int] = []
    subscribed = fed.pipe(change(same)).subscribe(out.append)
    fed.on_next(1)
    ender = threading.Thread(target=subscribed.dispose)
    ender.start()
    ender.join()
    fed.on_next(2)
    assert out == [1]
