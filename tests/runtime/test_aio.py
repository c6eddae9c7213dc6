"""A run as `async for`: every event in order, a slow loop, the ways to leave it, and what else the loop does meanwhile."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

import pytest
from reactivex import operators as rx

from agentsight_rx import op, sources, stream
from agentsight_rx.core.stream import Stream, of, origin
from agentsight_rx.errors import CaptureError, GraphError
from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.runtime import aio

SIZE, BATCHES = 1000, 100  # more events than the box of a sink has room for


class Counting:
    """A reader of numbers, in batches: so many, or without an end."""

    def __init__(self, batches: int | None = None) -> None:
        self.closed = threading.Event()
        self._batches = batches
        self._numbers = self._all()

    def _all(self) -> Iterator[Sequence[int]]:
        number = 0
        while self._batches is None or number < self._batches:
            yield range(number * SIZE, (number + 1) * SIZE)
            number += 1

    def open(self) -> None:
        pass

    def poll(self, timeout: float, /) -> Sequence[int] | None:
        return next(self._numbers, None)

    def lost(self) -> Sequence[int]:
        return ()

    def close(self) -> Sequence[int]:
        self.closed.set()
        return ()


def numbers(reader: Counting, *, live: bool = False) -> Stream[int]:
    return origin("numbers", lambda: reader, time_of=None, live=live)


async def closed(reader: Counting) -> bool:
    return await asyncio.to_thread(reader.closed.wait)


def test_a_loop_has_every_event_in_order() -> None:
    async def main() -> None:
        events = stream(of([1, 2], [3]).pipe(op.change(str)))
        assert ["1", "2", "3"] == [event async for event in events]
        assert events.summary is not None
        assert events.summary.complete

    asyncio.run(main())


def test_a_writer_that_is_faster_than_the_first_look_loses_nothing() -> None:
    async def main() -> None:
        hand_over, written = aio.HandOver[int](), threading.Event()

        def write() -> None:
            hand_over.write([1, 2])
            hand_over.close()
            written.set()

        thread = threading.Thread(target=write)
        thread.start()
        while hand_over.waiting is None:  # noqa: ASYNC110 (until a thread has put the batch there)
            await asyncio.sleep(0)
        assert [1, 2] == await hand_over.taken()
        assert not written.is_set()
        assert await hand_over.taken() is None
        thread.join()

    asyncio.run(main())


def test_each_loop_is_a_run_also_beside_another_one() -> None:
    async def main() -> None:
        events = stream(of([1, 2], [3]))

        async def seen() -> list[int]:
            return [event async for event in events]

        assert [[1, 2, 3]] * 3 == list(await asyncio.gather(seen(), seen(), seen()))

    asyncio.run(main())


def test_a_recorded_source_waits_for_a_slow_loop() -> None:
    """Until the loop goes on, the reader has come as far as the room of the sink allows."""
    reader = Counting(BATCHES)

    async def main() -> None:
        events, made = stream(numbers(reader)), list[int]()
        async for event in events:
            made.append(event)
            if not event % (SIZE * 10):
                await asyncio.sleep(0)
                assert not reader.closed.is_set() or event > SIZE * BATCHES // 4
        assert list(range(SIZE * BATCHES)) == made
        assert events.summary is not None
        assert events.summary.complete

    asyncio.run(main())


def test_a_live_source_that_is_too_fast_is_counted_as_loss() -> None:
    """The loop stands still until the graph has ended. What it then has and what was counted are all."""
    done = threading.Event()

    async def main() -> None:
        graph = numbers(Counting(BATCHES), live=True).pipe(rx.finally_action(done.set))
        events, made = stream(graph), 0
        async for _ in events:
            made += 1
            if made == 1:
                await asyncio.to_thread(done.wait)
        assert events.summary is not None
        lost = sum(entry.count for entry in events.summary.ledger.unintended() if entry.reason is Reason.QUEUE_FULL)
        assert lost
        assert SIZE * BATCHES == made + lost

    asyncio.run(main())


def test_leaving_the_loop_ends_the_run_in_order() -> None:
    reader = Counting()

    async def main() -> None:
        events = stream(numbers(reader))
        async for event in events:
            if event == 1234:
                break
        summary = await events.end()
        assert reader.closed.is_set()
        assert summary is events.summary
        assert summary is not None
        assert "reader" == summary.ended_by
        (meter,) = [meter for meter in summary.ledger if meter.stage == "stream"]
        assert 1235 == meter.passed
        assert [Entry("stream", Reason.SINK_FAILED, meter.seen - 1235)] == summary.ledger.unintended()

    asyncio.run(main())


def test_leaving_the_loop_is_enough_where_the_loop_of_tasks_goes_on() -> None:
    """As in a cell of a notebook."""
    reader = Counting()

    async def main() -> None:
        async for event in stream(numbers(reader)):
            if event == 7:
                break
        assert await closed(reader)

    asyncio.run(main())


def test_leaving_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    test_leaving_the_loop_is_enough_where_the_loop_of_tasks_goes_on()
    assert ("", "") == tuple(capsys.readouterr())


@pytest.mark.parametrize("quiet", [False, True])
def test_a_cancelled_task_ends_the_run_in_order(quiet: bool) -> None:
    """Also where no event comes."""
    reader = Counting()
    graph = numbers(reader).pipe(op.keep(lambda number: not quiet and number < 5))

    async def main() -> None:
        began = asyncio.Event()

        async def read() -> None:
            began.set()
            async for _ in stream(graph):
                pass

        task = asyncio.create_task(read())
        await began.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert reader.closed.is_set()

    asyncio.run(main())


def test_an_error_of_the_loop_ends_the_run_and_is_its_own() -> None:
    reader = Counting()

    async def main() -> None:
        async def read() -> None:
            async for event in stream(numbers(reader)):
                print(1 / event)

        with pytest.raises(ZeroDivisionError):
            await read()
        assert await closed(reader)

    asyncio.run(main())


def test_a_source_that_cannot_be_opened_is_an_error_of_the_loop() -> None:
    async def main() -> None:
        events = stream(sources.replay(sources.ReplayOptions(("/does/not/exist",))))
        with pytest.raises(CaptureError, match="cannot be read"):
            [event async for event in events]
        assert events.summary is None

    asyncio.run(main())


def test_without_a_loop_there_is_no_run() -> None:
    reader = Counting()

    async def main() -> None:
        assert await stream(numbers(reader)).end() is None
        assert not reader.closed.is_set()

    asyncio.run(main())


def silent(_: threading.ExceptHookArgs) -> None:
    pass


def test_a_bug_where_the_run_is_strict_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", silent)  # of the engine, which has no one to raise to

    async def main() -> None:
        events = stream(of([1, 0]).pipe(op.change(lambda number: 1 / number)), on_bug="raise_all")
        assert [] == [event async for event in events]
        assert events.summary is not None
        assert not events.summary.complete

    asyncio.run(main())


@pytest.mark.parametrize("count", [3, 2500])
def test_a_server_answers_while_the_loop_reads(count: int) -> None:
    """Each client gets the events of a run of its own; another one is answered between two events."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readline() == b"ping\n":
            writer.write(b"pong\n")
        else:
            async for event in stream(of(range(count)).pipe(op.change(str))):
                writer.write(f"{event}\n".encode())
                await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def ask(word: bytes) -> list[bytes]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(word + b"\n")
            lines = (await reader.read()).splitlines()
            writer.close()
            return lines

        async with server:
            answers = await asyncio.gather(ask(b"events"), ask(b"ping"), ask(b"events"))
        every = [str(number).encode() for number in range(count)]
        assert [every, [b"pong"], every] == list(answers)

    asyncio.run(main())


