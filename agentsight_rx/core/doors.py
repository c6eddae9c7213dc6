"""
Events, calls and subscriptions of other threads -> the one thread of a run.

Stock operators of RxPY may work on other threads: of a future, a pool, or whoever feeds a Subject. Operators of this package do
not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock, get_ident
from typing import Any, Generic, Protocol, TypeVar

from ..events.loss import Ledger, Meter, Reason
from .hub import Outlet
from .mailbox import Mailbox

E = TypeVar("E")

STAGE = "other threads"  # in the ledger: what they emitted, what of it found no room, and what was not waited for any longer


class Doors:
    """
    What stands between one run and other threads. Its box keeps what they hand over until the thread of the run takes it, in
    order; what finds no room is counted. While no thread is at work in the run, whichever hands something over is so itself.
    """

    def __init__(self, ledger: Ledger, box: Mailbox[Any] | None, act: Callable[[Callable[[], None]], None]) -> None:
        self.box: Mailbox[Any] = Mailbox() if box is None else box
        self.open: dict[Door[Any], None] = {}  # may still bring something
        self._ledger = ledger
        self._act = act
        self._home: int | None = get_ident()  # the thread that is at work in the run
        self._work = Lock()
        self._work.acquire()
        self._counting = Lock()
        self._counted: Meter | None = None

    @property
    def inside(self) -> bool:
        """Whether the calling thread is the one that is at work in the run."""
        return get_ident() == self._home

    def enter(self) -> None:
        """The calling thread is at work from now on."""
        if self._home is None:
            self._work.acquire()
        self._home = get_ident()

    def leave(self) -> None:
        """No thread is at work any more, once all that waits is taken."""
        try:
            self.take_all()
        finally:
            self._home = None
            self._work.release()
        self.work()

    def work(self) -> None:
        """Take what waits on the calling thread, where none is at work. It never waits for one that is."""
        while len(self.box) and self._work.acquire(blocking=False):
            try:
                self._home = get_ident()
                self.take_all()
            finally:
                self._home = None
                self._work.release()

    def call(self, action: Callable[[], None], *, anyway: bool = False) -> None:
        """From another thread: behind what waits. `anyway`: also where there is no room."""
        if anyway:
            self.box.put_anyway([action], sender=_call)
        else:
            self.put(action, _call)
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

    def take(self, sender: Callable[[Sequence[Any]], None], batch: Sequence[Any]) -> None:
        """On the thread of the run: an entry of the box that no source has sent."""
        self._act(lambda: sender(batch))

    def take_all(self) -> None:
        """On the thread of the run: all that waits, where no source sends to this box."""
        while len(self.box):
            entry = self.box.get(0)
            if entry is not None:
                sender: Any = entry[0]
                self.take(sender, entry[1])

    def give_up(self, *, counted: bool) -> None:
        """On the thread of the run: complete what is still open, so that all behind it ends, and count it as unfinished."""
        left = list(self.open)
        if left and counted:
            with self._counting:
                self._meter.lose(Reason.UNFINISHED, len(left))
        for door in left:
            self._act(door.give_up)


def _call(actions: Sequence[Callable[[], None]]) -> None:
    for action in actions:
        action()


class Run(Protocol):
    """The parts of an engine that are needed here."""

    @property
    def doors(self) -> Doors: ...
    @property
    def inside(self) -> bool: ...
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

    def __init__(self, run: Run, outlet: Outlet[E]) -> None:
        self._run = run
        self._doors = run.doors
        self._outlet = outlet
        self._gathered: list[E] = []  # in this step
        self._handed = 0  # to the box, and not taken yet: what comes meanwhile goes behind it, on any thread
        self._changing = Lock()
        self._doors.open[self] = None

    def on_next(self, event: E) -> None:
        if self._run.inside and not self._handed:
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
        if self._run.inside and not self._handed:
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
