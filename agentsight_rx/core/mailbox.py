"""
The bounded hand-over of batches between two threads. `put` never waits; events that do not fit are counted.

Longer than 300 lines because a box and the doors of a run, which share it with its sources, count the same losses.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Condition, Lock, get_ident
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from ..events.loss import Ledger, Meter, Reason
from .hub import Hub, Outlet
from .weight import weights_of

# -- bell ----------------------------------------------------------------------------------------------------------
# What one thread waits for besides its input, so that another can end that wait: an eventfd with a life of its own.


class Bell:
    """A ring is kept until it is heard, also one before the wait. After `close` nothing is rung."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)  # readable once it was rung
        self._lock = Lock()  # or the number would be that of another file by the time it is written to
        self._open = True

    def ring(self) -> None:
        with self._lock:
            if self._open:
                os.eventfd_write(self.fd, 1)

    def heard(self) -> bool:
        """Whether it was rung since the last call."""
        with suppress(BlockingIOError):
            return os.eventfd_read(self.fd) > 0
        return False

    def close(self) -> None:
        with self._lock:
            if self._open:
                self._open = False
                os.close(self.fd)


# -- capacity ------------------------------------------------------------------------------------------------------
# The memory that is free -> how many bytes a buffer may take: a share of it, within bounds.


_MEMORY = Path("/proc/meminfo")
_OWN_GROUP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_UNKNOWN = 1 << 30  # where the kernel does not say: as little as the smallest machines have


def available(memory: Path = _MEMORY, own_group: Path = _OWN_GROUP, groups: Path = _GROUPS) -> int:
    """Bytes that this process may still take: what the machine has, and no more than its control group (version 2) allows."""
    free = [_UNKNOWN]
    for line in _lines(memory):
        if line.startswith("MemAvailable:"):
            free = [int(line.split()[1]) << 10]
    for line in _lines(own_group):
        number, _, path = line.split(":", 2)
        place = groups / path.lstrip("/")
        if number == "0":
            free += [left for each in (place, *place.parents) if each.is_relative_to(groups) for left in _left(each)]
    return min(free)


