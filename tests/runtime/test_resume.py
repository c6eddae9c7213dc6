"""A run that was killed, stopped or that failed goes on from its saved state: each event has its effect once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import reactivex as rx
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace
from reactivex import operators as ops

from agentsight_rx import Checkpointed, Kernel, Machine, Summary, merge, op, run, sinks, sources
from agentsight_rx.core.errors import GraphError, UsageError
from agentsight_rx.core.sink import Sink
from agentsight_rx.core.stream import Operator, Stream, of
from agentsight_rx.events import Loss, Origin, Readline, time_of
from agentsight_rx.events.loss import Reason
from agentsight_rx.operators import Tumbling
from agentsight_rx.runtime import resume
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.state import LmdbStore, Write

STEP_NS = 40_000_000


def lines(count: int, begin: int = 1) -> list[Readline]:
    return [Readline(Origin(number * STEP_NS, 1 + number % 3), f"echo {number}") for number in range(begin, begin + count)]


class Total(Struct):
    events: int = 0


class Counted(Machine[Readline | Loss, Readline], Checkpointed[Total]):
    """Each event with its number."""

    def __init__(self) -> None:
        self.state = Total()

    def feed(self, event: Readline | Loss, /) -> list[Readline]:
        if isinstance(event, Loss):
            return []
        self.state.events += 1
        return [replace(event, command=f"{event.command} is number {self.state.events}")]

    def finish(self) -> list[Readline]:
        return [Readline(Origin(100 * STEP_NS, 1), f"{self.state.events} in all")] if self.state.events else []


def said(window: Any) -> Readline:
    return Readline(Origin(window.end_ns, 0), f"{window.key}: {len(window.events)} until {window.end_ns}")


def pid(event: Readline) -> int:
    return event.origin.pid


def counted(source: Stream[Readline]) -> Stream[Any]:
    return source.pipe(op.each(Counted))


def windows(source: Stream[Readline]) -> Stream[Any]:
    shape = op.window(Tumbling(1.0), key=pid, event_type=Readline)
    return source.pipe(shape, op.change(said))


def merged(source: Stream[Readline]) -> Stream[Any]:
    """Two sources, of which either may be read first: the second is within what `merge` waits for."""
    shared = source.share()
    late = of(lines(7, begin=58), time_of=time_of, name="second").pipe(op.each(Counted, name="others"))
    return merge(shared.pipe(op.each(Counted)), late, shared.pipe(op.keep(lambda event: event.origin.pid == 1)))


def by_stock(source: Stream[Readline]) -> Stream[Any]:
    def loud(event: Readline) -> Readline:
        return replace(event, command=event.command.upper())

    numbered: Stream[Any] = source.pipe(op.each(Counted), ops.map(loud), op.keep(bool))
    return numbered.pipe(op.each(Counted, name="again"))


async def asked(event: Readline) -> Readline:
    return replace(event, command=f"{event.command}?")


def awaited(source: Stream[Readline]) -> Stream[Any]:
    return source.pipe(op.each(Counted), op.map_async(asked, limit=2, event_type=Readline))


GRAPHS = [counted, windows, merged, by_stock, awaited]


@contextmanager
def saved_always() -> Generator[None]:
    """A state behind each batch, as a busy run of hours has them."""
    before = resume.EVERY_S, resume.TIMES_LONGER
    resume.EVERY_S, resume.TIMES_LONGER = 0.0, 0
    try:
        yield
    finally:
        resume.EVERY_S, resume.TIMES_LONGER = before


@contextmanager
def copies(path: Path, folder: Path) -> Generator[list[Path]]:
    """What a kill leaves of a store, behind each of its commits."""
    made: list[Path] = []
    commit = LmdbStore.commit

    def and_copied(self: LmdbStore, writes: Sequence[Write], /) -> None:
        commit(self, writes)
        if path.exists():
            made.append(folder / f"{len(made)}.lmdb")
            shutil.copy(path, made[-1])

    with patch.object(LmdbStore, "commit", and_copied):
        yield made


def kept(path: Path) -> list[str]:
    store = LmdbStore.open(path, readonly=True)
    try:
        return [str(getattr(event, "command", event)) for event in read_events(store)]
    finally:
        store.close()


def into(path: Path, graph: Stream[Any], **more: Any) -> Summary:
    return run(graph, [sinks.store(path)], resume=path, **more)


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.__name__)
@pytest.mark.parametrize("cut", [1, 7, 60])
def test_a_kill_behind_any_commit_changes_no_effect(graph: Callable[..., Stream[Any]], cut: int, tmp_path: Path) -> None:
    events = lines(60)
    batches = [events[start : start + cut] for start in range(0, len(events), cut)]

    def whole() -> Stream[Any]:
        return graph(of(*batches, time_of=time_of))

    path, folder = tmp_path / "run.lmdb", tmp_path / "copies"
    folder.mkdir()
    with saved_always(), copies(path, folder) as killed:
        into(path, whole())
    expected = kept(path)
    assert len(expected) > 8
    assert len(killed) > 2
    for left in killed:
        with saved_always():
            summary = into(left, whole())
        assert expected == kept(left), left.name
        assert summary.complete, summary


@given(data=st.data())
def test_a_run_that_is_killed_again_and_again_has_each_effect_once(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("killed")
    graph = data.draw(st.sampled_from(GRAPHS))
    events = lines(40)
    cuts = sorted(data.draw(st.sets(st.integers(1, 39), max_size=12)))
    batches = [events[start:stop] for start, stop in zip([0, *cuts], [*cuts, 40], strict=True)]
    run(graph(of(*batches, time_of=time_of)), [sinks.store(folder / "whole.lmdb")])
    path = folder / "run.lmdb"
    with saved_always():
        for number in range(3):
            place = folder / str(number)
            place.mkdir()
            with copies(path, place) as killed:
                into(path, graph(of(*batches, time_of=time_of)))
            shutil.copy(data.draw(st.sampled_from(killed)), path)
        into(path, graph(of(*batches, time_of=time_of)))
    assert kept(folder / "whole.lmdb") == kept(path)
    shutil.rmtree(folder)


PROGRAM = """
    import sys, time
    from pathlib import Path
    from agentsight_rx import op, run, sinks, sources
    from agentsight_rx.events import Origin, Readline, time_of
    from tests.runtime.test_resume import Counted

    def slowly(line):
        time.sleep(0.001)
        return Readline(Origin(int(line) * 1_000_000, 1), f"echo {line}")

    print("begun", flush=True)
    graph = sources.from_lines(sys.argv[1], slowly, time_of=time_of).pipe(op.each(Counted))
    run(graph, [sinks.store(sys.argv[2])], resume=sys.argv[2])
