"""A graph -> `async for`: the loop takes events as fast as it can, and leaving it ends the run in order."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from reactivex import Observable

from ..core.sink import ReaderLeft, Sink
from .run import GRACE_S, OnBug, Run, Summary

E = TypeVar("E")

_TURN = 100  # events after which other tasks of the loop have their turn
_END_S = 30.0  # how long a program that ends waits for a run that was left


def stream(
    graph: Observable[E],
    sinks: Iterable[Sink[E]] = (),
    *,
    duration: float | None = None,
    required: Collection[str] | None = None,
    on_bug: OnBug = "raise",
    grace: float = GRACE_S,
    resume: str | os.PathLike[str] | None = None,
) -> EventStream[E]:
    """
    Run `graph`, and give what it emits to `async for`; other `sinks` get the same. It takes the arguments of `run`.

        async for event in agentsight_rx.stream(graph):
            ...

    The run has threads of its own, so the loop of a notebook or a server goes on. Where the loop is slower than the graph, a
    replay waits. A live capture does not: events that find no room are counted as `queue_full`, as with any slow sink. The end
    of the loop, `break` and a cancelled task end the run in order. What `run` raises is raised here.
    """
    make = partial(Run, graph, required=required, on_bug=on_bug, grace=grace, resume=resume)
    return EventStream(make, tuple(sinks), duration)


class EventStream(Generic[E]):
    """Each loop over it is a run. `summary` is the newest run's which has ended."""

    def __init__(self, make: Callable[[Sequence[Sink[E]]], Run], sinks: Sequence[Sink[E]], duration: float | None) -> None:
        """`make` makes a run into these sinks and one more."""
        self._make = make
        self._sinks = sinks
        self._duration = duration
        self._newest: _AsyncRun[E] | None = None
        self.summary: Summary | None = None

    async def __aiter__(self) -> AsyncIterator[E]:
        hand_over = HandOver[E]()
        sink = Sink[E]("stream", lambda _: hand_over, awaits_reader=True)
        run = self._make([*self._sinks, sink])
        self._newest = running = _AsyncRun(run, hand_over, self._duration)
        running.start()
        try:
            while (batch := await hand_over.taken()) is not None:
                for number, event in enumerate(batch, 1):
                    hand_over.given = number
                    yield event
                    if not number % _TURN:
                        await asyncio.sleep(0)
        finally:
            self.summary = await running.end()

    async def end(self) -> Summary | None:
        """End the newest run in order, and return its summary; None where there was no run."""
        if self._newest is not None:
            self.summary = await self._newest.end()
        return self.summary


class _AsyncRun(Generic[E]):
    """A run on a thread that waits for its end."""

    def __init__(self, run: Run, hand_over: HandOver[E], duration: float | None) -> None:
        self._run = run
        self._hand_over = hand_over
        self._duration = duration
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Summary] = self._loop.create_future()
        self._thread = threading.Thread(target=self._wait, name="stream", daemon=True)

    def start(self) -> None:
        atexit.register(self._at_exit)
        self._thread.start()

    async def end(self) -> Summary:
        """The reader wants no more. Raises what the run raised."""
        self._leave()
        return await asyncio.shield(self._ended)

    def _leave(self) -> None:
        self._hand_over.leave()
        self._run.end("reader")

    def _at_exit(self) -> None:
        self._leave()
        self._thread.join(_END_S)

    def _wait(self) -> None:
        try:
            with self._run:
                self._run.wait(self._duration)
                summary = self._run.stop()
            summary.raised()
        except BaseException as error:
            self._tell(self._ended.set_exception, error)
        else:
            self._tell(self._ended.set_result, summary)
        finally:
            self._hand_over.close()
            atexit.unregister(self._at_exit)

    def _tell(self, say: Any, value: object) -> None:
        try:
            self._loop.call_soon_threadsafe(say, value)
        except RuntimeError:  # the loop is closed: its program does not wait for this
            return


class HandOver(Generic[E]):
    """
    The writer of the sink, on its thread, and the reader in the loop. The writer waits until each batch was read, so what the
    reader is slow to take stays in the bounded box of the sink.
    """

    def __init__(self) -> None:
        self.given = 0  # events of the batch that the reader has
        self._changed = threading.Condition()
        self.waiting: Sequence[E] | None = None
        self._is_taken = False
        self._left = False
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def write(self, batch: Sequence[E], /) -> None:
        with self._changed:
            self.waiting, self.given = batch, 0
            self._wake()
            while self._is_unread() and not self._left:
                self._changed.wait()
            unread = len(batch) - self.given if self._is_unread() else 0
            self.waiting = None
        if unread:
            raise ReaderLeft("its reader wants no more events", count=unread)

    def _is_unread(self) -> bool:
        return self.waiting is not None

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:  # the loop is closed
            self._left = True

    async def taken(self) -> Sequence[E] | None:
        """The next batch; None at the end. The one that was taken before was read."""
        with self._changed:
            if self._is_taken:
                self.waiting, self._is_taken = None, False
                self._changed.notify()
        while self.waiting is None:
            if self._closed:
                return None
            await self._news.wait()
            self._news.clear()
        self._is_taken = True
        return self.waiting

    def leave(self) -> None:
        with self._changed:
            self._left = True
            self._changed.notify()
