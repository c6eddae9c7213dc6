"""
The shared test of sinks: for any input and with any failure, a sink must keep the promises that all sinks make.

    check_sink(of_file(jsonl), tmp_path)
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from agentsight_rx.core.sink import Sink, Writer
from agentsight_rx.core.stream import origin
from agentsight_rx.errors import SinkError, StoreError
from agentsight_rx.events import AnswerProgress, Event, Tick
from agentsight_rx.events.loss import Ledger, Meter, Reason
from agentsight_rx.runtime import run as runtime
from agentsight_rx.runtime.run import Run, Summary
from agentsight_rx.view import CallRow, Fold, Output
from property_tests.quick import fewer
from property_tests.strategies import batches_of, model_events
from tests.samples import OUTPUTS, sample

__all__ = ["Place", "SinkCase", "check_sink", "of_file"]

_PATIENCE_S = 30.0  # a sink that gets nothing in this time is broken
_EXAMPLES = 12
_ITEMS = (*OUTPUTS, replace(sample(CallRow), id="llm-1", status="complete", more=False))  # the call has ended
_BATCHES = (_ITEMS[::3], _ITEMS[1::3], _ITEMS[2::3])


class Place(Struct, frozen=True):
    """A sink, and how to read what it has written, once it is closed and without times of day."""

    sink: Sink[Any]
    read: Callable[[], object]


class SinkCase(Struct, frozen=True):
    """
    One sink and what its author knows about it.

    `place` makes the sink in an empty directory. `refused` makes a sink that cannot be opened there; None: it always can be.
    """

    place: Callable[[Path], AbstractContextManager[Place]]
    refused: Callable[[Path], Sink[Any]] | None = None


def of_file(sink: Callable[[Path], Sink[Any]]) -> SinkCase:
    """A sink that writes one file."""

    @contextmanager
    def place(directory: Path) -> Generator[Place]:
        path = directory / "out"
        yield Place(sink(path), path.read_bytes)

    return SinkCase(place, refused=lambda directory: sink(directory / "missing" / "out"))


def check_sink(case: SinkCase, directory: Path) -> None:
    """Raise an AssertionError that names the promise which the sink breaks."""
    trial = _Trial(case, directory)
    trial.it_takes_every_kind_of_event_and_row()
    trial.any_cutting_gives_the_same()
    trial.a_write_that_raises_costs_its_batch()
    trial.a_sink_that_always_raises_costs_what_it_got()
    trial.a_flush_that_raises_costs_nothing_that_was_written()
    trial.a_close_that_raises_is_counted()
    trial.a_slow_sink_delays_no_other()
    trial.a_sink_that_hangs_is_left_behind()
    trial.a_sink_that_cannot_be_opened_is_refused()


class _Trial:
    """One sink and a directory for it."""

    def __init__(self, case: SinkCase, directory: Path) -> None:
        self.case = case
        self._directories = (directory / str(number) for number in itertools.count())

    def directory(self) -> Path:
        made = next(self._directories)
        made.mkdir()
        return made

    # -- the writer by itself ------------------------------------------------------------------------------------------

    def written(self, batches: Sequence[Sequence[Any]], *, flush: bool = False) -> object:
        """What a sink has written after it got `batches` and was closed."""
        with self.case.place(self.directory()) as place:
            writer = place.sink.open(Ledger())
            try:
                for batch in batches:
                    writer.write(batch)
                    if flush:
                        writer.flush()
            finally:
                writer.close()
            return place.read()

    def it_takes_every_kind_of_event_and_row(self) -> None:
        for item in _ITEMS:
            self.written([[item]])

    def any_cutting_gives_the_same(self) -> None:
        @settings(
            max_examples=fewer(_EXAMPLES),
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(model_events().map(_folded), st.data())
        def gives_the_same(items: list[Output], data: st.DataObject) -> None:
            whole = self.written([items])
            batches = data.draw(batches_of(items), "batches")
            assert whole == self.written([[item] for item in items]), "any cutting into batches gives the same"
            assert whole == self.written(batches), "any cutting into batches gives the same"
            assert whole == self.written([[], items, []]), "empty batches change nothing"
            assert whole == self.written([[], *batches], flush=True), "a flush changes nothing"

        gives_the_same()

    # -- in a run, beside another sink ---------------------------------------------------------------------------------

    def a_write_that_raises_costs_its_batch(self) -> None:
        first, second, third = _BATCHES
        ran = self.run(_RaisesOnce)
        assert ran.lost == len(second), "the ledger says how much was not written"
        assert ran.read == self.written([first, third]), "a write that raises costs no other batch"

    def a_sink_that_always_raises_costs_what_it_got(self) -> None:
        ran = self.run(_RaisesAlways)
        assert ran.lost == len(_ITEMS) + 1, "the ledger says how much was not written; a close counts as 1"
        assert ran.read == self.written([])

    def a_flush_that_raises_costs_nothing_that_was_written(self) -> None:
        ran = self.run(_RaisesInFlush, wait_for_failure=True)
        assert ran.lost == ran.writer.raised, "each flush that fails counts as 1"
        assert ran.read == self.written(_BATCHES), "a flush that raises costs nothing that was written"

    def a_close_that_raises_is_counted(self) -> None:
        ran = self.run(_RaisesInClose)
        assert ran.lost == 1, "a close that fails counts as 1"
        assert ran.read == self.written(_BATCHES)

    def a_slow_sink_delays_no_other(self) -> None:
        ran = self.run(_Waits, room=len(_ITEMS) // 2)
        put, meter = ran.put_meter, ran.meter
        assert put.seen == put.passed + put.lost(Reason.QUEUE_FULL) == len(_ITEMS), "what has no room is counted"
        assert put.lost(Reason.QUEUE_FULL) > 0, "what has no room is counted"
        assert (meter.seen, meter.passed, ran.lost) == (put.passed, put.passed, 0), "what has room is written"
        assert ran.read == self.written(ran.writer.taken), "what has room is written"

    def a_sink_that_hangs_is_left_behind(self) -> None:
        with mock.patch.object(runtime, "_DRAIN_S", 0.2):
            ran = self.run(_Waits, hang=True)
        assert ran.put_meter.lost(Reason.SINK_FAILED) == len(_ITEMS), "the ledger says how much was not written"

    def a_sink_that_cannot_be_opened_is_refused(self) -> None:
        if self.case.refused is None:
            return
        other = _Kept()
        sinks = [other.sink(), self.case.refused(self.directory())]
        with pytest.raises((SinkError, StoreError)), Run(_Held(()).stream(), sinks):
            pass
        assert other.closed, "a run that could not begin closes its sinks"

    def run(self, kind: type[_Faulty], *, wait_for_failure: bool = False, room: int = 65_536, hang: bool = False) -> _Ran:
        """A run into the sink, wrapped, and into another one, which must get everything."""
        other, made = _Kept(), list[_Faulty]()
        with self.case.place(self.directory()) as place:

            def opened(ledger: Ledger) -> Writer[Any]:
                made.append(kind(place.sink.open(ledger)))
                return made[0]

            sink = Sink(place.sink.name, opened, events=room, wants=frozenset({AnswerProgress, Tick}))
            held = _Held(_BATCHES)
            with Run(held.stream(), [sink, other.sink()], on_bug="raise_all") as run:
                assert other.all.wait(_PATIENCE_S), "the other sink of the run gets everything"
                (writer,) = made
                if wait_for_failure:
                    assert writer.failed.wait(_PATIENCE_S), "a run flushes its sinks"
                if not hang:
                    writer.gate.set()
                held.end.set()
                run.wait(_PATIENCE_S)
                summary = run.stop()
                writer.gate.set()
            _ended(f"write:{place.sink.name}")
            assert other.items == list(itertools.chain(*_BATCHES)), "the other sink of the run gets everything"
            named = f"sink {place.sink.name}: "
            assert all(failure.startswith(named) for failure in summary.failures), (
                "a failing sink is the only failure of the run"
            )
            return _Ran(place.sink.name, summary, writer, None if hang else place.read())


class _Ran(Struct, frozen=True):
    """A run that is over, and what the sink under test has written."""

    name: str
    summary: Summary
    writer: _Faulty
    read: object

    @property
    def meter(self) -> Meter:
        """Counts of the sink."""
        return self._meter(self.name)

    @property
    def put_meter(self) -> Meter:
        """Counts of the box in front of the sink."""
        return self._meter(f"to {self.name}")

    @property
    def lost(self) -> int:
        return self.meter.lost(Reason.SINK_FAILED)

    def _meter(self, stage: str) -> Meter:
        return next(meter for meter in self.summary.ledger if meter.stage == stage)


def _ended(name: str) -> None:
    """Wait for a thread of that name."""
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(_PATIENCE_S)
            assert not thread.is_alive()


def _folded(events: Sequence[Event]) -> list[Output]:
    """The events and their rows, as they come out of a graph, and one of each kind."""
    fold = Fold()
    items = [item for event in events for item in (event, *fold.add(event))]
    return [*items, *_ITEMS, *fold.finish()]


class _Held:
    """A live source of `batches`, which waits for no sink, that ends when it is asked to."""

    def __init__(self, batches: Sequence[Sequence[Any]]) -> None:
        self.end = threading.Event()
        self._batches = list(batches)

    def stream(self) -> Any:
        return origin("held", lambda: self, time_of=None, live=True)

    def open(self) -> None:
        pass

    def poll(self, timeout: float, /) -> Sequence[Any] | None:
        if self._batches:
            return self._batches.pop(0)
        return None if self.end.wait(timeout) else ()

    def lost(self) -> Sequence[Any]:
        return ()

    def close(self) -> Sequence[Any]:
        return ()


class _Kept:
    """The other sink of the run: keeps what it gets."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.all = threading.Event()
        self.closed = False

    def sink(self) -> Sink[Any]:
        return Sink("other", self._open, wants=frozenset({AnswerProgress, Tick}))

    def _open(self, _: Ledger) -> _Kept:
        return self

    def write(self, batch: Sequence[Any], /) -> None:
        self.items += batch
        if len(self.items) == len(_ITEMS):
            self.all.set()

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


