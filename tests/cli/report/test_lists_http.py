"""report http: as text and as JSON."""

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


def test_each_exchange_is_a_line_with_the_turn_that_it_is(store: Path) -> None:
    lines = text(store, "http")
    assert len(lines) == 1 + 4
    assert lines[1].split()[1:4] == ["claude", str(AGENT), "POST"]
    assert [line.split()[-1] for line in lines[1:]] == ["1", "2", "3", "4"]


def test_json_has_every_field_of_an_exchange(store: Path) -> None:
    first = values(store, "http")[0]
    assert (first["method"], first["host"], first["path"], first["status_code"]) == (
        "POST",
        "api.anthropic.com",
        "/v1/messages",
        200,
    )
    assert (first["turn"], first["duration_ms"], first["status"], first["call_id"]) == (1, 6200, "complete", "llm-12345-1-7-1")


def test_one_host_or_those_that_failed(store: Path) -> None:
    assert len(values(store, "http", "--host", "api.anthropic.com")) == 4
    assert values(store, "http", "--host", "other") == []
    assert text(store, "http", "--failed") == [f"nothing of that kind is in {store}"]


def test_a_limit_is_of_the_newest(store: Path) -> None:
    assert [value["turn"] for value in values(store, "http", "--limit", "2")] == [3, 4]


def test_text_and_json_do_not_go_together(store: Path) -> None:
    with pytest.raises(UsageError, match="--json and --text"):
        text(store, "http", "--json")
