"""
Readers, iterables, async iterables and lines of your own -> Streams, as the sources of this package are.

Longer than 300 lines because the readers of all of them share what holds their events.
"""

from __future__ import annotations

import asyncio
import os
import select
import struct
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Generic, TypeVar, cast

from ..core.errors import CaptureError, UsageError
from ..core.hub import Reader
from ..core.stream import Stream, origin
from ..events import Loss, Origin, time_of
from ..events.loss import Reason

E = TypeVar("E")

_BATCH = 1024  # events that a reader holds at most
_READ_MOST = 1 << 20
_LINE_MOST = 65_536
_PLACE = struct.Struct("<3Q")  # device and inode of a file, and an offset


def own_time(event: object, /) -> int:
    """The time of an event of this package, in ns. Raises UsageError for a value without one."""
    try:
        return time_of(cast("Any", event))
    except AttributeError:
        kind = type(event).__name__
        wanted = "give time_of=, a function of an event that returns ns, or time_of=None for events without a time"
        raise UsageError(f"a source wants the time of each event, and {kind} has no origin: {wanted}") from None


def from_reader(
    reader: Callable[[], Reader[E]],
    *,
    name: str = "reader",
    time_of: Callable[[E], int] | None = own_time,
    live: bool = False,
    options: str = "",
) -> Stream[E]:
    """
    The Stream of a reader of your own: an object with `open`, `poll`, `lost` and `close`, which `reader` makes for each run.

    `time_of`: the time of an event in ns; by default `event.origin.time_ns`; None: time does not advance by these events.
    `live`: its events happen now, with times of `time.monotonic_ns()`, and a full queue drops and counts them. Another reader
    waits instead. `options` is shown by --explain. What `poll` raises ends the source, and is a failure of the run.
    """
    return origin(name, reader, time_of=time_of, live=live, options=options)


def from_events(
    events: Iterable[E] | Callable[[], Iterable[E]],
    *,
    name: str = "events",
    time_of: Callable[[E], int] | None = own_time,
    live: bool = False,
) -> Stream[E]:
    """
    The Stream of an iterable; a function that returns one is called once a run, which a generator needs to be run twice.

    It is iterated on a thread of the run. `live` takes one event at a time. `from_reader` explains the other arguments.
    """
    return origin(
        name,
        lambda: _Events(events() if callable(events) else events, time_of, 1 if live else _BATCH),
        time_of=time_of,
        live=live,
    )


def from_async_iterable(
    events: AsyncIterable[E] | Callable[[], AsyncIterable[E]],
    *,
    name: str = "async",
    time_of: Callable[[E], int] | None = own_time,
    live: bool = True,
) -> Stream[E]:
    """
    The Stream of an async iterable; a function that returns one is called once a run.

    It runs in a loop of its own on the thread of the reader, with all tasks that it starts. At most 1,024 events wait there,
    then it does. Where the run stops, a generator is closed. `from_reader` explains the other arguments.
    """
    return origin(name, lambda: _Awaited(events() if callable(events) else events, time_of), time_of=time_of, live=live)


def from_lines(
    path: str | os.PathLike[str],
    parse: Callable[[str], E],
    *,
    name: str = "lines",
    time_of: Callable[[E], int] | None = own_time,
    follow: bool = False,
) -> Stream[E | Loss]:
    """
    What `parse` makes of each line of a file or a pipe; `-` is standard input. `parse=str` gives texts, with `time_of=None`.

    A line that `parse` refuses by a ValueError is counted as malformed, and bytes of a line after 64 KiB as truncated: both
    come as a Loss. `follow` waits for lines that are appended, as a live source. Raises CaptureError where it cannot be read.
    """
    return origin(
        name,
        lambda: _Lines(os.fspath(path), parse, time_of, follow=follow),
        time_of=None if time_of is None else lambda event: own_time(event) if isinstance(event, Loss) else time_of(event),
        live=follow,
        options=os.fspath(path),
    )


class _Held(Generic[E]):
    """Events that were read, and what was raised behind them: that is raised once they are out."""

    def __init__(self, timed: Callable[[E], int] | None) -> None:
        self._timed = timed
        self._ready: list[E] = []
        self._error: BaseException | None = None
        self.ended = False

    def open(self) -> None:
        pass

    def add(self, event: E) -> None:
        if self._timed is not None:
            self._timed(event)  # a value without a time is refused here, where its source can be named
        self._ready.append(event)

    def end(self, error: BaseException | None = None) -> None:
        self.ended, self._error = True, error

    def full(self) -> bool:
        return len(self._ready) >= _BATCH

    def taken(self) -> Sequence[E] | None:
        ready, self._ready = self._ready, []
        if not ready and self._error is not None:
            error, self._error = self._error, None
            raise error
        return ready or (None if self.ended else ())

    def lost(self) -> Sequence[E]:
        return ()

    def close(self) -> Sequence[E]:
        ready, self._ready, self.ended = self._ready, [], True
        return ready


class _Events(_Held[E]):
    def __init__(self, events: Iterable[E], timed: Callable[[E], int] | None, most: int) -> None:
        super().__init__(timed)
        self._events: Iterator[E] = iter(events)
        self._most = most

    def poll(self, timeout: float, /) -> Sequence[E] | None:
        if not self.ended:
            try:
                for event in islice(self._events, self._most - len(self._ready)):
                    self.add(event)
                if len(self._ready) < self._most:
                    self.end()
            except BaseException as error:  # also sys.exit, behind what came before it
                self.end(error)
        return self.taken()


