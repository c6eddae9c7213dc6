"""Processes that are ended by kill -9 inside a segment: the bytes are those of a run that nothing disturbed."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.cluster import segment

from .hosts import contents, spool_at, tasks_of
from .killing import Kill, attempts
from .rounds import PLACES, run_once


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spool_at(tmp_path_factory.mktemp("spool"))


@pytest.fixture(scope="module")
def reference(spool: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A single host's run: one process, one segment after the other."""
    out = tmp_path_factory.mktemp("out")
    for task in tasks_of(spool, out):
        segment(task)
    return contents(out)


def check_hit(record: Path, kills: int) -> None:
    found = attempts(record)
    assert kills == found.kills, "a kill of the plan was not done"
    assert found.hit >= kills, "a kill hit no attempt that had begun and was not committed"


def test_workers_that_die_inside_segments_are_started_again(spool: Path, tmp_path: Path, reference: dict[str, bytes]) -> None:
    keys = ("web1", "web2", "db1", "web1")
    kills = [Kill(keys[number], 2 + number, where, 10 if where == "events" else 0) for number, where in enumerate(PLACES)]
    status, said = run_once(spool, tmp_path / "out", tmp_path / "record", kills, "--workers", "2")
    assert 0 == status, said
    check_hit(tmp_path / "record", len(kills))
    assert reference == contents(tmp_path / "out")
