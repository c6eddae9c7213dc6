"""
The shared test of sources: over input that harms nothing, a source must keep the promises that all sources make.

    check_source(SourceCase(lambda scene: replay(ReplayOptions((scene.file(LINE),))), source="process"), tmp_path)
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from msgspec import Struct

from agentsight_rx.core.engine import Engine
from agentsight_rx.core.hub import Hub, Reader
from agentsight_rx.core.merge import merge
from agentsight_rx.core.sink import Sink
from agentsight_rx.core.stream import Stream, origin
from agentsight_rx.errors import CaptureError
from agentsight_rx.events import Loss, Origin, Tick, time_of
from agentsight_rx.events.envelope import decode_envelope, encode_line
from agentsight_rx.events.loss import Ledger, Reason
from agentsight_rx.runtime.run import Run, Summary

__all__ = ["Scene", "SourceCase", "check_source"]

W = TypeVar("W", bound="_Watched")

_PATIENCE_S = 30.0  # a source that shows nothing in this time is broken
_BY_ITSELF = ("end of input", "graph")  # how a run ends whose source has ended

# Waits for a line, then runs a program, opens a file and a socket, asks over TCP, writes to a pipe: something for each source
_SLEEPER = """
import socket, subprocess, sys
for word in sys.stdin:
    subprocess.run(["true"])
    open("/dev/null").close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as place:
        place.bind(("127.0.0.1", 0))
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        client.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
    print("done", flush=True)