class _Awaited(_Held[E]):
    def __init__(self, events: AsyncIterable[E], timed: Callable[[E], int] | None) -> None:
        super().__init__(timed)
        self._events = events
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pump: asyncio.Task[None] | None = None
        self._news, self._room = asyncio.Event(), asyncio.Event()

    def poll(self, timeout: float, /) -> Sequence[E] | None:
        if self._loop is None and not self.ended:
            self._loop = asyncio.new_event_loop()
            self._pump = self._loop.create_task(self._take_all())
        if self._loop is not None and not self.ended:
            self._room.set()
            self._loop.run_until_complete(self._wait(timeout))
        return self.taken()

    async def _wait(self, longest_s: float) -> None:
        if not self._ready:
            self._news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), longest_s)

    async def _take_all(self) -> None:
        iterator = aiter(self._events)
        try:
            async for event in iterator:
                self.add(event)
                self._news.set()
                if self.full():
                    self._room.clear()
                    await self._room.wait()
            self.end()
        except asyncio.CancelledError:
            if self._loop is not None:  # not by us
                self.end(RuntimeError("the source was cancelled"))
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            self.end(error)
        finally:
            self._news.set()
            if isinstance(iterator, AsyncGenerator):
                await iterator.aclose()

    def close(self) -> Sequence[E]:
        loop, self._loop = self._loop, None
        if loop is not None:
            try:
                loop.run_until_complete(_cancel(asyncio.all_tasks(loop)))
                loop.run_until_complete(loop.shutdown_asyncgens())
            finally:
                loop.close()
        return super().close()


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Lines(_Held[E | Loss]):
    def __init__(self, path: str, parse: Callable[[str], E], timed: Callable[[E], int] | None, *, follow: bool) -> None:
        super().__init__(None)
        self._path, self._parse, self._time_of, self._follow = path, parse, timed, follow
        self._file: int | None = None
        self._rest = b""  # the begin of a line
        self._cut = 0  # bytes that it had more
        self._behind = 0  # of the file, behind what was read
        self._number = 0, 0  # device and inode of the file
        self._begin: tuple[tuple[int, ...], int] | None = None  # such a number, and the offset of the first line to read
        self._newest_ns = 0

    @property
    def repeats(self) -> bool:
        """Whether another run may read the same again."""
        return self._path != "-"

    def place(self) -> bytes:
        """Behind the last whole line."""
        return _PLACE.pack(*self._number, self._behind - len(self._rest) - self._cut)

    def go_on(self, place: bytes, /) -> None:
        *number, offset = _PLACE.unpack(place)
        self._begin = tuple(number), offset

    def open(self) -> None:
        try:
            self._file = os.dup(0) if self._path == "-" else os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            if self._path != "-":
                self._seek(self._file)
        except OSError as error:
            if self._file is None or self._path != "-":
                self.close()
                raise CaptureError(f"{self._path} cannot be read: {error.strerror}") from error

    def _seek(self, file: int) -> None:
        """To the place of an earlier run, if the file is still the one that it read."""
        found, begin = os.fstat(file), self._begin
        self._number = found.st_dev, found.st_ino
        if begin is None:
            self._behind = os.lseek(file, 0, os.SEEK_END) if self._follow else 0
        elif self._number == begin[0] and found.st_size >= begin[1]:
            self._behind = os.lseek(file, begin[1], os.SEEK_SET)
        elif begin[1]:
            self._lose(Reason.UNREADABLE, 0, "the file of the run before was replaced: what it got meanwhile is unknown")

    def poll(self, timeout: float, /) -> Sequence[E | Loss] | None:
        if self._file is None or self.ended:
            return None
        if select.select([self._file], [], [], timeout)[0]:
            self._read(self._file, timeout)
        return self.taken()

    def _read(self, file: int, timeout: float) -> None:
        data = os.read(file, _READ_MOST)
        self._behind += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if not data and not self._follow and self._rest:
            lines, self._rest = [self._rest], b""
        for line in lines:
            self._line(line)
        self._cut += max(0, len(self._rest) - _LINE_MOST)
        self._rest = self._rest[:_LINE_MOST]
        if not data and self._follow:
            time.sleep(timeout)  # the kernel does not report that a file grows
        elif not data:
            self.end()

    def _line(self, line: bytes) -> None:
        more, self._cut = self._cut + max(0, len(line) - _LINE_MOST), 0
        if more:
            self._lose(Reason.TRUNCATED, more, "a line has more than 64 KiB")
        try:
            event = self._parse(line[:_LINE_MOST].decode(errors="replace"))
        except ValueError as error:  # msgspec's and json's are
            self._lose(Reason.MALFORMED, len(line), f"{type(error).__name__}")
            return
        if self._time_of is not None:
            self._newest_ns = self._time_of(event)
        self.add(event)

    def _lose(self, reason: Reason, size: int, note: str) -> None:
        at = Origin(self._newest_ns or time.monotonic_ns(), 0)
        self.add(Loss(at, "lines", reason=reason, count=1, size=size, note=note))

    def close(self) -> Sequence[E | Loss]:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
        return super().close()
