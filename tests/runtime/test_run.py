"""The end of a run: what its account says, and who writes it down."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import reactivex as rx
from hypothesis import given, settings
from hypothesis import strategies as st
from reactivex import operators as ops

from agentsight_rx import op, run, sinks
from agentsight_rx.core.engine import Engine
from agentsight_rx.core.hub import Reader
from agentsight_rx.core.mailbox import Mailbox
from agentsight_rx.core.sink import Sink
from agentsight_rx.core.stream import Stream, of, origin
from agentsight_rx.core.weight import weight
from agentsight_rx.events import AnswerProgress, Loss, Origin, Readline
from agentsight_rx.events.loss import Entry, Ledger, Reason
from agentsight_rx.runtime.run import Run
from agentsight_rx.store.state import LmdbStore
from tests.reports import read_report

EVENTS = [Readline(Origin(number, 1, wall_ns=number), f"echo {number}") for number in range(1, 601)]


class Refusing:
    """A destination that waits until everything was handed to it, and takes nothing."""

    def __init__(self, closed: threading.Event) -> None:
        self._closed = closed

    def write(self, batch: Sequence[object], /) -> None:
        raise OSError("connection refused")

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self._closed.set()


def test_the_store_has_the_last_counts_of_every_other_sink(tmp_path: Path) -> None:
    closed = threading.Event()
    collector: Sink[object] = Sink("collector", lambda _: Refusing(closed))
    summary = run(of(EVENTS), [sinks.store(tmp_path / "run.lmdb"), collector])
    store = LmdbStore.open(tmp_path / "run.lmdb", readonly=True)
    try:
        report = read_report(store)
    finally:
        store.close()
    lost = [Entry("collector", Reason.SINK_FAILED, 600)]
    assert closed.is_set()
    assert (lost, lost) == (summary.ledger.unintended(), list(report.losses))
    assert not report.complete


def test_the_store_says_how_long_the_run_captured(tmp_path: Path) -> None:
    summary = run(of(EVENTS), [sinks.store(tmp_path / "run.lmdb")])
    store = LmdbStore.open(tmp_path / "run.lmdb", readonly=True)
    try:
        (recording,) = read_report(store).runs
    finally:
        store.close()
    assert (recording.seconds, recording.started_ms) == (summary.seconds, summary.ledger.began_ms)


def test_before_it_begins_a_run_has_no_duration() -> None:
    ledger = Ledger()
    assert (ledger.seconds, ledger.began_ms) == (0.0, 0)


class Keeping:
    def __init__(self) -> None:
        self.items: list[Any] = []

    def write(self, batch: Sequence[Any], /) -> None:
        self.items += batch

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_what_answers_say_before_their_end_reaches_only_sinks_that_want_it() -> None:
    said = AnswerProgress(Origin(601, 1), 1, 1)
    shown, kept = Keeping(), Keeping()
    summary = run(
        of([*EVENTS, said], [said]),
        [Sink("shown", lambda _: shown, wants=frozenset({AnswerProgress})), Sink("kept", lambda _: kept)],
    )
    assert shown.items == [*EVENTS, said, said]
    assert kept.items == EVENTS
    assert summary.complete


def test_a_profile_has_the_time_of_each_operator() -> None:
    graph = of(EVENTS[:300], EVENTS[300:]).pipe(op.change(str), op.keep(bool, name="own"))
    stages = run(graph, profile=True).stages
    assert [(name, seen) for name, (seen, _) in stages.items()] == [("of/change", 600), ("of/own", 600)]
    assert all(seconds > 0 for _, seconds in stages.values())
    assert run(graph).stages == {}


class _Asleep:
    """A live source without an event, whose reader waits until it is woken. `waited` has how each wait ended."""

    def __init__(self) -> None:
        self.reads = threading.Event()
        self.waited: list[bool] = []
        self.woken = threading.Event()

    def open(self) -> None: ...

    def poll(self, timeout: float, /) -> Sequence[Readline] | None:
        self.reads.set()
        self.waited.append(self.woken.wait(3600))
        self.woken.clear()
        return ()

    def wake(self) -> None:
        self.woken.set()

    def lost(self) -> Sequence[Readline]:
        return ()

    def close(self) -> Sequence[Readline]:
        return ()


def _source(reader: Callable[[], Reader[Readline]]) -> Stream[Readline]:
    return origin("asleep", reader, time_of=lambda event: event.origin.time_ns, live=True)


class _Once(_Asleep):
    """A live source that has this batch once."""

    def __init__(self, batch: Sequence[Readline]) -> None:
        super().__init__()
        self._batches = [batch]

    def poll(self, timeout: float, /) -> Sequence[Readline] | None:
        return self._batches.pop() if self._batches else None


def test_a_signal_is_taken_from_before_the_first_event_until_all_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The main thread is held where the source is read: without a handler SIGTERM would end the program there."""
    taken: dict[str, bool] = {}
    began = threading.Event()
    start = threading.Thread.start

    def held(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "read:asleep":
            began.wait(30)

    def look(name: str) -> None:
        taken[name] = callable(signal.getsignal(signal.SIGTERM))

    class Waiting(_Once):
        def poll(self, timeout: float, /) -> Sequence[Readline] | None:
            return super().poll(timeout) or _Asleep.poll(self, timeout)

    class Looking(Keeping):
        def write(self, batch: Sequence[Any], /) -> None:
            super().write(batch)
            look("write")
            if taken["write"]:
                signal.raise_signal(signal.SIGTERM)
            began.set()

        def close(self) -> None:
            look("close")

    monkeypatch.setattr(threading.Thread, "start", held)
    kept = Looking()
    summary = run(_source(lambda: Waiting(EVENTS)), [Sink[Any]("kept", lambda _: kept)], duration=20)
    assert ({"write": True, "close": True}, EVENTS, "SIGTERM") == (taken, kept.items, summary.ended_by)
    look("after")
    assert not taken["after"]


@settings(max_examples=20)
@given(st.lists(st.integers(0, 9_000), max_size=30), st.integers(0, 9_000))
def test_what_is_shed_is_the_large_contents_and_each_is_counted(sizes: list[int], least: int) -> None:
    lines = [Readline(Origin(number, 1, wall_ns=number), "x" * size) for number, size in enumerate(sizes, 1)]
    kept = Keeping()
    running = Run(_source(lambda: _Once(lines)), [Sink("kept", lambda _: kept)])
    running.shed(least)
    with running:
        running.wait()
        summary = running.stop()
    large = [line for line in lines if least and weight(line) >= least]
    assert [line for line in lines if line not in large] == [item for item in kept.items if isinstance(item, Readline)]
    lost = [(each.count, each.size) for each in summary.ledger.unintended() if each.reason is Reason.SHED]
    assert [(len(large), sum(map(weight, large)))] * bool(large) == lost


@pytest.mark.parametrize(
    ("watched", "own", "gathers"),
    [((False, False), False, True), ((False, True), False, False), ((), False, False), ((False,), True, False)],
)
def test_events_wait_for_each_other_only_where_nobody_sees_what_comes(
    watched: tuple[bool, ...], own: bool, gathers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`own`: the graph has an operator of RxPY, behind which anything may be shown."""
    gathered: list[float] = []

    def gather(_: Mailbox[Any], timeout: float) -> None:
        gathered.append(timeout)

    monkeypatch.setattr(Mailbox, "gather", gather)
    kept, asleep = Keeping(), _Asleep()
    source = _source(lambda: asleep)
    shown = [Sink[Any]("kept", lambda _: kept, is_watched=lambda each=each: each) for each in watched]  # type: ignore[misc]
    with Run(source.pipe(ops.map(str)) if own else source, shown) as running:
        assert asleep.reads.wait(30)
        while not gathered and gathers:
            pass
        running.stop()
    assert all(0 < each <= 0.5 for each in gathered)
    assert bool(gathered) == gathers


def test_at_the_end_of_a_run_a_reader_that_waits_is_woken() -> None:
    asleep = _Asleep()
    with Run(_source(lambda: asleep)) as running:
        assert asleep.reads.wait(30)
        running.stop()
    assert asleep.waited == [True]


def test_a_reader_that_is_no_longer_wanted_is_woken() -> None:
    asleep, engine = _Asleep(), Engine()
    stream = _source(lambda: asleep)
    first, second = stream.subscribe(scheduler=engine), stream.subscribe(scheduler=engine)
    first.dispose()
    assert not asleep.woken.is_set()
    second.dispose()
    assert asleep.woken.is_set()


class _Laborious(Keeping):
    """A destination that works longer on an event than the graph, unless it is stuck."""

    def __init__(self, stuck: threading.Event | None = None) -> None:
        super().__init__()
        self._stuck = stuck

    def write(self, batch: Sequence[Any], /) -> None:
        for _ in batch:
            sum(range(1000))
        if self._stuck is not None:
            self._stuck.wait(3600)
        super().write(batch)


class _Burst(_Asleep):
    """A live source that has all of its events at once, in batches."""

    def __init__(self) -> None:
        super().__init__()
        self._batches = [EVENTS[start : start + 10] for start in range(0, len(EVENTS), 10)]

    def poll(self, timeout: float, /) -> Sequence[Readline] | None:
        return self._batches.pop(0) if self._batches else None


def test_after_a_stall_the_store_is_waited_for_while_there_is_room_before_it() -> None:
    slow, other = _Laborious(), Keeping()
    store: Sink[object] = Sink("store", lambda _: slow, events=50, keeps_ledger=True)
    with Run(_source(_Burst), [store, Sink("other", lambda _: other)]) as running:
        running.wait()
        summary = running.stop()
    assert EVENTS == slow.items == other.items
    assert summary.complete


def test_a_store_that_is_stuck_delays_nothing_and_its_loss_is_counted() -> None:
    stuck, other = threading.Event(), Keeping()
    slow = _Laborious(stuck)
    store: Sink[object] = Sink("store", lambda _: slow, events=50, keeps_ledger=True)
    with Run(_source(_Burst), [store, Sink("other", lambda _: other)]) as running:
        running.wait()
        stuck.set()
        summary = running.stop()
    lost = sum(entry.count for entry in summary.ledger.unintended())
    assert EVENTS == other.items
    assert (len(EVENTS), True) == (len(slow.items) + lost, lost > 0)


class _Losing(_Burst):
    """Each batch comes with a loss that no batch after it tells of."""

    def __init__(self) -> None:
        super().__init__()
        self._owed = 0

    def poll(self, timeout: float, /) -> Sequence[Readline] | None:
        self._owed += 1 if self._batches else 0
        return super().poll(timeout)

    def lost(self) -> Sequence[Any]:
        owed, self._owed = self._owed, 0
        return [Loss(EVENTS[-1].origin, "asleep", reason=Reason.KERNEL_LOST, count=owed)] if owed else []


def test_what_was_lost_with_the_last_batch_is_counted() -> None:
    with Run(_source(_Losing)) as running:
        running.wait()
        summary = running.stop()
    assert 60 == sum(entry.count for entry in summary.ledger.unintended())


class _Bell:
    """What a thread waits by, for readers of which some may be woken."""

    def __init__(self, readers: Sequence[_Sharing]) -> None:
        self.readers = readers
        self.closed = False

    def wait(self, timeout: float, /) -> bool:
        _Sharing.waits.append((len(self.readers), timeout))
        rung = _Sharing.rung.wait(timeout)
        _Sharing.rung.clear()
        return rung

    def close(self) -> None:
        self.closed = True


class _Sharing:
    """A live source of some batches that shares its thread; behind them it waits until it is woken, ends, or fails."""

    rung = threading.Event()
    waits: ClassVar[list[tuple[int, float]]] = []

    def __init__(self, name: str, batches: int, *, ends: bool = True, fails: bool = False, due_s: float = 3600.0) -> None:
        self.name, self.batches, self.ends, self.fails, self.due_s = name, batches, ends, fails, due_s
        self.shares = "facts"
        self.threads = set[int]()
        self.timeouts = set[float]()
        self.closed = False

    def open(self) -> None:
        pass

    def waiter(self, readers: Sequence[_Sharing], /) -> _Bell:
        return _Bell(readers)

    def poll(self, timeout: float, /) -> Sequence[Readline] | None:
        self.threads.add(threading.get_ident())
        self.timeouts.add(timeout)
        if self.batches:
            self.batches -= 1
            self.rung.set()  # as a ring of the kernel that holds more
            return [Readline(Origin(self.batches + 1, 1), self.name)]
        if self.fails:
            raise ValueError("broken")
        return None if self.ends else ()

    def wake(self) -> None:
        self.rung.set()

    def lost(self) -> Sequence[Readline]:
        return ()

    def close(self) -> Sequence[Readline]:
        self.closed = True
        return [Readline(Origin(1000, 1), f"the rest of {self.name}")]


def _shared(*readers: _Sharing) -> tuple[Keeping, Any]:
    _Sharing.waits.clear()
    _Sharing.rung.clear()
    graph: Any = rx.merge(*(_source(lambda reader=reader: reader) for reader in readers))  # type: ignore[misc]
    kept = Keeping()
    running = Run(graph, [Sink[Any]("kept", lambda _: kept)])
    with running:
        assert running.ended(30) or any(not reader.ends for reader in readers)
        summary = running.stop()
    return kept, summary


def test_readers_that_share_a_thread_are_read_by_one_and_end_one_by_one() -> None:
    readers = [_Sharing("one", 3), _Sharing("two", 1), _Sharing("three", 5)]
    kept, summary = _shared(*readers)
    assert 1 == len({thread for reader in readers for thread in reader.threads})
    assert all(reader.timeouts == {0.0} and reader.closed for reader in readers)
    said = Counter(each.command for each in kept.items if isinstance(each, Readline))
    rest = dict.fromkeys((f"the rest of {reader.name}" for reader in readers), 1)
    assert said == {"one": 3, "two": 1, "three": 5, **rest}
    assert summary.failures == ()


def test_one_that_fails_stops_none_of_the_others() -> None:
    kept, summary = _shared(_Sharing("one", 3), _Sharing("broken", 1, fails=True), _Sharing("three", 5))
    said = Counter(each.command for each in kept.items if isinstance(each, Readline))
    assert (said["one"], said["broken"], said["three"]) == (3, 1, 5)
    assert said["the rest of broken"] == 1
    assert len(summary.failures) == 1
    assert "broken" in summary.failures[0]


def test_their_thread_waits_no_longer_than_one_of_them_may_and_is_woken_at_the_end() -> None:
    readers = [_Sharing("one", 0, ends=False), _Sharing("two", 0, ends=False, due_s=0.001)]
    _Sharing.waits.clear()
    graph: Any = rx.merge(*(_source(lambda reader=reader: reader) for reader in readers))  # type: ignore[misc]
    with Run(graph) as running:
        while len(_Sharing.waits) < 3:
            pass
        running.stop()
    assert {(2, 0.001)} >= set(_Sharing.waits[:3])
    assert all(reader.closed for reader in readers)


def test_a_reader_that_has_no_other_beside_it_waits_by_itself() -> None:
    alone = _Sharing("one", 2)
    _shared(alone)
    assert 0.0 not in alone.timeouts
