from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agentsight_rx.cli import app
from agentsight_rx.errors import SpoolError, StoreError
from agentsight_rx.events import HttpRequest
from agentsight_rx.runtime.cluster import load, segment, settings_of
from agentsight_rx.runtime.cluster.place import LocalPlace
from agentsight_rx.sinks import redaction_key
from agentsight_rx.store.log.reading import read_events, read_exchange
from agentsight_rx.store.rows.kind import ROW_TABLES
from agentsight_rx.store.rows.tables import CALLS, LOSSES, RUNS, STAGES, TOTALS
from agentsight_rx.store.spool import segment_name
from agentsight_rx.store.state import LmdbStore
from tests.runtime.cluster.hosts import spool_at, tasks_of


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = spool_at(tmp_path_factory.mktemp("spool"))
    (folder / "web2" / segment_name(2)).write_bytes(b"broken")  # so that something is lost
    (folder / "db1" / segment_name(3)).unlink()
    return folder


@pytest.fixture(scope="module")
def single(spool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run over the same spool, host by host, straight into a store."""
    path = tmp_path_factory.mktemp("single") / "single.lmdb"
    replayed = CliRunner().invoke(app, ["replay", str(spool), "--db", str(path), "--quiet"])
    assert 0 == replayed.exit_code, replayed.output
    return path


@pytest.fixture(scope="module")
def out(spool: Path, single: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("out")
    settings_of(LocalPlace(str(made)), redaction_key=redaction_key(single))
    for task in tasks_of(spool, made):
        segment(task)
    return made


def inside(path: Path) -> dict[str, Any]:
    """All of a store but the times at which it was made."""
    kept = LmdbStore.open(path, readonly=True)
    try:
        return {
            "events": list(read_events(kept)),
            "runs": [(key, run.ended) for key, run in kept.scan(RUNS)],
            "losses": list(kept.scan(LOSSES)),
            "totals": list(kept.scan(TOTALS)),
            "stages": list(kept.scan(STAGES)),
            **{table.name: list(kept.scan(table)) for table in ROW_TABLES},
        }
    finally:
        kept.close()


def test_the_store_is_that_of_a_replay_of_the_same_spool(single: Path, out: Path, tmp_path: Path) -> None:
    loaded = load(LocalPlace(str(out)), tmp_path / "cluster.lmdb")
    assert (4, len(list(out.rglob("*.done")))) == (loaded.hosts, loaded.segments)
    expected, found = inside(single), inside(tmp_path / "cluster.lmdb")
    assert len(expected["events"]) > 300
    assert {"malformed", "unreadable"} <= {key[2] for key, _ in expected["losses"]}
    for name in expected:
        assert expected[name] == found[name], name


def test_rows_of_hosts_with_the_same_processes_stand_side_by_side(out: Path, tmp_path: Path) -> None:
    path = tmp_path / "cluster.lmdb"
    load(LocalPlace(str(out)), path)
    kept = LmdbStore.open(path, readonly=True)
    try:
        calls = [row.id for _, row in kept.scan(CALLS)]
        assert {"web1", "web2", "db1", "edge+0of2"} == {id.removeprefix("llm-").partition(":")[0] for id in calls}
        for host in ("web1", "db1"):
            call = next(id for id in calls if id.startswith(f"llm-{host}:4001-"))
            request = read_exchange(kept, call).request
            assert isinstance(request, HttpRequest)
            assert next(row for _, row in kept.scan(CALLS) if row.id == call).start_ns == request.origin.wall_ns
    finally:
        kept.close()


def test_the_store_has_the_key_of_the_labels(single: Path, out: Path, tmp_path: Path) -> None:
    load(LocalPlace(str(out)), tmp_path / "cluster.lmdb")
    assert redaction_key(single) == redaction_key(tmp_path / "cluster.lmdb")


def test_a_store_that_is_there_is_left_alone_unless_it_is_to_be_replaced(out: Path, tmp_path: Path) -> None:
    path = tmp_path / "cluster.lmdb"
    path.write_bytes(b"precious")
    with pytest.raises(StoreError, match="is there already"):
        load(LocalPlace(str(out)), path)
    assert b"precious" == path.read_bytes()
    load(LocalPlace(str(out)), path, replace=True)
    assert inside(path)["events"]
    assert ["cluster.lmdb"] == [each.name for each in tmp_path.iterdir()]


def test_nothing_is_left_where_there_is_nothing_to_load(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(SpoolError, match="no committed segments"):
        load(LocalPlace(str(tmp_path / "out")), tmp_path / "cluster.lmdb")
    assert ["out"] == [each.name for each in tmp_path.iterdir()]


def test_no_run_goes_on_in_a_store_of_several_hosts(out: Path, tmp_path: Path) -> None:
    path = tmp_path / "cluster.lmdb"
    load(LocalPlace(str(out)), path)
    (tmp_path / "run.jsonl").write_bytes(b"")
    done = CliRunner().invoke(app, ["replay", str(tmp_path / "run.jsonl"), "--db", str(path)], standalone_mode=False)
    assert isinstance(done.exception, StoreError)
    assert "several hosts" in str(done.exception)
