"""A program does a known list of operations on files: the events are that list, entry by entry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx import operators as op
from agentsight_rx import sources
from agentsight_rx.events import FileEvent, Loss
from agentsight_rx.events.loss import Reason
from agentsight_rx.sources import FileOptions, Target
from tests.live.capture import PATIENCE_S, running, started, workload
from tests.live.file_workload import REPEATS

ROUNDS = 4999  # of two records each; 8 KiB hold fewer than 40 records

pytestmark = pytest.mark.live

_Key = tuple[int, str, str, str, int, int, bool]
_Sums = tuple[int, int, int]


def test_every_operation_is_emitted_with_path_outcome_and_bytes(tmp_path: Path) -> None:
    with workload("file_workload", tmp_path, str(tmp_path / "files")) as program:
        graph = sources.files(FileOptions(Target(program.pid))).pipe(op.normalize())
        with running(graph) as (run, kept):
            truth = [json.loads(line) for line in program.run()]
            summary = run.stop()
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
    assert len({each.start_ns for each in events if each.origin.pid == program.pid}) == 1
    again = [each for each in events if each.path == str(tmp_path / "files/many")]
    assert len(again) < REPEATS / 10


def test_an_open_says_whether_the_file_was_there(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("before\n")
    script = f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; echo 1 >>{old}; echo 1 >>{new}; echo 2 >>{new}; ls {tmp_path}"
    with started(["/bin/sh", "-c", script]) as shell, running(sources.files(FileOptions(Target(shell.pid)))) as (run, kept):
        (tmp_path / "go").touch()
        assert shell.wait(PATIENCE_S) == 0
        run.stop()
    opens = [event for event in kept.of(FileEvent) if event.action == "open"]
    assert [event.existed for event in opens if event.path == str(old)] == [True]
    assert [event.existed for event in opens if event.path == str(new)] == [False, True]
    (listed,) = [event for event in opens if event.path == str(tmp_path)]
    assert (listed.flags & os.O_ACCMODE, bool(listed.flags & os.O_DIRECTORY), listed.existed) == (os.O_RDONLY, True, False)


def test_a_file_opened_before_the_capture_and_never_closed_is_reported_at_the_end(tmp_path: Path) -> None:
    script = f"exec 3>{tmp_path}/log; until [ -e {tmp_path}/go ]; do sleep 0.01; done; echo 12345 >&3; echo; read line"
    with subprocess.Popen(["/bin/sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        try:
            with running(sources.files(FileOptions(Target(shell.pid)))) as (run, kept):
                (tmp_path / "go").touch()
                shell.stdout.readline()
                summary = run.stop()
        finally:
            shell.kill()
    assert summary.complete, summary.failures
    closes = [each for each in kept.of(FileEvent) if each.path == str(tmp_path / "log")]
    assert [("close", 6, shell.pid, "sh")] == [
        (each.action, each.written_bytes, each.origin.pid, each.origin.comm) for each in closes
    ]


def test_a_full_ring_is_counted_and_no_byte_vanishes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 7)
    script = f"""\
import os, time
while not os.path.exists("{tmp_path}/go"): time.sleep(0.01)
for number in range({ROUNDS}):
    file = os.open("{tmp_path}/file", os.O_RDONLY)
    os.read(file, 100)
    os.close(file)
"""
    with (
        started([sys.executable, "-c", script]) as reader,
        running(sources.files(FileOptions(Target(reader.pid), ring_size=8192))) as (run, kept),
    ):
        (tmp_path / "go").touch()
        assert reader.wait(PATIENCE_S) == 0
        summary = run.stop()
    losses = kept.of(Loss)
    assert {Reason.KERNEL_LOST} == {each.reason for each in losses}
    assert not summary.complete
    named = sum(each.read_bytes for each in kept.of(FileEvent))
    assert ROUNDS * 7 == named + sum(each.size for each in losses)


def _of_the_list(event: FileEvent, directory: Path) -> bool:
    """Leave out what Python does at a fork, what a shell opens at its start, and the gate."""
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
    """One name for all directories deeper than 100."""
    return "…" if path.count("/d") > 100 else path
