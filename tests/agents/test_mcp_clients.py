"""
Real agents ask their own recorder: `mcp install` writes the server into their configuration, they list its tools, the fake
model calls one, and the model gets the answer, in a home of their own. Codex keeps tools back until the provider's search asks
for one, which the fake model has not, so there the model reads the resource of a session.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentsight_rx.cli.mcp.paging import NOTE
from tests.agents.agent import Place
from tests.agents.agents import agent_named
from tests.cli.mcp.recordings import replayed
from tests.live.capture import PATIENCE_S
from tests.live.peers import wire_server

pytestmark = pytest.mark.agents

_READ = 'read_mcp_resource {"server": "agentsight-rx", "uri": "agentsight://session/7d1e"}'
# The client as `mcp install` knows it, the tool as it names it with its input, and what its command needs besides
CLIENTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "claude": ("claude", "mcp__agentsight-rx__session {}", ("--allowedTools", "mcp__agentsight-rx__session")),
    "codex-h2": ("codex", _READ, ()),
    "gemini": ("gemini", "mcp_agentsight-rx_session {}", ()),
    "opencode": ("opencode", "agentsight-rx_session {}", ()),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_an_agent_lists_calls_and_gets_the_answer(name: str, tmp_path: Path) -> None:
    agent, home, (client, tool, more) = agent_named(name), tmp_path / "home", CLIENTS[name]
    folder = home / ".local" / "share" / "agentsight-rx"
    folder.mkdir(parents=True)
    replayed(folder / "agentsight-run.lmdb")
    with wire_server(tmp_path / "server", "--tool-command", f"@{tool}", *agent.server) as peer:
        place = Place(peer, home)
        agent.prepare(place)
        env = place.env | agent.env(place) | {"PYTHONPATH": str(Path(__file__).parents[2])}
        written = [sys.executable, "-m", "agentsight_rx", "mcp", "install", "--for", client, "--yes"]
        subprocess.run(written, env=env, check=True, capture_output=True)
        done = subprocess.run(
            [*agent.command(place), *more],
            cwd=home,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    exchanges = map(json.loads, (tmp_path / "server" / "exchanges.jsonl").read_text().splitlines())
    asked = [bytes.fromhex(each["request_body_hex"]) for each in exchanges if each.get("request_body_hex")]
    if tool != _READ:
        assert any(b"findings (loops, retries, lost caches)" in each for each in asked), done.stdout + done.stderr
    assert any(NOTE[:40].encode() in body and b"7 calls (0 failed)" in body for body in asked), done.stdout + done.stderr