def _left(group: Path) -> list[int]:
    """What the limit of one control group leaves, if it has one."""
    limit, used = _lines(group / "memory.max"), _lines(group / "memory.current")
    if not limit or not used or limit[0] == "max":
        return []
    return [max(0, int(limit[0]) - int(used[0]))]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def share_of(size: int, part: int, *, least: int, most: int) -> int:
    """A `part`-th of `size`, as the power of two at or below it; not below `least` and not above `most`."""
    share = max(size // part, 1)
    return max(least, min(most, 1 << (share.bit_length() - 1)))


def share_of_memory(part: int, *, least: int, most: int) -> int:
    """The same for the available memory."""
    return share_of(available(), part, least=least, most=most)


# ------------------------------------------------------------------------------------------------------------------------


E = TypeVar("E")

# Of an inbox: what 300 MB/s bring while the engine is busy for 0.8 s, less where memory is scarce
_PART, _LEAST, _MOST = 64, 64 << 20, 256 << 20
_EVENT = 1 << 10  # an event takes 0.6 KiB besides its content, so that many small ones take no more than few large ones
_MUCH, _MANY = 1 << 20, 4096  # bytes and events for which a receiver is woken that gathers
_METADATA_SHARE = 0.1  # of the room, kept for events without content, so that exits and losses still pass


class Overflow(Struct, frozen=True):
    """The events that one `put` dropped, and their bytes."""

    count: int = 0
    size: int = 0

    def __bool__(self) -> bool:
        return bool(self.count)


NOTHING = Overflow()


class Mailbox(Generic[E]):
    """
    Batches from one or more threads for one thread, bounded in events and in bytes.

    When it is full, events are dropped, content before metadata, newest first, and `put` returns how many: the caller counts
    them, so that each count has one writing thread. Content never takes the last tenth of the room.

    A batch of more than `part` bytes comes out in parts of at most so many, or of one event: what the receiver makes of one
    batch may be a thousand times as large, and is in memory at once.
    """

    def __init__(
        self,
        *,
        events: int = 65_536,
        size: int = 64 << 20,  # 0.3 s of the 200 MB/s that the pipeline takes at most
        weigh: Callable[[E], int] | None = None,
        part: int = 1 << 20,
    ) -> None:
        self._most_events = events
        self._reserve = int(events * _METADATA_SHARE)
        self._most_size = size
        self._weigh = weigh
        self._part = part
        self._boxes: deque[tuple[object, Sequence[E], int]] = deque()
        self._events = 0
        self._size = 0
        self._closed = False
        self._changed = Condition()
        self._gathers = False  # the receiver is not to be woken for little
        self.taken = 0  # bytes of the batch that `get` returned last

    def put(self, batch: Sequence[E], *, sender: object = None, weights: Sequence[int] | None = None) -> Overflow:
        """Hand over `batch`; return what of it was dropped. `weights` of its events, where they are known already."""
        if not batch:
            return NOTHING
        if weights is None:
            weights = weights_of(batch) if self._weigh is None else list(map(self._weigh, batch))
        size = sum(weights)
        with self._changed:
            if self._closed:
                return Overflow(len(batch), size)
            dropped = NOTHING
            if self._events + len(batch) > self._most_events - self._reserve or self._size + size > self._most_size:
                kept, weights = self._fit(batch, weights)
                left = sum(weights)
                dropped = Overflow(len(batch) - len(kept), size - left)
                batch, size = kept, left
            if batch:
                if size <= self._part or len(batch) == 1:
                    self._boxes.append((sender, batch, size))
                else:
                    self._boxes.extend((sender, *part) for part in _parts(batch, weights, self._part))
                self._events += len(batch)
                self._size += size
                if not self._gathers or self._is_much():
                    self._changed.notify()
            return dropped

    def _fit(self, batch: Sequence[E], weights: Sequence[int]) -> tuple[list[E], list[int]]:
        """The oldest metadata that fits, and then the oldest content, in order; and their weights."""
        room = self._most_events - self._events
        light = min(room, weights.count(0))
        heavy = min(room - light, room - self._reserve)
        size = self._most_size - self._size
        kept: list[tuple[E, int]] = []
        for event, weighs in zip(batch, weights, strict=True):
            if not weighs:
                light -= 1
                if light >= 0:
                    kept.append((event, weighs))
            elif heavy > 0 and weighs <= size:
                heavy -= 1
                size -= weighs
                kept.append((event, weighs))
            else:
                heavy = 0  # newest first: all that follow are newer
        return [event for event, _ in kept], [weighs for _, weighs in kept]

    def get(self, timeout: float | None = None) -> tuple[object, Sequence[E]] | None:
        """The oldest (sender, batch), or None when nothing came within `timeout` seconds or the box is closed and empty."""
        with self._changed:
            if not self._boxes and not self._closed:
                self._changed.wait(timeout)
            if not self._boxes:
                return None
            sender, batch, size = self._boxes.popleft()
            self.taken = size
            self._events -= len(batch)
            self._size -= size
            return sender, batch

    def gather(self, timeout: float) -> None:
        """Wait so many seconds, or until there is much to get, or the end of a source."""
        with self._changed:
            if not self._is_much() and not self._closed:
                self._gathers = True
                self._changed.wait(timeout)
                self._gathers = False

    def _is_much(self) -> bool:
        return self._size >= _MUCH or self._events >= _MANY

    def put_anyway(self, batch: Sequence[E], *, sender: object = None) -> None:
        """Hand over a batch even where there is no room: the end of a source, with its last losses."""
        with self._changed:
            self._boxes.append((sender, batch, 0))
            self._events += len(batch)
            self._changed.notify()

    @property
    def fill(self) -> float:
        """How full the box is: 0 empty, 1 full."""
        return max(self._events / self._most_events, self._size / self._most_size)

    def close(self) -> None:
        """Take no more batches; `get` still returns the batches inside."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self) -> list[E]:
        """Remove and return everything inside: the receiver will not read it."""
        with self._changed:
            left = [event for _, batch, _ in self._boxes for event in batch]
            self._boxes.clear()
            self._events = self._size = 0
            return left

    @property
    def closed(self) -> bool:
        return self._closed

    def __len__(self) -> int:
        return self._events


def inbox(*, part: int) -> Mailbox[Any]:
    """The box in front of the engine: as large as the memory that is free allows."""
    size = share_of_memory(_PART, least=_LEAST, most=_MOST)
    return Mailbox(events=size // _EVENT, size=size, part=part)


def _parts(batch: Sequence[E], weights: Sequence[int], most: int) -> Iterator[tuple[Sequence[E], int]]:
    """The batch in parts of at most `most` bytes, or of one event, and the bytes of each."""
    start = size = 0
    for place, weighs in enumerate(weights):
        if size + weighs > most and place > start:
            yield batch[start:place], size
            start, size = place, 0
        size += weighs
    yield batch[start:], size


# -- doors ---------------------------------------------------------------------------------------------------------
# Events, calls and subscriptions of other threads -> the one thread of a run. Stock operators of RxPY may work on other
# threads: of a future, a pool, or whoever feeds a Subject. Operators of this package do not.


STAGE = "other threads"  # in the ledger: what they emitted, what of it found no room, and what was not waited for any longer


class Owing(Protocol):
    """
    May still bring something. `is_endless`: it is not known whether; else it counts itself what it did not bring. While it
    `is_crowded`, a source that can wait has to.
    """

    is_endless: bool

    @property
    def is_crowded(self) -> bool: ...
    def give_up(self) -> None: ...


class Doors:
    """
    What stands between one run and other threads. Its box keeps what they hand over until the thread of the run takes it, in
    order; what finds no room is counted. While no thread is at work in the run, whichever hands something over is so itself.
    """

    anywhere = False  # no thread is another one

    def __init__(self, ledger: Ledger, box: Mailbox[Any] | None, act: Callable[[Callable[[], None]], None]) -> None:
        self.box: Mailbox[Any] = Mailbox() if box is None else box
        self.open: dict[Owing, None] = {}
        self.answered = 0  # of what a known number of things was awaited from
        self._ledger = ledger
        self._act = act
        self.home: int | None = get_ident()  # the thread that is at work in the run
        self._work = Lock()
        self._work.acquire()
        self._counting = Lock()
        self._counted: Meter | None = None

    @property
    def inside(self) -> bool:
        """Whether the calling thread is the one that is at work in the run."""
        return get_ident() == self.home or self.anywhere

    def enter(self) -> None:
        """The calling thread is at work from now on."""
        if self.home is None:
            self._work.acquire()
        self.home = get_ident()

    def leave(self) -> None:
        """No thread is at work any more, once all that waits is taken."""
        try:
            self.take_all()
        finally:
            self.home = None
            self._work.release()
        self.work()

    def work(self) -> None:
        """Take what waits on the calling thread, where none is at work. It never waits for one that is."""
        while len(self.box) and self._work.acquire(blocking=False):
            try:
                self.home = get_ident()
                self.take_all()
            finally:
                self.home = None
                self._work.release()

    def call(self, action: Callable[[], None], *, anyway: bool = False) -> None:
        """From another thread: behind what waits. `anyway`: also where there is no room."""
        if anyway:
            self.hand(action, _call)
        else:
            self.put(action, _call)
            self.work()

    def hand(self, item: Any, take: Callable[[Sequence[Any]], None]) -> None:
        """Hand over what may not be lost, and is bounded by itself."""
        self.box.put_anyway([item], sender=take)
        self.work()

    def put(self, event: Any, take: Callable[[Sequence[Any]], None]) -> bool:
        """Hand over one event for `take`; False: there is no room, so that it is counted as lost."""
        dropped = self.box.put([event], sender=take)
        with self._counting:
            meter = self._meter
            meter.seen += 1
            if dropped:
                meter.lose(Reason.QUEUE_FULL, dropped.count, dropped.size)
            else:
                meter.passed += 1
        return not dropped

    @property
    def _meter(self) -> Meter:
        if self._counted is None:
            self._counted = self._ledger.meter(STAGE)
        return self._counted

    def take(self, sender: Any, batch: Sequence[Any]) -> bool:
        """On the thread of the run: an entry of the box. False: a source has sent it."""
        if isinstance(sender, Hub):
            return False
        self._act(lambda: sender(batch))
        return True

    def take_all(self) -> None:
        """On the thread of the run: all that waits, where no source sends to this box."""
        while len(self.box):
            entry = self.box.get(0)
            if entry is not None:
                self.take(*entry)

    def give_up(self, *, counted: bool) -> None:
        """On the thread of the run: complete the doors that are open, so that all behind them ends; count them."""
        for door in list(self.open):
            if counted and door.is_endless:
                with self._counting:
                    self._meter.lose(Reason.UNFINISHED, 1)
            self._act(door.give_up)

    @property
    def are_crowded(self) -> bool:
        """Any thread may ask."""
        return any(door.is_crowded for door in list(self.open))


def _call(actions: Sequence[Callable[[], None]]) -> None:
    for action in actions:
        action()


class Run(Protocol):
    """The parts of an engine that are needed here."""

    @property
    def doors(self) -> Doors: ...
    def after_step(self, action: Callable[[], None], /) -> None: ...


class _End:
    """In the place of an event: the Observable has completed, or failed."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error


class Door(Generic[E]):
    """
    The observer of a stock operator, before operators of this package or the end of the graph. What one step of the engine lets
    through becomes one batch. Events come in the order in which the operator emits them, on whichever threads it does.
    """

    is_endless = True
    is_crowded = False

    def __init__(self, run: Run, outlet: Outlet[E]) -> None:
        self._run = run
        self._doors = run.doors
        self._outlet = outlet
        self._gathered: list[E] = []  # in this step
        self._handed = 0  # to the box, and not taken yet: what comes meanwhile goes behind it, on any thread
        self._changing = Lock()
        self._doors.open[self] = None

    def on_next(self, event: E) -> None:
        if get_ident() == self._doors.home and not self._handed:  # as `_gather`, of which the call would be a third of the cost
            gathered = self._gathered
            gathered.append(event)
            if len(gathered) == 1:
                self._run.after_step(self._flush)
            return
        if self._doors.anywhere:
            self._gather(event)
            return
        with self._changing:
            self._handed += self._doors.put(event, self._take)
        self._doors.work()

    def on_completed(self) -> None:
        self._end(_End(None))

    def on_error(self, error: Exception) -> None:
        self._end(_End(error))

    def _end(self, end: _End) -> None:
        if self._doors.inside and not self._handed:
            self._finish(end)
            return
        with self._changing:
            self._handed += 1
            self._doors.box.put_anyway([end], sender=self._take)
        self._doors.work()

    def close(self) -> None:
        """Its subscriber wants nothing more."""
        self._doors.open.pop(self, None)

    def give_up(self) -> None:
        """On the thread of the run: it is not waited for any longer."""
        if self in self._doors.open:
            self._finish(_End(None))

    def _take(self, events: Sequence[Any]) -> None:
        with self._changing:
            self._handed -= len(events)
        for event in events:
            if type(event) is _End:
                self._finish(event)
            else:
                self._gather(event)

    def _gather(self, event: E) -> None:
        self._gathered.append(event)
        if len(self._gathered) == 1:
            self._run.after_step(self._flush)

    def _flush(self) -> None:
        batch, self._gathered = self._gathered, []
        if batch:
            self._outlet.on_batch(batch)

    def _finish(self, end: _End) -> None:
        self.close()
        self._flush()
        if end.error is None:
            self._outlet.on_completed()
        else:
            self._outlet.on_error(end.error)
