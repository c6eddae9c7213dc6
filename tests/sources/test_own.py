"""Streams of a user's own readers, iterables, async iterables and lines."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from reactivex import Observable
from reactivex import operators as rx

from agentsight_rx import Summary, merge, run, sources
from agentsight_rx.errors import CaptureError, GraphError
from agentsight_rx.events import Loss, Origin, Readline
from agentsight_rx.events.loss import Reason


def line(number: int) -> Readline:
    return Readline(Origin(1_000 * number, 9), str(number))


def ran(graph: Observable[Any]) -> tuple[Summary, list[Any]]:
    found: list[Any] = []
    return run(graph.pipe(rx.do_action(found.append))), found


def test_an_iterable_is_read_once_a_run_and_a_function_of_one_in_each() -> None:
    events = [line(1), line(2)]
    given, made = sources.from_events(iter(events)), sources.from_events(lambda: iter(events))
    assert [events, []] == [ran(given)[1] for _ in range(2)]
    assert [events, events] == [ran(made)[1] for _ in range(2)]


def test_what_is_behind_an_error_is_missing_and_what_is_before_is_not() -> None:
    def events() -> Iterator[Readline]:
        yield line(1)
        raise ArithmeticError("broken")

    async def awaited() -> AsyncIterator[Readline]:
        for event in events():
            yield event

    for graph in (sources.from_events(events), sources.from_async_iterable(awaited)):
        summary, found = ran(graph)
        assert [line(1)] == found
        (failure,) = summary.failures
        assert failure.endswith("the reader stopped: ArithmeticError('broken')")


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("error", [SystemExit(7), KeyboardInterrupt()])
def test_what_ends_the_program_ends_the_run_as_what_it_is(error: BaseException, *, beside: bool, live: bool) -> None:
    """Also on a thread of the run, where Python would end that thread alone."""

    def events() -> Iterator[Readline]:
        yield line(1)
        yield line(2)
        raise error

    async def awaited() -> AsyncIterator[Readline]:
        for event in events():
            yield event

    for ending in (sources.from_events(events, live=live), sources.from_async_iterable(awaited, live=live)):
        found: list[Readline] = []
        graph = merge(ending, sources.from_events([line(3)])) if beside else ending
        with pytest.raises(type(error)):
            run(graph.pipe(rx.do_action(found.append)))
        assert [line(1), line(2)] == found[:2]


def test_an_async_iterable_that_is_cancelled_has_failed() -> None:
    async def cancelled() -> AsyncIterator[Readline]:
        yield line(1)
        raise asyncio.CancelledError

    async def cancels_itself() -> AsyncIterator[Readline]:
        yield line(1)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    for events in (cancelled, cancels_itself):
        summary, found = ran(sources.from_async_iterable(events))
        assert [line(1)] == found
        assert ("async: the reader stopped: RuntimeError('the source was cancelled')",) == summary.failures


class _Batches:
    """A reader of one batch, of which the engine is the first to ask the times."""

    def __init__(self) -> None:
        self._batches = [[line(1), line(2), line(3)]]

    def open(self) -> None: ...

    def poll(self, timeout: float, /) -> Sequence[Readline] | None:
        return self._batches.pop() if self._batches else None

    def lost(self) -> Sequence[Readline]:
        return ()

    def close(self) -> Sequence[Readline]:
        return ()


def test_a_time_that_raises_stop_iteration_is_no_end_of_the_events() -> None:
    def time_of(event: Readline) -> int:
        if event == line(2):
            raise StopIteration
        return event.origin.time_ns

    summary, found = ran(sources.from_events([line(1), line(2), line(3)], time_of=time_of))
    assert [line(1)] == found
    assert ("events: the reader stopped: StopIteration()",) == summary.failures
    plain = sources.from_events([line(1), line(2), line(3)])
    for graph in (sources.from_reader(_Batches, time_of=time_of), merge(plain, plain, time_of=time_of)):
        with pytest.raises(GraphError, match="time_of raised StopIteration, given Readline"):
            ran(graph)


class _Wordless(Exception):
    """An error whose own methods fail."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


def test_an_error_without_a_text_is_a_failure_as_any_other() -> None:
    def events() -> Iterator[Readline]:
        yield line(1)
        raise _Wordless

    for graph in (sources.from_events(events), merge(sources.from_events(events), sources.from_events([line(3)]))):
        summary, found = ran(graph)
        assert line(1) in found
        assert ("events: the reader stopped: a _Wordless without a text",) == summary.failures
        assert not summary.complete


def test_values_without_a_time_are_refused_unless_their_source_says_so() -> None:
    summary, found = ran(sources.from_events([1, 2]))
    assert [] == found
    (failure,) = summary.failures
    assert failure.startswith("events: a source wants the time of each event, and int has no origin")
    assert [1, 2] == ran(sources.from_events([1, 2], time_of=None))[1]


def test_sources_of_ones_own_are_merged_by_time() -> None:
    odd, even = sources.from_events([line(1), line(3)]), sources.from_events([line(2), line(4)])
    assert ["1", "2", "3", "4"] == [event.command for event in ran(merge(odd, even))[1]]


def test_tasks_of_an_async_iterable_go_on_while_it_is_read_and_it_is_closed_at_the_end() -> None:
    ended: list[str] = []

    async def events() -> AsyncIterator[int]:
        queue: asyncio.Queue[int] = asyncio.Queue()

        async def fill() -> None:
            for number in range(5_000):
                await queue.put(number)

        filling = asyncio.create_task(fill())
        try:
            while True:
                yield await queue.get()
        finally:
            ended.append("closed")
            await filling

    found = run_of(sources.from_async_iterable(events, time_of=None, live=False), 4_000)
    assert list(range(4_000)) == found
    assert ["closed"] == ended


def run_of(graph: Observable[Any], count: int) -> list[Any]:
    return ran(graph.pipe(rx.take(count)))[1]


def test_lines_are_parsed_and_the_others_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(b"1\nno number\n" + b"2" * 100_000 + b"\n3")
    summary, found = ran(sources.from_lines(path, lambda text: int(text[:9]), time_of=None))
    assert [1, 222_222_222, 3] == [each for each in found if not isinstance(each, Loss)]
    assert [Reason.MALFORMED, Reason.TRUNCATED] == [each.reason for each in found if isinstance(each, Loss)]
    counted = {(entry.stage, entry.reason, entry.count) for entry in summary.ledger.unintended()}
    assert {("lines", Reason.MALFORMED, 1), ("lines", Reason.TRUNCATED, 1)} == counted


def test_lines_come_from_a_pipe_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    end = os.open(path, os.O_RDWR)  # a writer, so that opening it to read does not wait
    os.write(end, b"first\nsecond\nthe begin of")
    assert ["first", "second"] == run_of(sources.from_lines(path, str, time_of=None), 2)
    os.close(end)


def test_lines_that_are_appended_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    reader = sources.from_lines(path, typed, follow=True)
    with path.open("a") as file:

        def written() -> Iterator[Readline]:
            print("new", file=file, flush=True)
            yield typed("written")

        found = run_of(merge(reader, sources.from_events(written, live=True)), 2)
    assert {"new", "written"} == {event.command for event in found}


def typed(text: str) -> Readline:
    return Readline(Origin(time.monotonic_ns(), 9), text)


def test_a_missing_file_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="missing cannot be read: No such file or directory"):
        ran(sources.from_lines(tmp_path / "missing", str))