def test_other_tasks_have_their_turn_within_a_batch() -> None:
    """The reader holds a batch of 1000 events, and never waits by itself."""
    turns: list[int] = []

    async def main() -> None:
        read = 0

        async def beside() -> None:
            while True:
                turns.append(read)
                await asyncio.sleep(0)

        task = asyncio.create_task(beside())
        async for _ in stream(numbers(Counting(1))):
            read += 1
        task.cancel()

    asyncio.run(main())
    assert len([count for count in turns if 0 < count < SIZE]) >= SIZE // 200


def test_a_program_that_ends_in_the_middle_ends_its_run() -> None:
    program = """
import asyncio
from agentsight_rx import stream
from tests.runtime.test_aio import Counting, numbers

class Marked(Counting):
    def close(self):
        print("closed", flush=True)
        return super().close()

async def main():
    async for event in stream(numbers(Marked())):
        if event == 5:
            break

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ("closed\n", "", 0) == (done.stdout, done.stderr, done.returncode)


def half_of(number: int) -> int:
    return 2 // number


def test_a_function_of_the_graph_that_raises_ends_the_loop_by_its_error() -> None:
    taken: list[int] = []

    async def main() -> None:
        events = stream(of([2, 1], [0, 5]).pipe(rx.map(half_of)))
        taken.extend([number async for number in events])

    with pytest.raises(GraphError, match=r"in map, given int: ZeroDivisionError"):
        asyncio.run(main())
