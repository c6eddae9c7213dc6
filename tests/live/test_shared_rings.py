"""Runs of one process that watch the same processes: their sources share a tracker and its rings, in threads of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agentsight_rx import sources
from agentsight_rx.events import FileEvent, Loss, ProcessExit, StdioChunk
from agentsight_rx.sources import FileOptions, ProcessOptions, StdioOptions, Target
from tests.live.capture import PATIENCE_S, running, started

pytestmark = pytest.mark.live

ROUNDS = 300
WORK = """\
import os, sys, time
go = sys.argv[1]
while not os.path.exists(go): time.sleep(0.01)
for number in range({rounds}):
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {{}}), 0)
    file = os.open(go, os.O_RDONLY)
    os.read(file, 100)
    os.close(file)
    os.write(1, b"%08d" % number)
"""


def test_each_run_gets_all_of_its_sources(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with (
        started([sys.executable, "-c", WORK.format(rounds=ROUNDS), str(go)], output=subprocess.PIPE) as worker,
        running(sources.process(ProcessOptions(Target(worker.pid)))) as (one, processes),
        running(sources.stdio(StdioOptions(Target(worker.pid)))) as (two, pipes),
        running(sources.files(FileOptions(Target(worker.pid)))) as (three, files),
    ):
        go.write_bytes(b"x" * 7)
        assert worker.wait(PATIENCE_S) == 0
        summaries = [run.stop() for run in (two, one, three)]
    assert all(summary.complete for summary in summaries)
    assert [] == [*processes.of(Loss), *pipes.of(Loss), *files.of(Loss)]
    assert ROUNDS + 1 == len(processes.of(ProcessExit))
    sent = b"".join(b"%08d" % number for number in range(ROUNDS))
    assert sent == b"".join(chunk.data for chunk in pipes.of(StdioChunk))
    assert ROUNDS * 7 == sum(each.read_bytes for each in files.of(FileEvent) if each.path == str(go))