"""


class Scene:
    """What a source may read: a file of this test, and a process of this test that sleeps until `wake` is called."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "input"
        self.start_ns = time.monotonic_ns()
        self._sleeper: subprocess.Popen[bytes] | None = None

    def file(self, *lines: bytes) -> str:
        """The path of the file, which now holds these lines."""
        self.path.write_bytes(b"".join(line + b"\n" for line in lines))
        return str(self.path)

    def append(self, line: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(line + b"\n")

    @property
    def pid(self) -> int:
        """The process that sleeps."""
        return self._process().pid

    def wake(self) -> None:
        """The process runs a program, opens a file and a socket, asks over TCP, and writes to a pipe; then it sleeps again."""
        process = self._process()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"done\n"

    def _process(self) -> subprocess.Popen[bytes]:
        if self._sleeper is None:
            command = [sys.executable, "-c", _SLEEPER]
            self._sleeper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.wake()  # so that Python has started when a source first looks at it
        return self._sleeper

    def close(self) -> None:
        if self._sleeper is not None:
            self._sleeper.kill()
            self._sleeper.communicate()


class SourceCase(Struct, frozen=True):
    """
    One source and what its author knows about it.

    `stream` makes the source over the scene. `source` is the field of that name in the envelopes of its events. `act` makes
    something happen that the source sees; None: its events come without it. `ends`: its input has an end. `silent`: nothing in
    the scene has an event for this source. `refused` makes the source over input that it cannot open.
    """

    stream: Callable[[Scene], Stream[Any]]
    source: str
    act: Callable[[Scene], None] | None = None
    ends: bool = False
    silent: bool = False
    refused: Callable[[Scene], Stream[Any]] | None = None


def check_source(case: SourceCase, directory: Path) -> None:
    """Raise an AssertionError that names the promise which `case.stream` breaks."""
    scene = Scene(directory)
    try:
        trial = _Trial(case, scene)
        trial.it_opens_reads_and_closes()
        trial.a_run_stops_when_asked_and_keeps_what_was_read()
        trial.a_slow_poll_costs_no_event()
        trial.a_poll_that_raises_ends_the_run_with_what_was_read(ArithmeticError("broken"), "the reader stopped: ")
        trial.a_poll_that_raises_ends_the_run_with_what_was_read(CaptureError("the ring is gone"), "the ring is gone")
        trial.a_close_that_raises_is_reported()
        trial.an_open_that_fails_leaves_nothing_running()
    finally:
        scene.close()


class _Trial:
    """One source on its scene."""

    def __init__(self, case: SourceCase, scene: Scene) -> None:
        self.case = case
        self.scene = scene

    def act(self) -> None:
        if self.case.act is not None:
            self.case.act(self.scene)

    # -- the reader by itself ------------------------------------------------------------------------------------------

    def it_opens_reads_and_closes(self) -> None:
        engine, outlets = Engine(), (_Outlet(), _Outlet())
        stream = self.case.stream(self.scene)
        for outlet in outlets:
            stream.attach(engine, outlet)
        assert len(engine.hubs) == 1, "two subscriptions in one run share one reader"
        (hub,) = engine.hubs
        hub.reader.open()
        assert all(outlet.events == [] for outlet in outlets), "open emits nothing"
        events = self.read(hub.reader)
        if not self.case.ends:
            self.act()
        rest = _checked(hub.reader.close(), "close")
        if self.case.ends:
            assert not _seen(rest), "poll returns None only at the end"
        elif self.case.act is not None:
            assert rest, "close returns the events that were still under way"
        again = hub.reader.close()
        assert list(again) == [], "a second close changes nothing"
        for event in (*events, *rest):
            self.is_sound(event, hub)
        with engine:
            engine.push(hub, [*events, *rest])
            engine.end(hub)
        assert outlets[0].events == _untimed([*events, *rest]) == outlets[1].events, "each subscription gets every event"
        assert _lost(events + rest) == _entries(engine.ledger), "each loss is in the ledger"

    def read(self, reader: Reader[Any]) -> list[Any]:
        """What `poll` and `lost` return: up to the end, else up to the first event."""
        events: list[Any] = []
        self.act()
        deadline, polls = time.monotonic() + _PATIENCE_S, 0
        while self.case.ends or not (_seen(events) or (self.case.silent and polls > 2)):
            assert time.monotonic() < deadline, "no event came"
            polls += 1
            batch = reader.poll(0.05)
            lost = _checked(reader.lost(), "lost")
            assert all(isinstance(event, Loss) for event in lost), "lost returns Loss events only"
            events += [*(() if batch is None else _checked(batch, "poll")), *lost]
            if batch is None:
                assert self.case.ends, "poll returns None only at the end"
                assert _seen(events), "no event came"
                assert reader.poll(0.0) is None, "poll returns None only at the end"
                break
        return events

    def is_sound(self, event: Any, hub: Hub[Any]) -> None:
        assert event.origin.time_ns > 0, "every event has a time"
        assert event.origin.pid >= 0, "every event has a pid; 0: of the whole machine, or unknown"
        assert hub.time_of is not None, "a source says what the time of an event is: time_of=time_of"
        assert hub.time_of(event) == event.origin.time_ns, "a source says what the time of an event is: time_of=time_of"
        if hub.live:
            now_ns = time.monotonic_ns()
            assert self.scene.start_ns <= event.origin.time_ns <= now_ns, "times are those of time.monotonic_ns()"
        envelope = msgspec.json.decode(encode_line(event))
        assert decode_envelope(envelope) == event, "an event comes back from its envelope"
        if not isinstance(event, Loss | Tick):
            assert envelope["source"] == self.case.source, "the source of its envelope: see the table in envelope.py"

    # -- in a run ------------------------------------------------------------------------------------------------------

    def a_run_stops_when_asked_and_keeps_what_was_read(self) -> None:
        reader = self.watched(_Losing)
        summary, kept = self.run(reader, until_seen=True)
        assert summary.ended_by in (("asked", *_BY_ITSELF) if self.case.ends else ("asked",)), "a run stops when it is asked"
        assert summary.failures == (), "a run without a failure reports none"
        assert kept == _untimed(reader.given), "every event that was read is in the sink"
        assert _lost(reader.given) == _entries(summary.ledger), "each loss is in the ledger"

    def a_slow_poll_costs_no_event(self) -> None:
        reader = self.watched(_Slow)
        summary, kept = self.run(reader, then=reader.gate.set)
        assert summary.failures == (), "a slow poll is no failure"
        assert kept == _untimed(reader.given), "a slow poll costs no event"
        assert self.case.silent or self.case.act is None or _seen(kept), "a slow poll costs no event"

    def a_poll_that_raises_ends_the_run_with_what_was_read(self, error: Exception, report: str) -> None:
        reader = self.watched(_Raising)
        reader.error, reader.at_once = error, self.case.silent
        summary, kept = self.run(reader, by_itself=True)
        (failure,) = summary.failures
        assert failure.startswith(f"{reader.name}: "), "a failure names its source"
        assert report in failure, "a failure says what was raised"
        assert summary.ended_by in _BY_ITSELF, "a reader that raises ends its source"
        assert kept == _untimed(reader.given), "what was read before a failure is kept"
        assert reader.closed == 1, "a reader that raised is closed, once"

    def a_close_that_raises_is_reported(self) -> None:
        reader = self.watched(_Sticking)
        summary, kept = self.run(reader, until_seen=True)
        (failure,) = summary.failures
        assert failure.startswith(f"{reader.name}: the reader did not close"), "a close that raises is a failure of the run"
        assert kept == _untimed(reader.given), "what was read before a failure is kept"

    def an_open_that_fails_leaves_nothing_running(self) -> None:
        reader = self.watched(_Watched)
        broken = origin("broken", _Refusing, time_of=time_of)
        self.is_refused(merge(reader.stream(), broken))
        assert reader.closed == reader.opened == 1, "a source is closed where another one cannot be opened"
        if self.case.refused is not None:
            self.is_refused(self.case.refused(self.scene))

    def is_refused(self, stream: Stream[Any]) -> None:
        kept = _Kept()
        with pytest.raises(CaptureError), Run(stream, [kept.sink()]):
            pass
        assert _running() == [], "a run that could not begin leaves no thread"
        assert kept.closed == 1, "a run that could not begin closes its sinks"

    def watched(self, kind: type[W]) -> W:
        """A new reader of the source, wrapped."""
        engine = Engine()
        self.case.stream(self.scene).attach(engine, _Outlet())
        (hub,) = engine.hubs
        return kind(hub)

    def run(
        self,
        reader: _Watched,
        *,
        until_seen: bool = False,
        by_itself: bool = False,
        then: Callable[[], None] | None = None,
    ) -> tuple[Summary, list[Any]]:
        """A run over the wrapped reader: its summary, and what the sink got."""
        kept = _Kept()
        with Run(reader.stream(), [kept.sink()], on_bug="raise_all") as run:
            self.act()
            assert not until_seen or self.case.silent or kept.seen.wait(_PATIENCE_S), "no event came"
            if by_itself:
                assert run.wait(_PATIENCE_S) in _BY_ITSELF, "a reader that raises ends its source"
            else:
                run.end("asked")
            if then is not None:
                then()
            summary = run.stop()
        assert _running() == [], "a run that has stopped leaves no thread"
        return summary, kept.events


class _Outlet:
    """A subscriber that keeps what it gets."""

    singles = 0

    def __init__(self) -> None:
        self.events: list[Any] = []

    def on_batch(self, batch: Sequence[Any], /) -> None:
        self.events += batch

    def on_completed(self) -> None:
        pass

    def on_error(self, error: Exception, /) -> None:
        raise error


class _Kept:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.seen = threading.Event()
        self.closed = 0

    def sink(self) -> Sink[Any]:
        return Sink("kept", self._open)

    def _open(self, _: Ledger) -> _Kept:
        return self

    def write(self, batch: Sequence[Any], /) -> None:
        self.events += batch
        if _seen(batch):
            self.seen.set()

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed += 1


# -- readers, each with one fault -----------------------------------------------------------------------------------------


class _Watched:
    """A reader that remembers what it returned."""

    def __init__(self, hub: Hub[Any]) -> None:
        self.name = hub.name
        self.given: list[Any] = []
        self.opened = 0
        self.closed = 0
        self._hub = hub

    def stream(self) -> Stream[Any]:
        hub = self._hub
        return origin(hub.name, lambda: self, time_of=hub.time_of, live=hub.live)

    def open(self) -> None:
        self._hub.reader.open()
        self.opened += 1

    def poll(self, timeout: float, /) -> Sequence[Any] | None:
        batch = self._hub.reader.poll(timeout)
        self.given += batch or ()
        return batch

    def lost(self) -> Sequence[Any]:
        lost = self._hub.reader.lost()
        self.given += lost
        return lost

    def close(self) -> Sequence[Any]:
        self.closed += 1
        rest = self._hub.reader.close()
        self.given += rest
        return rest


class _Losing(_Watched):
    """Loses something at its first poll."""

    def lost(self) -> Sequence[Any]:
        lost = super().lost()
        if not any(isinstance(event, Loss) and event.stage == "losing" for event in self.given):
            loss = Loss(Origin(time.monotonic_ns(), 0), "losing", reason=Reason.KERNEL_LOST, count=3, size=40)
            self.given.append(loss)
            return [*lost, loss]
        return lost


class _Slow(_Watched):
    """Waits in each poll until the test continues."""

    def __init__(self, hub: Hub[Any]) -> None:
        super().__init__(hub)
        self.gate = threading.Event()

    def poll(self, timeout: float, /) -> Sequence[Any] | None:
        assert self.gate.wait(_PATIENCE_S)
        return super().poll(timeout)


class _Raising(_Watched):
    """Raises once an event was read, or at once."""

    error: Exception
    at_once: bool

    def poll(self, timeout: float, /) -> Sequence[Any] | None:
        if self.at_once or _seen(self.given):
            raise self.error
        return super().poll(timeout)


class _Sticking(_Watched):
    """Closes, then raises: its last events are lost."""

    def close(self) -> Sequence[Any]:
        self._hub.reader.close()
        raise ArithmeticError("it sticks")


class _Refusing:
    """A reader that cannot be opened."""

    def open(self) -> None:
        raise CaptureError("not here")

    def poll(self, timeout: float, /) -> None:
        raise AssertionError("polled, but never opened")

    def lost(self) -> Sequence[Any]:
        raise AssertionError("asked for losses, but never opened")

    def close(self) -> Sequence[Any]:
        raise AssertionError("closed, but never opened")


# -- what was read ---------------------------------------------------------------------------------------------------------


def _checked(batch: Any, by: str) -> list[Any]:
    assert isinstance(batch, list | tuple), f"{by} returns a sequence of events"
    return [*batch]


def _running() -> list[str]:
    """The threads of runs."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("read:", "engine", "write:"))]


def _seen(events: Sequence[Any]) -> bool:
    return any(not isinstance(event, Loss | Tick) for event in events)


def _untimed(events: Sequence[Any]) -> list[Any]:
    """The events without ticks, which a run does not deliver."""
    return [event for event in events if not isinstance(event, Tick)]


def _lost(events: Sequence[Any]) -> dict[tuple[str, Reason], tuple[int, int]]:
    """Count and bytes of the losses among `events`."""
    sums: dict[tuple[str, Reason], tuple[int, int]] = {}
    for event in events:
        if isinstance(event, Loss):
            count, size = sums.get((event.stage, event.reason), (0, 0))
            sums[event.stage, event.reason] = (count + event.count, size + event.size)
    return sums


def _entries(ledger: Ledger) -> dict[tuple[str, Reason], tuple[int, int]]:
    return {(entry.stage, entry.reason): (entry.count, entry.size) for entry in ledger.entries()}
