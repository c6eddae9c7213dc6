"""Sources that are opened before the run that reads them: once, by that run, or by nobody."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from agentsight_rx.core.stream import Stream, origin
from agentsight_rx.errors import CaptureError
from agentsight_rx.events import Origin, ProcessEvent, ProcessFork
from agentsight_rx.graphs import TraceOptions, traced
from agentsight_rx.runtime.run import run
from agentsight_rx.sources import ProcessOptions, Target, TlsOptions
from agentsight_rx.sources.opened import Inputs, SourceOptions, inputs, launched, of_command, opened_ahead

_FORK = ProcessFork(Origin(7, 7), 1, 7)


class _Reader:
    """It emits one event, once its gate is open."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.calls: list[str] = []
        self.gate = threading.Event()
        self._failure = failure
        self._events: list[ProcessEvent] = [_FORK]

    def open(self) -> None:
        self.gate.wait()
        self.calls.append("open")
        if self._failure is not None:
            raise self._failure

    def poll(self, timeout: float, /) -> Sequence[ProcessEvent] | None:
        events, self._events = self._events, []
        return events or None

    def lost(self) -> Sequence[ProcessEvent]:
        return ()

    def close(self) -> Sequence[ProcessEvent]:
        self.calls.append("close")
        return ()


def _fail_behind(opened: Inputs) -> None:
    run(traced(opened, TraceOptions()))
    raise ZeroDivisionError


def _given(reader: _Reader) -> Inputs:
    source: Stream[ProcessEvent] = origin("process", lambda: reader, time_of=lambda event: event.origin.time_ns, live=True)
    return Inputs(process=source)


def test_a_source_is_being_opened_before_its_run_and_opened_once() -> None:
    reader = _Reader()
    with opened_ahead(_given(reader)) as opened:
        assert "open:process" in [thread.name for thread in threading.enumerate()]
        reader.gate.set()
        summary = run(traced(opened, TraceOptions()))
    assert ["open", "close"] == reader.calls
    assert [1] == [meter.seen for meter in summary.ledger if meter.stage == "process"]


def test_a_source_that_no_run_takes_is_closed() -> None:
    reader = _Reader()
    reader.gate.set()
    with pytest.raises(ZeroDivisionError), opened_ahead(_given(reader)):
        raise ZeroDivisionError
    assert ["open", "close"] == reader.calls


def test_a_source_of_a_run_is_closed_by_the_run_alone() -> None:
    reader = _Reader()
    reader.gate.set()
    with pytest.raises(ZeroDivisionError), opened_ahead(_given(reader)) as opened:
        _fail_behind(opened)
    assert ["open", "close"] == reader.calls


def test_what_cannot_be_opened_is_an_error_of_the_run() -> None:
    reader = _Reader(CaptureError("the kernel says no"))
    reader.gate.set()
    with pytest.raises(CaptureError, match="the kernel says no"), opened_ahead(_given(reader)) as opened:
        run(traced(opened, TraceOptions()))
    assert ["open", "close"] == reader.calls


def test_the_sources_that_are_on_are_those_of_the_graph() -> None:
    made = inputs(SourceOptions(process=ProcessOptions(), tls=TlsOptions()))
    assert ["tls", "process"] == [name for name in Inputs.__struct_fields__ if getattr(made, name) is not None]


def test_a_command_is_launched_in_its_group_with_its_files() -> None:
    target = Target(pid=7)
    options = of_command(SourceOptions(tls=TlsOptions(target), process=ProcessOptions(target)), ("/bin/node",), "/group")
    assert TlsOptions(target, candidates=("/bin/node",), group="/group") == options.tls
    assert ProcessOptions(target, launched=True) == options.process
    assert SourceOptions() == launched(SourceOptions())
