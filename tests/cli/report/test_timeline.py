"""report timeline: as text and as JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.errors import UsageError
from tests.cli.report.asking import text, values
from tests.cli.report.effects import effects
from tests.cli.report.story import AGENT


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return effects(tmp_path_factory.mktemp("store") / "run.lmdb")


def test_everything_in_order_of_time(store: Path) -> None:
    lines = text(store, "timeline")
    assert lines[0] == "from 2025-11-27 18:00:04"
    assert lines[3].split()[:2] == ["0:00.000", "program"]
    assert lines[4].split()[:3] == ["0:00.100", "1", "prompt"]
    assert " 0:06.300     1  tool        12401         Bash pytest tests/test_invoi…   3.3 s  exit 1" == lines[7]
    assert any("write src/billing/invoice.py" in line and line.endswith("2,048 bytes") for line in lines)
    assert any("Connection refused" in line for line in lines)


def test_json_has_a_moment_a_line(store: Path) -> None:
    found = values(store, "timeline")
    assert [value["offset_ms"] for value in found] == sorted(value["offset_ms"] for value in found)
    assert {"program", "prompt", "call", "answer", "tool", "file", "connection"} == {value["kind"] for value in found}
    assert {value["session_id"] for value in found} == {"5e5510"}
    assert {AGENT, 12401, 12402} == {value["pid"] for value in found}


def test_where_nothing_was_under_way_is_shown_from_so_long_on(store: Path) -> None:
    idle = [value["duration_ms"] for value in values(store, "timeline", "--idle", "80ms") if value["kind"] == "idle"]
    assert idle == [100]
    assert any(" idle " in line for line in text(store, "timeline", "--idle", "80ms"))


def test_a_part_of_the_time(store: Path) -> None:
    part = values(store, "timeline", "--since", "2025-11-27T18:00:20Z")
    assert {"call", "answer"} <= {value["kind"] for value in part}
    assert len(part) < len(values(store, "timeline"))


def test_a_limit_is_of_the_newest_and_the_time_still_counts_from_the_start(store: Path) -> None:
    assert values(store, "timeline", "--limit", "3") == values(store, "timeline")[-3:]
    lines = text(store, "timeline", "--limit", "1")
    assert (lines[0], lines[3].split()[:3]) == ("from 2025-11-27 18:00:04", ["0:18.500", "4", "answer"])
    assert lines[-1] == f"the newest 1; all of them: agentsight-rx report timeline --db {store} --all"


def test_a_wrong_duration_is_an_error(store: Path) -> None:
    with pytest.raises(UsageError, match="--idle 'long': a duration is expected"):
        text(store, "timeline", "--idle", "long")