# -- writers, each with one fault -----------------------------------------------------------------------------------------


class _Faulty:
    """The writer of the sink under test, wrapped."""

    def __init__(self, writer: Writer[Any]) -> None:
        self.taken: list[Sequence[Any]] = []
        self.raised = 0
        self.failed = threading.Event()
        self.gate = threading.Event()
        self._writer = writer

    def fail(self) -> None:
        self.raised += 1
        self.failed.set()
        raise ArithmeticError("no more paper")

    def write(self, batch: Sequence[Any], /) -> None:
        self._writer.write(batch)
        self.taken.append(batch)

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class _RaisesOnce(_Faulty):
    def write(self, batch: Sequence[Any], /) -> None:
        if batch == _BATCHES[1]:
            self.fail()
        super().write(batch)


class _RaisesAlways(_Faulty):
    def write(self, batch: Sequence[Any], /) -> None:
        self.fail()

    def close(self) -> None:
        super().close()
        self.fail()


class _RaisesInFlush(_Faulty):
    def flush(self) -> None:
        super().flush()
        self.fail()


class _RaisesInClose(_Faulty):
    def close(self) -> None:
        super().close()
        self.fail()


class _Waits(_Faulty):
    """Waits in each write until the test continues."""

    def write(self, batch: Sequence[Any], /) -> None:
        assert self.gate.wait(_PATIENCE_S)
        super().write(batch)
