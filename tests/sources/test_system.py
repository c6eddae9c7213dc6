"""Samples of processes of our own and of a made-up /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from agentsight_rx.errors import CaptureError, UsageError
from agentsight_rx.events import SystemEvent, SystemSample, SystemWide
from agentsight_rx.sources.system import SystemOptions, _Family, _stat, _SystemReader  # pyright: ignore[reportPrivateUsage]
from agentsight_rx.sources.target import Target

BUSY = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
print(child.pid, flush=True)
child.wait()
"""


@pytest.fixture
def family() -> Generator[tuple[int, int]]:
    """A process that waits for a child that keeps a core busy."""
    parent = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    yield parent.pid, child
    os.kill(child, 9)
    parent.wait()
    parent.stdout.close()


def samples(reader: _SystemReader, count: int) -> list[SystemEvent]:
    out: list[SystemEvent] = []
    while len(out) < count:
        batch = reader.poll(0.05)
        if batch is None:
            break
        out += batch
    return out


def test_a_family_is_one_sum(family: tuple[int, int]) -> None:
    parent, _ = family
    reader = _SystemReader(SystemOptions(Target(parent), 0.1, cpu_threshold=1.0))
    reader.open()
    (first,) = samples(reader, 1)
    assert isinstance(first, SystemSample)
    assert first.cpu_percent is None
    assert not first.alert
    last: SystemEvent = first
    while isinstance(last, SystemSample) and not last.cpu_percent:  # beside other programs it may get no time for one interval
        (last,) = samples(reader, 1)
    assert isinstance(last, SystemSample)
    assert last.processes == 2
    assert last.origin.pid == parent
    assert last.cpu_percent is not None
    assert last.cpu_percent > 1
    assert last.alert
    assert last.rss_bytes > 1 << 20
    assert last.threads >= 2
    assert last.fds >= 3


def test_without_children_only_the_process_counts(family: tuple[int, int]) -> None:
    parent, _ = family
    reader = _SystemReader(SystemOptions(Target(parent, children=False), 0.05))
    reader.open()
    (sample,) = samples(reader, 1)
    assert isinstance(sample, SystemSample)
    assert sample.processes == 1


def test_a_target_that_ends_is_the_end_of_the_source() -> None:
    process = subprocess.Popen(["/bin/sleep", "60"])
    reader = _SystemReader(SystemOptions(Target(process.pid), 0.01))
    reader.open()
    assert len(samples(reader, 1)) == 1
    process.kill()
    process.wait()
    while (batch := reader.poll(0.05)) is not None:
        assert batch == ()


def test_a_pid_that_is_gone_and_an_interval_of_nothing_are_refused() -> None:
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    with pytest.raises(CaptureError, match=f"no process {process.pid}"):
        _SystemReader(SystemOptions(Target(process.pid))).open()
    with pytest.raises(UsageError, match=r"^SystemOptions\(interval=0\): expected float above 0$"):
        SystemOptions(interval=0)


def test_without_a_target_it_is_the_machine() -> None:
    reader = _SystemReader(SystemOptions(interval=0.01))
    reader.open()
    (sample,) = samples(reader, 1)
    assert isinstance(sample, SystemWide)
    assert sample.total_bytes > sample.available_bytes > 0
    assert sample.origin.comm == "system"


def test_a_pid_that_comes_back_is_another_process(tmp_path: Path) -> None:
    def write(start: int, ticks: int) -> None:
        folder = tmp_path / "7" / "task" / "7"
        folder.mkdir(parents=True, exist_ok=True)
        (tmp_path / "7" / "stat").write_text(f"7 (a ) b) S 1 7 7 0 -1 0 0 0 0 0 {ticks} 0 0 0 20 0 1 0 {start} 4096 10 0\n")
        (folder / "children").write_text("")

    write(100, 50)
    stat = _stat(tmp_path, 7)
    assert stat is not None
    assert stat.comm == "a ) b"
    family = _Family(stat, children=True)
    now = time.monotonic_ns()
    assert family.sample(tmp_path, now, SystemOptions()) is not None
    write(200, 1)
    assert family.sample(tmp_path, now + 1, SystemOptions()) is None