"""


def test_a_program_that_is_killed_goes_on(tmp_path: Path) -> None:
    numbers, path = tmp_path / "numbers", tmp_path / "run.lmdb"
    numbers.write_text("".join(f"{number}\n" for number in range(1, 3001)))
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(numbers), str(path)]
    for wait_s in (0.4, 0.8, 0.3):
        process = subprocess.Popen(program, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(wait_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    subprocess.run(program, check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    assert [*(f"echo {n} is number {n}" for n in range(1, 3001)), "3000 in all"] == kept(path)


def parsed(line: str) -> Readline:
    return Readline(Origin(int(line) * STEP_NS, 1), f"echo {line}")


def test_a_followed_file_goes_on_where_it_was(tmp_path: Path) -> None:
    numbers, path = tmp_path / "numbers", tmp_path / "run.lmdb"
    numbers.write_text("1\n")

    def graph() -> Stream[Any]:
        return sources.from_lines(numbers, parsed, time_of=time_of, follow=True).pipe(op.each(Counted))

    def until(count: int, *texts: str) -> None:
        came = threading.Event()
        seen: list[Any] = []

        def begun() -> None:
            for text in texts:
                with numbers.open("a") as file:
                    file.write(text)

        def take(batch: Sequence[Any]) -> None:
            seen.extend(batch)
            if len(seen) >= count:
                came.set()
                os.kill(os.getpid(), signal.SIGTERM)

        run(graph(), [sinks.store(path), collected(take)], resume=path, ready=begun)
        assert came.is_set()

    until(2, "2\n", "3\n4")
    with numbers.open("a") as file:
        file.write("4\n5\n")
    until(3, "6\n")
    assert [f"echo {n} is number {i}" for i, n in enumerate((2, 3, 44, 5, 6), 1)] == kept(path)
    numbers.unlink()
    numbers.write_text("7\n")
    until(1)
    assert ["echo 6 is number 5", "echo 7 is number 6"] == [text for text in kept(path) if text.startswith("echo")][-2:]


def collected(take: Callable[[Sequence[Any]], None]) -> Sink[Any]:
    class Writing:
        def write(self, batch: Sequence[Any], /) -> None:
            take(batch)

        def flush(self) -> None:
            pass

        def close(self) -> None:
            pass

    return Sink("collected", lambda _: Writing())


def test_what_came_last_is_saved_while_nothing_comes(tmp_path: Path) -> None:
    path = tmp_path / "run.lmdb"

    class Slow:
        """A reader that waits, as one that follows files."""

        def __init__(self) -> None:
            self._given = False
            self._until_s = time.monotonic() + 60

        def open(self) -> None:
            pass

        def poll(self, timeout: float, /) -> Sequence[Readline] | None:
            if self._given:
                time.sleep(timeout)
                return None if time.monotonic() > self._until_s or any(len(kept(each)) == 3 for each in saved) else ()
            self._given = True
            return lines(3)

        def lost(self) -> Sequence[Readline]:
            return ()

        def close(self) -> Sequence[Readline]:
            return ()

    with copies(path, tmp_path) as saved:
        into(path, sources.from_reader(Slow, time_of=time_of).pipe(op.each(Counted)))
    assert 3 in [len(kept(each)) for each in saved]


def test_a_stop_completes_nothing_and_the_end_of_the_input_does(tmp_path: Path) -> None:
    path = tmp_path / "run.lmdb"
    events = lines(40)
    gate = threading.Event()

    def halting() -> Iterator[Readline]:
        yield from events[:30]
        gate.wait(20)
        yield from events[30:]

    def graph() -> Stream[Any]:
        return sources.from_events(halting, time_of=time_of).pipe(op.each(Counted))

    def stop() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        gate.set()

    into(path, graph(), ready=stop)
    assert not [text for text in kept(path) if "in all" in text]
    into(path, graph())
    assert [*(f"echo {n} is number {n}" for n in range(1, 41)), "40 in all"] == kept(path)
    assert into(path, graph()).complete
    assert kept(path)[-1] == "40 in all", "a graph that is done begins anew with what its sources have more"


def test_a_run_that_fails_goes_on_once_its_function_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "run.lmdb"
    fails = True

    def at_thirty(event: Readline) -> Readline:
        if fails and event.command == "echo 30 is number 30":
            raise ValueError("thirty")
        return event

    def graph() -> Stream[Any]:
        batches = [lines(10, begin) for begin in (1, 11, 21, 31)]
        return of(*batches, time_of=time_of).pipe(op.each(Counted), op.change(at_thirty))

    with saved_always():
        with pytest.raises(GraphError):
            into(path, graph())
        assert [f"echo {n} is number {n}" for n in range(1, 21)] == kept(path)
        fails = False
        into(path, graph())
    assert [*(f"echo {n} is number {n}" for n in range(1, 41)), "40 in all"] == kept(path)


def test_other_sinks_have_written_what_a_saved_state_knows(tmp_path: Path) -> None:
    path, seen = tmp_path / "state.lmdb", list[Any]()
    with saved_always():
        run(counted(of(lines(5), lines(5, 6), time_of=time_of)), [collected(seen.extend)], resume=path)
        run(counted(of(lines(5), lines(5, 6), lines(2, 11), time_of=time_of)), [collected(seen.extend)], resume=path)
    texts = [event.command for event in seen]
    assert [f"echo {n} is number {n}" for n in range(1, 11)] == texts[:10]
    assert ["10 in all", "echo 11 is number 1", "echo 12 is number 2", "2 in all"] == texts[10:]


class Uncheckpointed(Machine[Readline, Readline]):
    def __init__(self) -> None:
        self.seen = 0

    def feed(self, event: Readline, /) -> list[Readline]:
        self.seen += 1
        return [event]


class Foreign(Kernel[Readline, Readline]):
    def feed(self, batch: Sequence[Readline], /) -> Sequence[Readline]:
        return batch


FIVE = of(lines(5), time_of=time_of)
REFUSED: list[tuple[Any, str]] = [
    (FIVE.pipe(ops.scan(lambda all, _: all)), "what scan of RxPY keeps cannot be saved"),
    (FIVE.pipe(ops.delay(1.0), op.each(Counted)), "what delay of RxPY keeps cannot be saved"),
    (rx.of(1, 2), "an Observable of RxPY cannot be read again"),
    (FIVE.pipe(op.each(Uncheckpointed)), "Uncheckpointed has a state and is not Checkpointed"),
    (FIVE.pipe(Operator("foreign", lambda _: Foreign())), "Foreign has no `snapshot` and `restore`"),
    (merge(of([1], time_of=lambda _: 1), time_of=lambda _: 1), "merge holds a int"),
    (sources.from_lines("-", parsed, time_of=time_of), "cannot be read again, since its input is a pipe"),
    (sources.replay(sources.ReplayOptions(("-",))), "cannot be read again, since its input is a pipe"),
]


@pytest.mark.parametrize(("graph", "why"), REFUSED, ids=[why[:24] for _, why in REFUSED])
def test_what_cannot_be_saved_is_refused(graph: Any, why: str, tmp_path: Path) -> None:
    with saved_always(), pytest.raises(UsageError, match=why):
        run(graph, resume=tmp_path / "state.lmdb")


def test_a_state_of_another_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.lmdb"
    run(counted(FIVE), resume=path)
    with pytest.raises(UsageError, match="has the state of another graph"):
        run(windows(FIVE), resume=path)
    with pytest.raises(UsageError, match="has the state of another graph"):
        run(counted(of(lines(5), time_of=time_of, name="others")), resume=path)


def live() -> Stream[Any]:
    now = Readline(Origin(time.monotonic_ns(), 1), "echo")
    return sources.from_events([now], live=True).pipe(op.each(Counted))


def test_what_a_live_source_did_not_show_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.lmdb"
    with saved_always(), copies(path, tmp_path) as killed:
        assert into(path, live()).complete
    unended = killed[-3]  # the last two are the state of a graph that is done, and the end of the run
    shutil.copy(unended, tmp_path / "restarted.lmdb")
    summary = into(unended, live())
    assert [("events", Reason.NOT_RUNNING, 1)] == [
        (each.stage, each.reason, each.count) for each in summary.ledger.unintended()
    ]
    assert not summary.complete
    assert any("events shows nothing of the" in note for note in summary.notes)
    monkeypatch.setattr(resume, "_boot", lambda: "another")
    with pytest.raises(UsageError, match="was saved before this machine was started anew"):
        into(tmp_path / "restarted.lmdb", live())
