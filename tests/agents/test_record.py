"""`agentsight-rx record -- AGENT`: the recording has the calls, the model, the tool call and the processes, and is complete."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agentsight_rx.state import LmdbStore
from agentsight_rx.view.report import Report, read_report
from tests.live.capture import PATIENCE_S, PROGRAM
from tests.live.peers import wire_server

from .agent import Place
from .agents import agent_named

pytestmark = pytest.mark.agents

COMMAND = "echo hello from the tool"


@pytest.mark.parametrize(
    ("name", "model", "tool", "calls"),
    [
        ("claude", "claude-opus-5-5", "Bash", 2),
        ("codex-websocket", "gpt-5.5", "exec_command", 3),  # the first has no answer but a plan: a warm-up of the connection
        ("codex-h2", "gpt-5.5", "exec_command", 2),
        ("gemini", "gemini-2.5-flash", "run_shell_command", 2),
        ("opencode", "demo", "bash", 3),  # one asks for a title
    ],
)
def test_a_recording_of_an_agent_is_complete(name: str, model: str, tool: str, calls: int, tmp_path: Path) -> None:
    agent, home, store = agent_named(name), tmp_path / "home", tmp_path / "run.lmdb"
    home.mkdir()
    with wire_server(tmp_path / "server", *agent.server) as peer:
        place = Place(peer, home)
        agent.prepare(place)
        done = subprocess.run(
            [*PROGRAM, "record", "--no-server", "--db", str(store), "--", *agent.command(place)],
            cwd=home,
            env=place.env | agent.env(place) | {"PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "complete: nothing lost" in done.stderr
    report = _report(store)
    assert report.complete
    assert [turn.call.status for turn in report.turns] == ["complete"] * calls
    assert {turn.call.model for turn in report.turns} == {model}
    assert {row.tool_name for turn in report.turns for row in turn.tools} == {tool}
    assert any(COMMAND in word for row in report.processes for word in row.argv)


def _report(path: Path) -> Report:
    store = LmdbStore.open(path, readonly=True)
    try:
        return read_report(store)
    finally:
        store.close()
