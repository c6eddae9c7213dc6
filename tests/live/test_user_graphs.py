"""
Graphs of one's own over a program that is really traced: threads, futures, coroutines, bugs, windows and pairs lose nothing of
what the program did, and a replay of the same capture says the same in the end, however it is cut.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pytest
import reactivex as rx
from msgspec import Struct
from reactivex import Observable
from reactivex import operators as ops
from reactivex.scheduler import ThreadPoolScheduler
from reactivex.subject import Subject

from agentsight_rx import GraphError, Sink, Stream, Summary, TraceOptions, op, replay, run, sinks, trace
from agentsight_rx.core.stream import of
from agentsight_rx.events import Event, HttpRequest, ProcessExec, time_of
from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.graphs import recorded
from agentsight_rx.runtime.run import Run
from agentsight_rx.sources import PlainHttpOptions, ProcessOptions, ReplayOptions, Target
from agentsight_rx.view import HttpRow, Output, ProcessRow
from tests.live.capture import Kept
from tests.live.test_plain_http import held

pytestmark = pytest.mark.live

COUNT = 13
# Asks COUNT times, by HTTP without TLS, and starts a program behind each answer
WORK = f"""
port, child = serve()
watched()
client = http.client.HTTPConnection("127.0.0.1", port)
for number in range({COUNT}):
    client.request("GET", f"/{{number}}")
    assert client.getresponse().read() == b"/%d:" % number
    os.waitpid(os.posix_spawn("/bin/true", ["/bin/true", str(number)], {{}}), 0)
    time.sleep(0.02)
