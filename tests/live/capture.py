"""A graph -> its events, captured in this process; and programs to capture."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from agentsight_rx.core.sink import Sink
from agentsight_rx.core.stream import Stream
from agentsight_rx.events.loss import Ledger
from agentsight_rx.runtime.run import Run
from agentsight_rx.store.rows.kinds import KeptRow, RowGone
from agentsight_rx.view import Output
from tests.live.gate import waits_at

__all__ = [
    "PATIENCE_S",
    "PROGRAM",
    "Gated",
    "Kept",
    "heed_hangups",
    "running",
    "started",
    "tracing",
    "until",
    "workload",
]

R = TypeVar("R", bound=KeptRow)

PATIENCE_S = float(
    os.environ.get("AGENTSIGHT_PATIENCE_S", 120.0)
)  # a wait that takes longer has failed; a busy machine needs much of it
PROGRAM = (sys.executable, "-m", "agentsight_rx")


class Kept:
    """A sink that keeps all its events."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def sink(self) -> Sink[Any]:
        return Sink("kept", lambda _: self, events=1 << 20, size=1 << 30)

    def open(self, _: Ledger) -> Kept:
        return self

    def write(self, batch: Sequence[Output], /) -> None:
        self.items.extend(batch)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def of(self, *kinds: type) -> list[Any]:
        return [item for item in self.items if isinstance(item, kinds)]

    def rows(self, kind: type[R]) -> list[R]:
        """What is known in the end: the last row of each id that was not taken back, in the order in which the ids came."""
        found: dict[str, R] = {}
        for item in self.items:
            if isinstance(item, RowGone) and isinstance(item.row, kind):
                found.pop(item.row.id, None)
            elif isinstance(item, kind):
                found[item.id] = item
        return list(found.values())


@contextmanager
def running(graph: Stream[Any], *sinks: Sink[Any]) -> Generator[tuple[Run, Kept]]:
    """Run `graph` while the block runs; leaving the block stops it in order."""
    kept = Kept()
    with Run(graph, [kept.sink(), *sinks], on_bug="raise_all") as run:
        yield run, kept


@contextmanager
def started(
    command: Sequence[str], env: dict[str, str] | None = None, *, output: int | None = None
) -> Generator[subprocess.Popen[bytes]]:
    """A process that is killed at the end of the block, also when a test fails. `output` is its stdout and its stderr."""
    with subprocess.Popen(command, env=env, stdout=output, stderr=output) as process:
        try:
            yield process
        finally:
            process.kill()


class Gated:
    """A running program that does nothing until its gate, a file, exists."""

    def __init__(self, process: subprocess.Popen[bytes], gate: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._gate = gate

    def run(self) -> list[bytes]:
        """Open the gate and wait for the end. Returns the lines that it printed, if its output goes to a pipe."""
        self._gate.touch()
        printed, _ = self._process.communicate(timeout=PATIENCE_S)
        assert self._process.returncode == 0
        return (printed or b"").splitlines()


@contextmanager
def workload(name: str, directory: Path, *arguments: str) -> Generator[Gated]:
    """A program of this folder, which takes its gate as first argument."""
    gate = directory / "go"
    command = [sys.executable, "-m", f"tests.live.{name}", str(gate), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            until(lambda: waits_at(gate).exists() or process.poll() is not None)
            yield Gated(process, gate)
        finally:
            process.kill()


@contextmanager
def tracing(*words: str, stdout: int | IO[bytes] = subprocess.PIPE) -> Generator[tuple[subprocess.Popen[str], str]]:
    """Run agentsight-rx with these arguments. Gives the process, once it captures, and what it has printed on stderr so far."""
    command = [*PROGRAM, *words]
    with subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True, preexec_fn=heed_hangups) as tracer:
        try:
            assert tracer.stderr is not None
            printed = ""
            while "capturing" not in printed:
                line = tracer.stderr.readline()
                assert line, f"the tracer ended with {tracer.wait()}: {printed}"
                printed += line
            yield tracer, printed
        finally:
            tracer.kill()


def heed_hangups() -> None:
    """Run in a new process before its program: SIGHUP ends it, also where the tests run under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def until(condition: Callable[[], object]) -> None:
    """
    Wait for `condition`; the test fails if it does not come true in time. A condition that starts a program is asked seldom:
    most of the time is left to what it waits for.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        begun = time.monotonic()
        if condition():
            return
        now = time.monotonic()
        assert now < deadline, "waited in vain"
        time.sleep(max(0.01, 2 * (now - begun)))
