"""
A tool of a real agent reads a planted key under `record --guard-rules`: the guard writes the alert to a file, the agent's own
hook prints it, and the model gets the sentence with the next request.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.events import HttpRequest
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.rows.tables import ALERTS
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries.reading import rows_of
from tests.agents.agent import Place
from tests.agents.agents import agent_named
from tests.live.capture import PATIENCE_S, PROGRAM
from tests.live.peers import wire_server

pytestmark = pytest.mark.agents

HOOK = Path(__file__).parents[2] / "examples" / "alerts_hook.py"
SAID = b"The guard of this machine saw: head, run by "
# The event behind a tool, the file of the settings, and what the command needs besides
SETTINGS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "claude": ("PostToolUse", ".claude/settings.json", ()),
    "codex-h2": ("PostToolUse", ".codex/hooks.json", ("--dangerously-bypass-hook-trust",)),
    "gemini": ("AfterTool", ".gemini/settings.json", ()),
}


def hooked(home: Path, name: str, alerts: Path) -> None:
    """Add the hook to the settings of the agent."""
    event, file, _ = SETTINGS[name]
    command = shlex.join([sys.executable, str(HOOK), str(alerts)])
    settings = home / file
    settings.parent.mkdir(exist_ok=True)
    known: dict[str, Any] = json.loads(settings.read_text()) if settings.exists() else {}
    hook = {"matcher": ".*", "hooks": [{"type": "command", "command": command}]}
    settings.write_text(json.dumps({**known, "hooks": {event: [hook]}}))


@pytest.mark.parametrize("name", SETTINGS)
def test_the_model_reads_what_the_guard_saw(name: str, tmp_path: Path) -> None:
    agent, home, store, alerts = agent_named(name), tmp_path / "home", tmp_path / "run.lmdb", tmp_path / "alerts.jsonl"
    key = home / ".ssh" / "id_ed25519"
    key.parent.mkdir(parents=True)
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n" + "b3BlbnNzaC1rZXk" * 20 + "\n")
    rules = tmp_path / "guard.toml"
    rules.write_text(f'[[deliver]]\nfile = "{alerts}"\n')
    with wire_server(tmp_path / "server", "--tool-command", f"/usr/bin/head -c 40 {key}", *agent.server) as peer:
        place = Place(peer, home)
        agent.prepare(place)
        hooked(home, name, alerts)
        program, *words = agent.command(place)
        at = words.index("exec") + 1 if "exec" in words else len(words)
        command = [program, *words[:at], *SETTINGS[name][2], *words[at:]]
        done = subprocess.run(
            [*PROGRAM, "record", "--no-server", "--db", str(store), "--guard-rules", str(rules), "--", *command],
            cwd=home,
            env=place.env | agent.env(place) | {"PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    opened = LmdbStore.open(store, readonly=True)
    try:
        assert {"reads-secret"} <= {row.rule for row in rows_of(opened, ALERTS)}, done.stderr
        bodies = [event.body for event in read_events(opened) if isinstance(event, HttpRequest)]
    finally:
        opened.close()
    assert any(SAID in body for body in bodies), done.stdout + done.stderr
