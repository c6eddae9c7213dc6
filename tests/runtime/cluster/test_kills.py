"""Processes that are ended by kill -9 inside a segment: the bytes are those of a run that nothing disturbed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import Struct
from typer.testing import CliRunner

from agentsight_rx.cli import app
from agentsight_rx.runtime.cluster import segment, settings_of
from agentsight_rx.runtime.cluster.place import LocalPlace
from agentsight_rx.sinks import redaction_key
from tests.runtime.cluster.hosts import contents, spool_at, tasks_of
from tests.runtime.cluster.killing import Kill, check_hit
from tests.runtime.cluster.rounds import PLACES, run_once

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("the killed workers")]  # two workers would run it twice

REPORTS = ("summary", "calls", "prompts", "tools", "files", "processes", "http", "timeline", "audit", "sessions", "tokens")


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spool_at(tmp_path_factory.mktemp("spool"))


@pytest.fixture(scope="module")
def single(spool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same spool in one process, host by host, straight into a store."""
    path = tmp_path_factory.mktemp("single") / "single.lmdb"
    replayed = CliRunner().invoke(app, ["replay", str(spool), "--db", str(path), "--quiet"])
    assert 0 == replayed.exit_code, replayed.output
    return path


@pytest.fixture(scope="module")
def reference(spool: Path, single: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A single host's run: one process, one segment after the other."""
    out = tmp_path_factory.mktemp("out")
    settings_of(LocalPlace(str(out)), redaction_key=redaction_key(single))
    for task in tasks_of(spool, out):
        segment(task)
    return contents(out)


class Killed(Struct, frozen=True):
    """A run of which four workers died, each at another place inside a segment."""

    status: int
    said: str
    out: Path
    record: Path
    made: Path


@pytest.fixture(scope="module")
def killed(spool: Path, single: Path, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    folder = tmp_path_factory.mktemp("killed")
    settings_of(LocalPlace(str(folder / "out")), redaction_key=redaction_key(single))
    keys = ("web1", "web2", "db1", "web1")
    kills = [Kill(keys[number], 2 + number, where, 10 if where == "events" else 0) for number, where in enumerate(PLACES)]
    out, record, made = folder / "out", folder / "record", folder / "cluster.lmdb"
    status, said = run_once(spool, out, record, kills, "--workers", "2", "--store", str(made))
    return Killed(status, said, out, record, made)


def test_workers_that_die_inside_segments_are_started_again(killed: Killed, reference: dict[str, bytes]) -> None:
    assert 0 == killed.status, killed.said
    check_hit(killed.record, len(PLACES))
    assert reference == contents(killed.out)


def test_the_reports_are_those_of_a_replay_of_the_same_spool(killed: Killed, single: Path) -> None:
    for name in REPORTS:
        expected = report(name, single)
        assert len(expected) > 100, name
        assert expected == report(name, killed.made), name


def report(name: str, path: Path) -> str:
    found = CliRunner().invoke(app, ["report", name, "--db", str(path), "--json"])
    assert 0 == found.exit_code, found.output
    return re.sub(r'"(?:(?:started|committed)_ms":17\d+|seconds":[\d.]+|db":"[^"]*")', "", found.stdout)  # the store itself