os.kill(child, signal.SIGKILL)
os.wait()
"""

A = TypeVar("A")
B = TypeVar("B")
Made: TypeAlias = "Observable[Any]"


class Out(Struct, frozen=True):
    """What one of the graphs below emits, all of which stand in one run."""

    graph: str
    value: Any


def said(event: ProcessExec) -> int:
    return int(event.argv[1])


def same(number: int) -> int:
    return number


async def later(number: int) -> int:
    await asyncio.sleep(0)
    return number


def is_program(event: object) -> bool:
    return isinstance(event, ProcessExec) and event.filename == "/bin/true"


def is_question(event: object) -> bool:
    return isinstance(event, HttpRequest) and event.origin.direction == "out"


def started(events: Stream[Output]) -> Stream[ProcessExec]:
    return events.pipe(op.only(ProcessExec), op.keep(is_program))


class Threads:
    """Where the work goes that leaves the thread of the run."""

    def __init__(self) -> None:
        self.pool, self.single = ThreadPoolExecutor(4), ThreadPoolExecutor(1)
        self.loop = asyncio.new_event_loop()
        self._looping = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._looping.start()

    def future(self, number: int) -> Observable[int]:
        return rx.from_future(self.pool.submit(same, number))

    def start(self, number: int) -> Observable[int]:
        return rx.start(lambda: number, scheduler=ThreadPoolScheduler(2))

    def coroutine(self, number: int) -> Observable[int]:
        return rx.from_future(asyncio.run_coroutine_threadsafe(later(number), self.loop))

    def subject(self, numbers: Observable[int]) -> Observable[int]:
        """What a thread of its own feeds into a subject."""
        fed: Subject[int] = Subject()

        def feed(number: int) -> None:
            self.single.submit(fed.on_next, number)

        def end() -> None:
            self.single.submit(fed.on_completed)

        return rx.merge(fed, numbers.pipe(ops.do_action(feed, on_completed=end), ops.ignore_elements()))

    def close(self) -> None:
        self.pool.shutdown()
        self.single.shutdown()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._looping.join()
        self.loop.close()


def away(threads: Threads) -> dict[str, Callable[[Observable[int]], Made]]:
    """Ways of the numbers of the programs to other threads and back; `=` before those that keep their order."""
    return {
        "future": ops.flat_map(threads.future),
        "start": ops.flat_map(threads.start),
        "coroutine": ops.flat_map(threads.coroutine),
        "=observe_on": ops.observe_on(ThreadPoolScheduler(1)),
        "delay": ops.delay(0.001, scheduler=ThreadPoolScheduler(2)),
        "=subject": threads.subject,
        "=asked": op.map_async(later, limit=3),
        "=asked in threads": op.map_async(same, limit=3, timeout=60.0),
        "asked as they come": op.map_async(same, limit=3, ordered=False),
    }


AWAY = {"future", "start", "coroutine", "=observe_on", "delay", "=subject", "=asked", "=asked in threads", "asked as they come"}
KINDS: dict[str, op.Tumbling | op.Sliding | op.Session] = {
    "tumbling": op.Tumbling(0.1),
    "sliding": op.Sliding(0.2, every=0.1),
    "session": op.Session(0.05),
}


def is_odd(event: ProcessExec) -> bool:
    return said(event) % 2 == 1


def shown(window: op.Window[ProcessExec]) -> tuple[bool, int, int, tuple[int, ...]]:
    return window.key, window.start_ns, window.end_ns, tuple(map(said, window.events))


def number_of(event: Any) -> int:
    return said(event) if is_program(event) else int(event.target[1:])


def shown_pair(pair: op.Pair[Any]) -> tuple[int, int]:
    return number_of(pair.first), number_of(pair.second)


def all_graphs(events: Stream[Output], threads: Threads) -> Observable[Out]:
    """Each of the graphs over one stream of events. What no machine is late for comes in its window: 60 s are allowed."""
    shared = events.share()
    programs = started(shared)
    made: dict[str, Made] = {name: programs.pipe(op.change(said), way, op.change(same)) for name, way in away(threads).items()}
    for name, kind in KINDS.items():
        made[name] = programs.pipe(op.window(kind, key=is_odd, lateness=60.0), op.change(shown))
    made["usual"] = programs.pipe(op.window(op.Tumbling(0.1)), op.change(shown))
    made["pairs"] = shared.pipe(op.join_within(60.0, is_question, is_program, lateness=60.0), op.change(shown_pair))
    own = op.join_within(60.0, is_question, is_program, key=number_of, lateness=60.0)
    made["own pairs"] = shared.pipe(own, op.change(shown_pair))
    made["all"] = shared
    return rx.merge(*(graph.pipe(ops.map(tagged(name))) for name, graph in made.items()))


def tagged(name: str) -> Callable[[Any], Out]:
    return lambda value: Out(name, value)


class Ran(Struct):
    """One run of all graphs: what each emitted, and what the run said."""

    summary: Summary
    kept: Kept

    def of(self, name: str) -> list[Any]:
        return [out.value for out in self.kept.items if out.graph == name]

    @property
    def known(self) -> Kept:
        """The events and rows."""
        whole = Kept()
        whole.items = self.of("all")
        return whole


class Captured(Struct):
    live: Ran
    path: Path  # of its events
    threads: Threads

    def replayed(self, cutting: str) -> Ran:
        kept = Kept()
        return Ran(run(all_graphs(self.again(cutting), self.threads), [kept.sink()]), kept)

    def again(self, cutting: str) -> Stream[Output]:
        if cutting == "as it is read":
            return replay(ReplayOptions((str(self.path),)), TraceOptions())
        return recorded(of(*CUTTINGS[cutting](self.events), time_of=time_of), TraceOptions())

    @property
    def events(self) -> list[Event]:
        return [item for item in self.live.of("all") if isinstance(item, Event)]


def cut_at_random(events: Sequence[A]) -> list[Sequence[A]]:
    chosen = random.Random(7)
    places = sorted(chosen.sample(range(len(events)), len(events) // 5))
    return [events[start:end] for start, end in zip([0, *places], [*places, len(events)], strict=True)]


def by(size: int) -> Callable[[Sequence[A]], list[Sequence[A]]]:
    return lambda events: [events[start : start + size] for start in range(0, len(events), size)]


CUTTINGS: dict[str, Callable[[Sequence[Any]], list[Sequence[Any]]]] = {
    "one by one": by(1),
    "in sevens": by(7),
    "at random": cut_at_random,
    "as it is read": by(1 << 20),
}


def capturing(directory: Path, graph: Callable[[Stream[Output]], Observable[B]], **options: Any) -> tuple[Kept, Summary]:
    """The graph over what the program does while it is traced."""
    kept = Kept()
    with held(directory, WORK) as program:
        target = Target(program.pid)
        traced = TraceOptions(plain_http=PlainHttpOptions(target), process=ProcessOptions(target))
        with Run(graph(trace(traced)), [kept.sink()], **options) as running:
            program.run()
            running.wait(0.0)
            return kept, running.stop()


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Generator[Captured]:
    threads, directory = Threads(), tmp_path_factory.mktemp("graphs")
    kept, summary = capturing(directory, lambda events: all_graphs(events, threads))
    live, path = Ran(summary, kept), directory / "events.jsonl"
    assert run(of(live.of("all")), [sinks.jsonl(path)]).complete
    yield Captured(live, path, threads)
    threads.close()


@pytest.fixture(scope="module", params=["live", *CUTTINGS])
def ran(captured: Captured, request: pytest.FixtureRequest) -> Ran:
    return captured.live if request.param == "live" else captured.replayed(request.param)


NUMBERS = list(range(COUNT))


def test_the_capture_has_what_the_program_did(ran: Ran) -> None:
    assert ran.summary.complete, (ran.summary.ledger.unintended(), ran.summary.failures)
    asked = [event.target for event in ran.known.of(HttpRequest) if is_question(event)]
    assert sorted(asked) == sorted(f"/{number}" for number in NUMBERS)
    assert sorted(said(event) for event in ran.known.of(ProcessExec) if is_program(event)) == NUMBERS


def test_what_left_the_thread_of_the_run_came_back_into_it(ran: Ran) -> None:
    """All of it once; in the order of the events where one thread had all of them."""
    order = [said(event) for event in ran.known.of(ProcessExec) if is_program(event)]
    assert len({out.graph for out in ran.kept.items} & AWAY) == len(AWAY)
    for name in AWAY:
        assert Counter(ran.of(name)) == Counter(NUMBERS), name
        if name.startswith("="):
            assert ran.of(name) == order, name


def test_windows_and_pairs_are_what_the_times_of_the_events_say(ran: Ran) -> None:
    programs = sorted(filter(is_program, ran.known.of(ProcessExec)), key=op.unix_ns)
    expected: dict[tuple[bool, int], list[int]] = {}
    for event in programs:
        expected.setdefault((is_odd(event), op.unix_ns(event) // 10**8 * 10**8), []).append(said(event))
    assert {(key, start): list(numbers) for key, start, _, numbers in ran.of("tumbling")} == expected
    assert len(ran.of("tumbling")) == len(expected)
    assert Counter(number for *_, numbers in ran.of("sliding") for number in numbers) == Counter(2 * NUMBERS)
    assert Counter(number for *_, numbers in ran.of("session") for number in numbers) == Counter(NUMBERS)
    assert Counter(ran.of("pairs")) == Counter((first, second) for second in NUMBERS for first in NUMBERS[: second + 1])
    assert Counter(ran.of("own pairs")) == Counter((number, number) for number in NUMBERS)


def test_with_the_usual_lateness_an_event_is_in_its_window_or_counted_as_late(ran: Ran) -> None:
    inside = sum(len(numbers) for *_, numbers in ran.of("usual"))
    late = sum(entry.count for entry in ran.summary.ledger.entries() if entry.reason is Reason.LATE)
    assert inside + late == COUNT


@pytest.mark.parametrize("cutting", CUTTINGS)
def test_in_the_end_a_replay_knows_what_the_live_run_did(captured: Captured, cutting: str) -> None:
    """Rows are amended on the way, so their last ones are compared."""
    live, again = captured.live, captured.replayed(cutting)
    for name in (*KINDS, "pairs", "own pairs"):
        assert Counter(again.of(name)) == Counter(live.of(name)), name
    for kind in (HttpRow, ProcessRow):
        rows = {row.id: row for row in live.known.rows(kind)}
        assert {row.id: row for row in again.known.rows(kind)} == rows
        assert len(rows) >= COUNT


# -- bugs ----------------------------------------------------------------------------------------------------------------


class Failing:
    """The number of a program, and an error at one of them."""

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    def __call__(self, event: ProcessExec) -> int:
        number = said(event)
        if number == 5:
            raise self._error("at the fifth")
        return number


@pytest.mark.parametrize("error", [LookupError, StopIteration])
def test_a_bug_ends_a_live_run_at_its_event_and_a_replay_too(
    error: type[Exception], captured: Captured, tmp_path: Path
) -> None:
    def graph(events: Stream[Output]) -> Stream[int]:
        return started(events).pipe(op.change(Failing(error)))

    kept, summary = capturing(tmp_path, graph)
    assert (kept.items, summary.ended_by, summary.exit_status) == (NUMBERS[:5], "graph", 1)
    assert summary.error is not None
    assert (summary.error.operator, summary.error.event) == ("change", "ProcessExec")
    for cutting in CUTTINGS:
        kept = Kept()
        with pytest.raises(GraphError, match=f"in change, given ProcessExec: {error.__name__}: "):
            run(graph(captured.again(cutting)), [kept.sink()])
        assert kept.items == NUMBERS[:5]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_ends_the_program_ends_a_live_run_as_what_it_is(
    error: type[BaseException], captured: Captured, tmp_path: Path
) -> None:
    def graph(events: Stream[Output]) -> Stream[int]:
        return started(events).pipe(op.change(Failing(error)))

    kept, summary = capturing(tmp_path, graph)
    assert (kept.items, summary.ended_by, type(summary.stopped)) == (NUMBERS[:5], "graph", error)
    for cutting in CUTTINGS:
        kept = Kept()
        with pytest.raises(error, match="at the fifth"):
            run(graph(captured.again(cutting)), [kept.sink()])
        assert kept.items == NUMBERS[:5]


def test_bugs_that_are_counted_cost_their_event_alone(captured: Captured, tmp_path: Path) -> None:
    """Of our operators, also where it was another thread that failed; a sink of bugs has each of them."""
    left = [number for number in NUMBERS if number != 5]

    def graph(events: Stream[Output]) -> Stream[int]:
        return started(events).pipe(op.map_async(Failing(LookupError)))

    bugs = Kept()
    kept, summary = capturing(tmp_path, graph, on_bug=Sink("bugs", lambda _: bugs))
    assert (kept.items, summary.complete, summary.exit_status) == (left, False, 1)
    assert [(bug.operator, bug.event, bug.error) for bug in bugs.items] == [
        ("map_async", "ProcessExec", "LookupError: at the fifth")
    ]
    for cutting in CUTTINGS:
        kept = Kept()
        summary = run(graph(captured.again(cutting)), [kept.sink()], on_bug="count")
        assert kept.items == left
        assert [(entry.reason, entry.count) for entry in summary.ledger.unintended()] == [(Reason.BUG, 1)]


def test_a_call_that_never_answers_is_counted_where_the_program_has_ended(tmp_path: Path) -> None:
    hangs = threading.Event()

    def call(event: ProcessExec) -> int:
        if said(event) == 5:
            hangs.wait()
        return said(event)

    kept, summary = capturing(tmp_path, lambda events: started(events).pipe(op.map_async(call)), grace=0.1)
    hangs.set()
    assert kept.items == [number for number in NUMBERS if number != 5]
    (entry,) = summary.ledger.unintended()
    assert entry == Entry(entry.stage, Reason.UNFINISHED, 1)
    assert not summary.complete
