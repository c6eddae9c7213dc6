"""A program does a known list of things to files: what the kernel told us is that list, entry by entry."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx import operators as op
from agentsight_rx import sources
from agentsight_rx.events import FileEvent
from agentsight_rx.sources import FileOptions, Target

from .capture import needs_root, running
from .file_workload import REPEATS

pytestmark = [pytest.mark.live, needs_root]

_Key = tuple[int, str, str, str, int, int, bool]
_Sums = tuple[int, int, int]


def test_every_operation_comes_out_with_its_path_its_outcome_and_its_bytes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.live.file_workload", str(tmp_path / "go"), str(tmp_path / "files")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as workload:
        try:
            graph = sources.files(FileOptions(Target(workload.pid))).pipe(op.normalize())
            with running(graph) as (run, kept):
                (tmp_path / "go").touch()
                truth = [json.loads(line) for line in workload.communicate(timeout=60)[0].splitlines()]
                summary = run.stop()
        finally:
            workload.kill()
    assert workload.returncode == 0
    assert summary.complete, summary.failures
    events = kept.of(FileEvent)
    expected = _summed((tuple(line[:7]), (1, line[7], line[8])) for line in truth)
    seen = _summed(
        (
            (each.origin.pid, each.action, _shallow(each.path), each.target, each.flags, each.error, each.lexical),
            (each.count, each.read_bytes, each.written_bytes),
        )
        for each in events
        if _of_the_list(each, tmp_path)
    )
    assert list(expected) == list(seen)
    assert expected == seen
    assert len({each.start_ns for each in events if each.origin.pid == workload.pid}) == 1
    again = [each for each in events if each.path == str(tmp_path / "files/many")]
    assert len(again) < REPEATS / 10


def _of_the_list(event: FileEvent, directory: Path) -> bool:
    """Not what Python does at a fork, what a shell opens to start, or the look at the gate."""
    if event.origin.comm == "sh":
        return event.action == "close" and event.path == str(directory / "files/dup")
    return event.path not in (str(directory / "go"), f"/proc/{event.origin.pid}/stat")


def _summed(entries: Iterable[tuple[Any, _Sums]]) -> dict[_Key, _Sums]:
    sums: dict[_Key, _Sums] = {}
    for key, (count, read, written) in entries:
        before = sums.get(key, (0, 0, 0))
        sums[key] = before[0] + count, before[1] + read, before[2] + written
    return sums


def _shallow(path: str) -> str:
    """Directories deeper than 100 are one and the same."""
    return "…" if path.count("/d") > 100 else path
