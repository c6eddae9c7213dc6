from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.errors import SpoolError
from agentsight_rx.runtime.cluster import Plan, plan_of, run_here, segment, settings_of
from agentsight_rx.runtime.cluster.place import LocalPlace
from agentsight_rx.store.spool import segment_name
from tests.runtime.cluster.hosts import given, spool_at


def plan(spool: Path, out: Path) -> Plan:
    return plan_of(LocalPlace(str(spool)), LocalPlace(str(out)), given(out))


def test_each_segment_is_behind_the_one_before_it(tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "spool", hosts=("web1", "db1"))
    (spool / "db1" / segment_name(2)).unlink()
    tasks = plan(spool, tmp_path / "out").tasks
    assert ["db1", "web1"] == sorted(tasks)
    assert [(1, 0), (2, 1), (3, 2)] == [(task.sequence, task.before) for task in tasks["web1"][:3]]
    assert [(1, 0), (3, 1), (4, 3)] == [(task.sequence, task.before) for task in tasks["db1"][:3]]


def test_what_is_committed_is_not_done_again(tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "spool", hosts=("web1",))
    first, second, *rest = plan(spool, tmp_path / "out").tasks["web1"]
    segment(first)
    segment(second)
    found = plan(spool, tmp_path / "out")
    assert (2, rest) == (found.done, found.tasks["web1"])
    run_here(found, lambda _: None)
    found = plan(spool, tmp_path / "out")
    assert (2 + len(rest), 0) == (found.done, found.left)


def test_a_segment_that_comes_after_later_ones_is_late(tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "spool", hosts=("web1",))
    path = spool / "web1" / segment_name(2)
    content = path.read_bytes()
    path.unlink()
    run_here(plan(spool, tmp_path / "out"), lambda _: None)
    path.write_bytes(content)
    found = plan(spool, tmp_path / "out")
    assert (1, 0) == (found.late, found.left)


def test_a_place_without_segments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="holds no segments"):
        plan(tmp_path, tmp_path / "out")


def test_the_first_run_chooses_the_key_of_labels(tmp_path: Path) -> None:
    out = LocalPlace(str(tmp_path))
    first = settings_of(out)
    assert first == settings_of(out)
    with pytest.raises(SpoolError, match="begun with another key"):
        settings_of(out, redaction_key=b"another")


@pytest.mark.parametrize("content", [b"{}", b"no json", b'{"format": 2, "redaction_key": ""}'])
def test_a_folder_of_something_else_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_bytes(content)
    with pytest.raises(SpoolError):
        settings_of(LocalPlace(str(tmp_path)))
