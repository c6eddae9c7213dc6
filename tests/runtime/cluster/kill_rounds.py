"""The longer tier of `test_kills.py`, run by ./test.sh --cluster: drivers, schedulers, trees, and workers at random places."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from agentsight_rx.runtime.cluster import segment
from tests.runtime.cluster.hosts import contents, spool_at, tasks_of
from tests.runtime.cluster.killing import Kill, check_hit
from tests.runtime.cluster.rounds import external, random_kills, run_once


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


def test_a_driver_that_dies_goes_on_when_it_is_run_again(spool: Path, tmp_path: Path, reference: dict[str, bytes]) -> None:
    record, out = tmp_path / "record", tmp_path / "out"
    kills = [Kill("web2", 3, "events", 10, "driver")]
    assert -9 == run_once(spool, out, record, kills, "--workers", "2")[0]
    check_hit(record, 1)
    assert reference != contents(out)
    status, said = run_once(spool, out, record, [], "--workers", "2")
    assert 0 == status, said
    assert "are analysed already" in said
    assert reference == contents(out)


def test_a_worker_and_a_scheduler_that_die_leave_the_work_to_others(
    spool: Path, tmp_path: Path, reference: dict[str, bytes]
) -> None:
    record, out = tmp_path / "record", tmp_path / "out"
    kills = [Kill("web1", 2, "part", 0, "tree"), Kill("db1", 5, "events", 20, "scheduler")]
    with external(tmp_path, record) as address:
        status, said = run_once(spool, out, record, kills, "--scheduler", address)
    assert 1 == status, said
    assert "run the same command again" in said
    assert "Traceback" not in said
    check_hit(record, 2)
    with external(tmp_path, record) as address:
        status, said = run_once(spool, out, record, [], "--scheduler", address)
    assert 0 == status, said
    assert reference == contents(out)


@pytest.mark.parametrize("seed", range(int(os.environ.get("AGENTSIGHT_ROUNDS", "5"))))
def test_workers_and_trees_that_die_at_random_places(
    seed: int, spool: Path, tmp_path: Path, reference: dict[str, bytes]
) -> None:
    record, out, random = tmp_path / "record", tmp_path / "out", Random(seed)
    kills = [*random_kills(random, spool, "worker", 3), *random_kills(random, spool, "tree", 1)]
    with external(tmp_path, record, workers=3) as address:
        status, said = run_once(spool, out, record, kills, "--scheduler", address)
    assert 0 == status, said
    check_hit(record, len(kills))
    assert reference == contents(out)
