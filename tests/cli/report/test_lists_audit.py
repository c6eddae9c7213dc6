"""report audit: as text and as JSON."""

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


KINDS = ("llm", "process", "file", "network", "mcp")


def test_the_newest_comes_first(store: Path) -> None:
    lines = text(store, "audit", "--limit", "3")
    assert [line.split()[1] for line in lines[1:4]] == ["process", "llm", "network"]
    assert lines[-1] == f"the newest 3; all of them: agentsight-rx report audit --db {store} --all"
    assert "exit code 0" in lines[1]


def test_json_has_a_row_a_line_with_every_field(store: Path) -> None:
    found = values(store, "audit", "--json", "--limit", "3")
    assert [value["timestamp_ms"] for value in found] == sorted((value["timestamp_ms"] for value in found), reverse=True)
    assert (found[0]["audit_type"], found[0]["pid"], found[0]["details"]["exit_code"]) == ("process", AGENT, 0)
    assert {"view_source", "confidence", "process_id", "session_id", "tool_id", "link"} < set(found[0])


def test_without_a_limit_json_has_all(store: Path) -> None:
    assert len(values(store, "audit")) == sum(len(values(store, "audit", "--audit-type", kind)) for kind in KINDS)


@pytest.mark.parametrize("kind", ["llm", "process", "file", "network", "mcp"])
def test_one_type(store: Path, kind: str) -> None:
    assert {kind} == {value["audit_type"] for value in values(store, "audit", "--audit-type", kind)}


def test_a_session_has_the_rows_of_its_processes(store: Path) -> None:
    rows = values(store, "audit", "--session", "5e5510")
    assert rows == values(store, "audit")
    assert values(store, "audit", "--session", "5e5510", "--limit", "2") == rows[:2]


def test_another_type_is_an_error_that_names_those_that_there_are(store: Path) -> None:
    with pytest.raises(UsageError, match="there are llm, process, file, network, mcp"):
        text(store, "audit", "--audit-type", "tls")
