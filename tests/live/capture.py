"""A graph, run for real in this process -> everything that came out of it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from agentsight_rx.core.sink import Sink
from agentsight_rx.core.stream import Stream
from agentsight_rx.loss import Ledger
from agentsight_rx.runtime import Run
from agentsight_rx.view import Output

__all__ = ["Kept", "needs_root", "running", "started", "until"]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="loading BPF programs needs root")


class Kept:
    """A sink that keeps what it gets."""

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


@contextmanager
def running(graph: Stream[Any], *sinks: Sink[Any]) -> Generator[tuple[Run, Kept]]:
    """Run `graph` while the block runs; leaving the block stops it in order."""
    kept = Kept()
    with Run(graph, [kept.sink(), *sinks], strict=True) as run:
        yield run, kept


@contextmanager
def started(command: Sequence[str], env: dict[str, str] | None = None) -> Generator[subprocess.Popen[bytes]]:
    """A process that is ended when the block is left, also by a failing test."""
    with subprocess.Popen(command, env=env) as process:
        try:
            yield process
        finally:
            process.kill()


def until(condition: Callable[[], object], *, seconds: float = 30.0) -> None:
    """Wait for `condition`; the test fails if it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
