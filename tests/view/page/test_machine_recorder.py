"""The line of the recorder says what the lock and the store prove, and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.tables import LOSSES, RUNS, Recording
from agentsight_rx.store.state import MemoryStore, Put
from agentsight_rx.view import BlindSpotRow, SessionRow
from agentsight_rx.view.page.machine import RecorderLine, Watched, line_of_recorder

PATH = Path("/x/agentsight-machine.lmdb")


def stored(*rows: Any) -> MemoryStore:
    """Two runs; the second one, since 1000, lost something and left something out."""
    store = MemoryStore()
    lost = {
        (1, "tls", "bug"): Entry("tls", Reason.BUG, 9),
        (2, "files", "kernel_lost"): Entry("files", Reason.KERNEL_LOST, 1200),
        (2, "files", "filtered"): Entry("files", Reason.FILTERED, 7),
    }
    runs = [Recording(1, 10, 900, ended=True), Recording(2, 1000, 5000)]
    store.commit([*(Put(RUNS, run.number, run) for run in runs), *(Put(LOSSES, key, entry) for key, entry in lost.items())])
    store.commit([put(row) for row in rows])
    return store


def test_a_recorder_that_runs_says_since_when_and_what_is_missing_since_then() -> None:
    sessions = [SessionRow("a", 1), SessionRow("b", 2, parent_session_id="a"), SessionRow("c", 3, status="ended")]
    spots = [BlindSpotRow(f"s{time_ms}", time_ms, 7, "codex", "p", connections=2, size=3) for time_ms in (999, 1000)]
    line = line_of_recorder(Watched(True, PATH, is_written=True, bytes=5), stored(*sessions, *spots))
    assert ("running", 1000, 1, 5) == (line.state, line.since_ms, line.sessions, line.bytes)
    spot, lost = line.missing
    assert "codex 7 could not be read, the reason is not known" == spot
    assert "1,200 records of files lost (kernel lost)" == lost
    assert 0 == line.more_missing


def test_only_the_worst_of_what_is_missing_is_named() -> None:
    spots = [BlindSpotRow(f"s{number}", 2000, 7, "codex", "p", connections=2, size=3) for number in range(4)]
    line = line_of_recorder(Watched(True, PATH, is_written=True), stored(*spots))
    assert (3, 2) == (len(line.missing), line.more_missing)


@pytest.mark.parametrize(
    ("watched", "has_store", "expected"),
    [
        (Watched(False), False, RecorderLine("absent")),
        (Watched(True), False, RecorderLine("hidden")),
        (Watched(True, PATH, bytes=5), True, RecorderLine("hidden")),
        (Watched(False, PATH, bytes=5), True, RecorderLine("down", 5000, bytes=5)),
        (Watched(True, PATH, is_written=True, paused_ms=7, paused_until_ms=9), True, RecorderLine("paused", 7, 9)),
        (Watched(False, PATH, bytes=5, paused_ms=7), True, RecorderLine("down", 5000, bytes=5)),
        (Watched(False, PATH), False, RecorderLine("absent")),
    ],
)
def test_else_it_says_why_nothing_is_known(watched: Watched, has_store: bool, expected: RecorderLine) -> None:
    assert expected == line_of_recorder(watched, stored() if has_store else None)


def test_a_store_without_a_run_is_no_recorder() -> None:
    assert RecorderLine("absent") == line_of_recorder(Watched(False, PATH, is_written=True), MemoryStore())
