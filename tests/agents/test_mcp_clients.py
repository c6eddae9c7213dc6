"""
Real agents ask their own recorder: `mcp install` writes the server into their configuration, they list its tools, the fake
model calls one, and the model gets the answer, in a home of their own. With its newest models Codex keeps tools back until the
provider's search asks for one, which the fake model has not; with others it offers them in a namespace.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from agentsight_rx.cli.mcp.paging import NOTE
from agentsight_rx.store.rows.tables import AUDIT
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries.effects.work import mcp_uses
from agentsight_rx.view.queries.reading import rows_of
from tests.agents.agent import Place
from tests.agents.agents import agent_named
from tests.agents.tool_callers import PROMPT
from tests.cli.mcp.recordings import replayed
from tests.live.capture import PATIENCE_S, PROGRAM
from tests.live.peers import wire_server

pytestmark = pytest.mark.agents

# The client as `mcp install` knows it, the tool as it names it with its input, and what its command needs besides
CLIENTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "claude": ("claude", "mcp__agentsight-rx__session {}", ("--allowedTools", "mcp__agentsight-rx__session")),
    "codex-h2": ("codex", "mcp__agentsight_rx/session {}", ("-c", "model=gpt-5.1")),
    "gemini": ("gemini", "mcp_agentsight-rx_session {}", ()),
    "opencode": ("opencode", "agentsight-rx_session {}", ()),
}


def _asked(name: str, place_of_all: Path, before: Sequence[str] = ()) -> tuple[list[bytes], str]:
    """The bodies of the requests that the model got, and what the agent printed. `before` stands before its command."""
    agent, home, (client, tool, more) = agent_named(name), place_of_all / "home", CLIENTS[name]
    with wire_server(place_of_all / "server", "--tool-command", f"@{tool}", *agent.server) as peer:
        place = Place(peer, home)
        agent.prepare(place)
        env = place.env | agent.env(place) | {"PYTHONPATH": str(Path(__file__).parents[2])}
        written = [sys.executable, "-m", "agentsight_rx", "mcp", "install", "--for", client, "--yes"]
        subprocess.run(written, env=env, check=True, capture_output=True)
        done = subprocess.run(
            [*before, *agent.command(place), *more],
            cwd=home,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    exchanges = map(json.loads, (place_of_all / "server" / "exchanges.jsonl").read_text().splitlines())
    bodies = [bytes.fromhex(each["request_body_hex"]) for each in exchanges if each.get("request_body_hex")]
    return bodies, done.stdout + done.stderr


def _folder(home: Path) -> Path:
    folder = home / ".local" / "share" / "agentsight-rx"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", CLIENTS)
def test_an_agent_lists_calls_and_gets_the_answer(name: str, tmp_path: Path) -> None:
    replayed(_folder(tmp_path / "home") / "agentsight-run.lmdb")
    bodies, said = _asked(name, tmp_path)
    assert any(b"findings (loops, retries, lost caches)" in each for each in bodies), said
    assert any(NOTE[:40].encode() in body and b"7 calls (0 failed)" in body for body in bodies), said


@pytest.mark.parametrize("name", ["claude"])
def test_an_agent_asks_about_what_is_being_recorded_and_the_server_is_recorded_as_any_other(name: str, tmp_path: Path) -> None:
    """The agent runs twice: the first time its session may not be stored yet, since the fake model answers within 50 ms."""
    store = _folder(tmp_path / "home") / "agentsight-now.lmdb"
    bodies, said = _asked(
        name, tmp_path, [*PROGRAM, "record", "--no-server", "--db", str(store), "--", "sh", "-c", '"$@"; "$@"', "sh"]
    )
    assert any(NOTE[:40].encode() in body and PROMPT.encode() in body for body in bodies), said
    assert any(b"it is being recorded" in body for body in bodies), said
    opened = LmdbStore.open(store, readonly=True)
    try:
        found = [row for row in rows_of(opened, AUDIT) if row.audit_type == "mcp"]
    finally:
        opened.close()
    counts = [each.counts for each in mcp_uses(found) if each.server.startswith("agentsight-rx ")]
    assert [2] == [each["session"] for each in counts], (counts, said)
