"""
`agentsight-rx record -- AGENT`: the recording has the calls with the server's own counts, the model, the tool with its process,
the session, and all that the agent wrote down itself; what `agentsight-rx import` reads of that is what was recorded.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.store.state import LmdbStore
from tests.agents.agent import Place
from tests.agents.agents import agent_named
from tests.agents.tool_callers import PROMPT
from tests.cli.report.asking import text, values
from tests.live.capture import PATIENCE_S, PROGRAM
from tests.live.counts import ANTHROPIC, GEMINI, OPENAI, RESPONSES, TOKENS, Counts
from tests.live.peers import WirePeer, wire_server
from tests.reports import Report, read_report

pytestmark = pytest.mark.agents

COMMAND = "echo hello from the tool; exit 3"


@dataclass(frozen=True)
class Expected:
    """`named`: the agent names its session in its requests. `writes_sessions`: in files that are read here."""

    agent: str
    model: str
    tool: str
    calls: int
    counts: Counts
    named: bool = True
    writes_sessions: bool = True


EXPECTED = {
    "claude": Expected("claude", "claude-opus-5-5", "Bash", 2, ANTHROPIC),
    # The first has no answer but a plan: a warm-up of the connection
    "codex-websocket": Expected("codex", "gpt-5.5", "exec_command", 3, RESPONSES),
    "codex-h2": Expected("codex", "gpt-5.5", "exec_command", 2, RESPONSES),
    "gemini": Expected("gemini", "gemini-2.5-flash", "run_shell_command", 2, GEMINI, named=False),
    # One asks for a title
    "opencode": Expected("opencode", "demo", "bash", 3, OPENAI),
    "pi": Expected("pi", "claude-opus-4-5", "bash", 2, ANTHROPIC, named=False),
    "copilot": Expected("copilot", "gpt-5.4", "bash", 2, OPENAI, named=False),
    "vibe": Expected("vibe", "demo", "bash", 2, OPENAI),
    "at-the-end": Expected("at_the_end.py", "demo", "bash", 2, ANTHROPIC, named=False, writes_sessions=False),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recording_of_an_agent_is_complete(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent, home, store = agent_named(name), tmp_path / "home", tmp_path / "run.lmdb"
    expected = EXPECTED[name]
    home.mkdir()
    with wire_server(tmp_path / "server", "--tool-command", COMMAND, *agent.server) as peer:
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
    assert "nothing is missing" in done.stderr
    report = _report(store)
    assert report.complete
    assert [turn.call.status for turn in report.turns] == ["complete"] * expected.calls
    assert {turn.call.model for turn in report.turns} == {expected.model}
    assert {row.tool_name for turn in report.turns for row in turn.tools} == {expected.tool}
    assert any(COMMAND in word for row in report.processes for word in row.argv)
    assert sorted([call[name] for name in TOKENS] for call in values(store, "calls")) == sorted(_said(peer, expected.counts))
    _check_tool(store)
    _check_session(store, expected)
    if expected.writes_sessions:
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.delenv("SUDO_USER", raising=False)
        _check_transcript(store, expected)
        _check_import(store, expected)


def _said(peer: WirePeer, counts: Counts) -> list[list[int]]:
    """The counts of each answer that the server logged, over HTTP and over WebSockets."""
    bodies = [each.response for each in peer.exchanges() if each.method == "POST" and each.status == 200]
    bodies += [each.data for each in peer.messages() if each.direction == "in" and b'"response.completed"' in each.data]
    return [counts.of(body) for body in bodies]


def _check_tool(store: Path) -> None:
    """The one that ran has its process, with arguments and exit code, and its result went back to the model."""
    ran = _the_one([tool for tool in values(store, "tools") if tool["related_pid"]])
    assert any(COMMAND in word for word in ran["related_argv"])
    assert (ran["link"], ran["exit_code"]) == ("argv", 3)
    assert "hello from the tool" in ran["output"]
    assert ran["result_call_id"] in [call["id"] for call in values(store, "calls")]
    process = _the_one([row for row in values(store, "processes") if row["pid"] == ran["related_pid"]])
    assert (process["exit_code"], process["starts"]) == (3, True)


def _check_session(store: Path, expected: Expected) -> None:
    session = _the_one(values(store, "sessions"))
    named = session["agent"] or session["program"]  # a script that is no known agent has its own name
    assert (named, session["calls"], session["named"]) == (expected.agent, expected.calls, expected.named)
    assert session["title"].strip('"') == PROMPT  # opencode quotes it
    assert {call["session_id"] for call in values(store, "calls")} == {session["id"]}
    assert any(expected.agent[:10] in line for line in text(store, "sessions")[1:])  # a long name is cut


def _check_transcript(store: Path, expected: Expected) -> None:
    """All that the agent wrote down was seen, with the same tokens."""
    file = _the_one(values(store, "transcripts"))
    session = _the_one(values(store, "sessions"))
    assert (file["agent"], file["sessions"]) == (expected.agent, [session["id"]])
    assert file["confidence"] >= 0.95
    found = _the_one(values(store, "compare"))
    assert (found["calls_only_file"], found["tools_only_file"], found["outside"]) == ([], [], 0)
    assert (len(found["calls"]), found["tools"]) == (2, 1)
    assert [pair["differs"] for pair in found["calls"]] == [{}, {}]
    assert "nothing of the file is missing on the wire" in text(store, "compare")
    assert not any("session file" in line for line in text(store, "sessions", "--transcripts"))


IDS = ("claude", "pi", "copilot")  # their files have the ids that the provider gave its answers


def _check_import(store: Path, expected: Expected) -> None:
    """What the agent wrote is imported, and is what was recorded: the calls with their tokens, the tool, the prompt."""
    past = store.with_name("past.lmdb")
    done = subprocess.run(
        [*PROGRAM, "import", "--agent", expected.agent, "--db", str(past)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "could not be" not in done.stderr
    said, seen = values(past, "calls"), values(store, "calls")
    assert (2, 2) == (len(said), len(_both(said, seen, *TOKENS, "model")))
    if expected.agent in IDS:
        assert 2 == len(_both(said, seen, "response_id"))
    (tool,) = values(past, "tools")
    (ran,) = [each for each in values(store, "tools") if each["related_pid"]]
    known_by = "tool_name" if expected.agent == "gemini" else "tool_call_id"  # its API gives calls no ids
    assert (ran[known_by], True) == (tool[known_by], COMMAND in str(tool["input"]))
    assert "hello from the tool" in tool["output"]
    (session,) = values(past, "sessions")
    assert (session["agent"], session["calls"], session["view_source"]) == (expected.agent, 2, "said")
    assert PROMPT in said[0]["prompt"]


def _both(one: list[Any], other: list[Any], *names: str) -> list[Any]:
    """What both have, of these fields."""
    found = [[each[name] for name in names] for each in other]
    return [each for each in one if [each[name] for name in names] in found]


def _the_one(found: list[Any]) -> Any:
    (value,) = found
    return value


def _report(path: Path) -> Report:
    store = LmdbStore.open(path, readonly=True)
    try:
        return read_report(store)
    finally:
        store.close()
