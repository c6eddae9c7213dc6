"""The interface of a destination: a writer that gets batches from a bounded box, on a thread of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from msgspec import Struct

from ..events.loss import Ledger, Reason
from .errors import SinkError, words_of
from .mailbox import Mailbox
from .messages import say

E_contra = TypeVar("E_contra", contravariant=True)

_STUCK_S = 1.0  # a sink that took nothing for so long is not waited for


class Unwritten(SinkError):
    """Of the items that a writer was handed, in this batch or earlier ones, `count` are lost. It wrote or keeps the others."""

    def __init__(self, message: str, *, count: int) -> None:
        super().__init__(message)
        self.count = count


class ReaderLeft(Unwritten):
    """The reader went away, as of a closed pipe: the items are lost, and nothing is wrong with the run."""


class Writer(Protocol[E_contra]):
    """
    Used by one thread. `write` may raise: the batch is then counted as lost, and the next one is tried. A writer that keeps
    items for a later write, or wrote a part of a batch, raises Unwritten from any method, which says how many were lost.
    `flush` is called at least every 250 ms, `close` once.
    """

    def write(self, batch: Sequence[E_contra], /) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


@runtime_checkable
class Saves(Protocol):
    """A Writer that keeps the state of a run with what it writes: from `hold` on it commits that only with the next state."""

    def hold(self) -> None: ...
    def save(self, state: Any, /) -> None: ...  # one row of a store


class Mark:
    """Stands between what a graph emitted before its `state` was taken and what it emits later, in the box of each sink."""

    def __init__(self, state: object, others: int) -> None:
        """`others`: so many sinks write what came before, and then the state is saved."""
        self.state = state
        self._others = others
        self._reached = threading.Semaphore(0)

    def reach(self) -> None:
        """One of them has written all that came before."""
        self._reached.release()

    def wait(self) -> None:
        """Until all of them have, but for one that is stuck."""
        until_s = time.monotonic() + _STUCK_S
        for _ in range(self._others):
            self._reached.acquire(timeout=max(0.0, until_s - time.monotonic()))


class Sink(Struct, Generic[E_contra], frozen=True):
    """
    A destination for what a graph emits, not yet open. `open` is called before capture starts and may raise SinkError or
    StoreError.
    """

    name: str
    open: Callable[[Ledger], Writer[E_contra]]
    events: int = 65_536  # room in its box
    size: int = 64 << 20
    keeps_ledger: bool = False  # it is closed after all others, so that it writes their last counts
    # Its reader takes what it writes, and may be slow or leave: there is no deadline at the end, and no message where it left
    awaits_reader: bool = False
    wants: frozenset[type] = frozenset()  # of Tick and AnswerProgress, which only those sinks get that want them
    # Whether a person sees at once what it writes; None: yes. If no sink is watched, events wait for each other, at less cost
    is_watched: Callable[[], bool] | None = None
    path: str = ""  # of the file to which its writer Saves


# -- sink thread ---------------------------------------------------------------------------------------------------
# Batches -> one sink, on a thread of its own. A slow or failing sink affects no other here, and what it loses is counted.


_FLUSH_S = 0.25
_QUIET_S = 1.0  # between two flushes while nothing comes: a sink may do by them what time alone brings
_FLUSH_SIZE = 8 << 20  # bytes of content after which a sink is flushed earlier, so that it holds no more


class SinkThread:
    """A sink, its bounded box and the thread that writes."""

    def __init__(self, sink: Sink[Any], ledger: Ledger) -> None:
        self._sink = sink
        self._box: Mailbox[Any] = Mailbox(events=sink.events, size=sink.size)
        self._put_meter = ledger.meter(f"to {sink.name}")  # used by the engine thread
        self._meter = ledger.meter(sink.name)  # used by the writer thread
        self._thread = threading.Thread(target=self._write, name=f"write:{sink.name}", daemon=True)
        self._ledger = ledger
        self._writer: Writer[Any] | None = None
        self._saves: Saves | None = None
        self._in_hand: Sequence[Any] = ()
        self.name = sink.name
        self.failure: str | None = None  # the first one
        self._took_s = time.monotonic()  # when the writer took something last
        self._failing: tuple[float, int] | None = None  # since when nothing was taken, and how much was lost by then
        self.reader_left = False  # the failure is that its reader is gone

    def open(self) -> None:
        self._writer = self._sink.open(self._ledger)

    def abandon(self) -> None:
        """Close a sink whose thread was not started."""
        if self._writer is not None:
            with contextlib.suppress(Exception):
                self._writer.close()

    def start(self) -> None:
        self._thread.start()

    @property
    def path(self) -> str:
        return self._sink.path

    @property
    def awaits_reader(self) -> bool:
        return self._sink.awaits_reader

    def hold(self) -> None:
        """Once it is open: what it takes is committed with the state of a mark, and not before."""
        if isinstance(self._writer, Saves):
            self._writer.hold()
            self._saves = self._writer

    def put_mark(self, mark: Mark) -> None:
        self._box.put_anyway([mark])

    def _reached(self, mark: Mark) -> None:
        """All that was put before the mark is written."""
        saves, writer = self._saves, self._writer
        if saves is not None:
            mark.wait()
            self._try(lambda: saves.save(mark.state))
        elif writer is not None:
            self._try(writer.flush)
        mark.reach()

    @property
    def keeps_ledger(self) -> bool:
        return self._sink.keeps_ledger

    @property
    def is_watched(self) -> bool:
        return self._sink.is_watched is None or self._sink.is_watched()

    @property
    def wants(self) -> frozenset[type]:
        return self._sink.wants

    @property
    def fill(self) -> float:
        """How full its box is: 1.0 = full."""
        return self._box.fill

    @property
    def takes(self) -> bool:
        """Its writer took something within the last second: it may be slow, but is not stuck."""
        return time.monotonic() - self._took_s < _STUCK_S

    def put(self, batch: Sequence[Any], weights: Sequence[int] | None = None) -> None:
        meter = self._put_meter
        meter.seen += len(batch)
        dropped = self._box.put(batch, weights=weights)
        if dropped:
            meter.lose(Reason.QUEUE_FULL, dropped.count, dropped.size)
        meter.passed += len(batch) - dropped.count

    def _write(self) -> None:
        writer = self._writer
        assert writer is not None
        flushed, size, waits = time.monotonic(), 0, False  # whether something was written since the last flush
        well = True  # and whether all of it was taken
        while True:
            gathers = not self.is_watched
            if gathers and waits and not len(self._box):
                self._box.gather(_FLUSH_S)
            item = self._box.get((0.0 if gathers else _FLUSH_S) if waits else _QUIET_S)
            if item is not None and type(item[1][0]) is Mark:
                self._reached(item[1][0])
            elif item is not None:
                if gathers and not waits:
                    flushed = time.monotonic()  # more may follow
                waits = True
                self._in_hand = item[1]
                size += self._box.taken
                self._meter.seen += len(self._in_hand)
                well &= self._try(lambda batch=item[1]: writer.write(batch))  # type: ignore[misc]
                self._in_hand, self._took_s = (), time.monotonic()
            elif self._box.closed:
                break
            if time.monotonic() - flushed >= _FLUSH_S or size >= _FLUSH_SIZE:
                well &= self._try(writer.flush)
                if well and waits:
                    self._works()
                flushed, size, waits, well = time.monotonic(), 0, False, True
        self._try(writer.close)

    def _try(self, act: Callable[[], None]) -> bool:
        """False where it raised. Whether items of earlier batches are lost, and how many, is known only from Unwritten."""
        lost, failed = 0, False
        try:
            act()
        except BaseException as error:  # also what would end a program: it fails this sink alone
            failed = True
            lost = error.count if isinstance(error, Unwritten) else len(self._in_hand) or 1
            self._meter.lose(Reason.SINK_FAILED, lost)
            why = words_of(error) if isinstance(error, Exception) else f"{type(error).__name__}: {words_of(error)}"
            if self.failure is None:
                self.failure = why
                self.reader_left = isinstance(error, ReaderLeft)
            if self._failing is None:
                self._failing = time.monotonic(), self._meter.lost(Reason.SINK_FAILED) - lost
                if not self._sink.awaits_reader:
                    say(f"sink {self.name} failed, what it cannot take is counted: {why}")
        self._meter.passed += len(self._in_hand) - lost
        return not failed

    def _works(self) -> None:
        """All was taken. A run may go on for months, so the end of a failure is said, and the next failure is said again."""
        if self._failing is None:
            return
        (since_s, before), self._failing = self._failing, None
        lost = self._meter.lost(Reason.SINK_FAILED) - before
        if not self._sink.awaits_reader:
            say(f"sink {self.name} works again after {time.monotonic() - since_s:.0f} s; events lost meanwhile: {lost}")

    def close(self) -> None:
        """No more batches: the thread empties the box and ends."""
        self._box.close()

    def end(self, timeout: float) -> None:
        """Wait until everything is written; what a sink still holds at the deadline is counted as lost."""
        self._thread.join(None if self._sink.awaits_reader else timeout)
        is_stuck = self._thread.is_alive()
        boxed = [item for item in self._box.abandon() if type(item) is not Mark]
        left = [*boxed, *self._in_hand]  # none, where it has ended in order
        if is_stuck or left:
            self._put_meter.lose(Reason.SINK_FAILED, len(left))
            why = f"did not finish in {timeout:.0f} s" if is_stuck else "stopped"
            say(f"sink {self.name} {why}; {len(left)} events lost")
