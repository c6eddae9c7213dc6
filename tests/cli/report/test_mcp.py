"""report mcp: as text and as JSON."""

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


def test_requests_stand_below_their_tool(store: Path) -> None:
    lines = text(store, "mcp")
    assert lines[0] == "postgres 1.0: list_tables · 1 request · 4 ms each, 4 ms at most"
    assert lines[4] == "postgres 1.0: query · 2 requests, 1 failed · 4 ms each, 4 ms at most"
    assert lines[7].split()[1:5] == ["tool", "error", "4", "ms"]
    assert lines[7].endswith(f'{{"error":"no table"}}   {AGENT}     500')


def test_json_has_a_request_a_line_in_order_of_time(store: Path) -> None:
    found = values(store, "mcp")
    assert [(value["tool"], value["outcome"]) for value in found] == [
        ("query", "ok"),
        ("query", "tool_error"),
        ("list_tables", "ok"),
    ]
    assert (found[0]["params"], found[0]["result"], found[0]["session_id"]) == ('{"sql":"select 1"}', '{"rows":2}', "5e5510")


def test_one_server_or_those_that_failed(store: Path) -> None:
    assert [value["outcome"] for value in values(store, "mcp", "--failed")] == ["tool_error"]
    assert len(values(store, "mcp", "--server", "postgres")) == 3
    assert text(store, "mcp", "--server", "other") == [f"nothing of MCP is in {store}"]


def test_a_limit_is_of_each_tool(store: Path) -> None:
    assert (
        text(store, "mcp", "--limit", "1")[-1]
        == f"the newest 1 of each; all of them: agentsight-rx report mcp --db {store} --all"
    )
    assert [value["tool"] for value in values(store, "mcp", "--limit", "1")] == ["list_tables"]


def test_flags_that_do_not_go_together_are_an_error(store: Path) -> None:
    with pytest.raises(UsageError, match="--all and --limit"):
        text(store, "mcp", "--all", "--limit", "1")
