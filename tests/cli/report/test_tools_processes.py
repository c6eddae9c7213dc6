"""report processes: as text and as JSON."""

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


def test_the_tree_has_depth_ends_and_what_each_ran_for(store: Path) -> None:
    _, agent, shell, again = text(store, "processes")
    assert agent.split()[1:5] == [str(AGENT), "claude", "-p", "fix"]
    assert " 12401    sh -c 'pytest" in shell
    assert "exit 1" in shell
    assert "turn 1, Bash pytest" in shell
    assert "turn 2, Bash pytest" in again


def test_the_flat_list_has_no_depth(store: Path) -> None:
    assert " 12401  sh -c 'pytest" in text(store, "processes", "--flat")[2]


def test_json_has_every_field_of_a_process(store: Path) -> None:
    agent, shell, _ = values(store, "processes")
    assert (agent["pid"], agent["depth"], agent["children"], agent["session_id"]) == (AGENT, 0, 2, "5e5510")
    assert (shell["argv"], shell["exit_code"]) == (["sh", "-c", "pytest tests/test_invoice.py -q"], 1)
    assert (shell["of_agent"], shell["session_id"], shell["starts"], shell["cause"]["turn"]) == ("claude", "5e5510", True, 1)
    assert shell["cause"]["prompt"].startswith("Invoice totals are off")


def test_those_that_failed(store: Path) -> None:
    assert [value["pid"] for value in values(store, "processes", "--failed")] == [12401, 12402]


def test_the_processes_of_a_session_are_those_below_its_agent(store: Path) -> None:
    assert len(values(store, "processes", "--session", "5e5510")) == 3


def test_no_session_is_an_error_that_names_those_that_there_are(store: Path) -> None:
    with pytest.raises(UsageError, match="5e5510"):
        text(store, "processes", "--session", "other")
