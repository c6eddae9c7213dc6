"""`watch` with the guard, with excluded agents, with `record` beside it, and of an agent that updates itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import pytest

from agentsight_rx.events import SEARCHED
from agentsight_rx.llm.prices import Prices
from agentsight_rx.store.rows.tables import CALLS, SESSIONS
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view import AlertRow
from agentsight_rx.view.page import Picture
from agentsight_rx.view.page.rail import entries_in, sessions_once
from agentsight_rx.view.queries import Selection
from agentsight_rx.view.queries.alerts import read_alerts
from agentsight_rx.view.queries.sessions.health import read_health
from agentsight_rx.view.queries.sessions.listing import Entry
from tests.live.capture import PATIENCE_S, PROGRAM, until
from tests.live.peers import find_node
from tests.live.users import NOBODY
from tests.live.watched import AGENT, Scene, enter, scene_in

pytestmark = pytest.mark.live


@pytest.fixture
def scene(tmp_path: Path) -> Generator[Scene]:
    with scene_in(tmp_path) as scene:
        yield scene


@pytest.fixture
def place() -> Generator[Path]:
    """A folder that is no temporary one, and that every user may read."""
    made = Path(mkdtemp(prefix="watched-", dir="/opt"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def test_the_guard_of_a_machine_reports_what_an_agent_does(scene: Scene, place: Path) -> None:
    store, key = scene.directory / "machine.lmdb", place / "keys" / "id_ed25519"
    key.parent.mkdir()
    key.write_text("secret\n" * 9)
    recorder = scene.record(store, "--guard", env={**os.environ, "XDG_CONFIG_HOME": str(place)})
    agent = scene.start(cwd=place)
    recorder.reads(agent.known)
    agent.asks(f"/bin/cat {key}")
    until(lambda: _alerts(store))
    agent.ends()
    recorder.ends()
    [alert] = _alerts(store)
    kept = LmdbStore.open(store, readonly=True)
    [session] = [row for _, row in kept.scan(SESSIONS)]
    kept.close()
    assert (str(key), "claude", agent.pid, session.id) == (alert.target, alert.agent, alert.agent_pid, alert.session_id)
    assert alert.sentence == f"cat, run by claude, read {key}"


def _alerts(store: Path) -> list[AlertRow]:
    kept = LmdbStore.open(store, readonly=True)
    try:
        return [row for row in read_alerts(kept, Selection()) if row.rule == "reads-secret"]
    finally:
        kept.close()


def test_excluded_users_folders_and_agents_are_not_recorded(scene: Scene, place: Path) -> None:
    inside = place / "private" / "below"
    inside.mkdir(parents=True)
    for name in ("claude", "codex"):
        shutil.copy("/bin/sleep", place / name)
    others: list[subprocess.Popen[bytes]] = []

    def start_excluded() -> None:
        nobody = ["/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        for cwd, user, name in ((inside, [], "claude"), (place, nobody, "claude"), (place, [], "codex")):
            join = partial(enter, scene.group)
            others.append(subprocess.Popen([*user, str(place / name), "600"], cwd=cwd, preexec_fn=join))

    excluding = ("--exclude-folder", str(inside.parent), "--exclude-user", "nobody", "--exclude-agent", "codex")
    try:
        start_excluded()  # these run already when it looks
        recorder = scene.record(scene.directory / "machine.lmdb", *excluding)
        start_excluded()  # and of these it sees the start
        allowed = scene.start(cwd=place)
        recorder.reads(allowed.known)
        allowed.asks()
        allowed.ends()
        said = recorder.ends()
    finally:
        for each in others:
            each.kill()
            each.wait()
    assert [f"recording claude {allowed.pid}"] == [
        line.partition(": ")[2] for line in said.splitlines() if "recording " in line
    ]


def test_what_record_records_beside_it_is_whole_in_both_and_counts_once(scene: Scene) -> None:
    machine, own, gate = scene.directory / "machine.lmdb", scene.directory / "own.lmdb", scene.directory / "gate"
    recorder = scene.record(machine)
    agent = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n{AGENT}"
    wrapped = f'exec -a claude {sys.executable} -c "$0" claude {scene.certificate} {scene.port}'
    command = [*PROGRAM, "record", "--no-server", "--db", str(own), "--", "/bin/bash", "-c", wrapped, agent]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=partial(enter, scene.group)
    ) as process:
        until(lambda: "recording claude " in recorder.said or process.poll() is not None)
        pid = int(recorder.said.partition("recording claude ")[2].split()[0])
        recorder.reads(("claude", pid))
        gate.touch()
        printed, _ = process.communicate(b"\n\n", timeout=PATIENCE_S)
    assert b"done\ndone\n" in printed
    recorder.ends()
    rows = list[Entry]()
    for store in (machine, own):
        kept = LmdbStore.open(store, readonly=True)
        rows += entries_in(Picture(kept, Prices()), store.stem)
        assert (1, 2) == (len(kept.scan(SESSIONS)), len(kept.scan(CALLS))), store
        kept.close()
    assert 2 == len(rows)
    assert 1 == len({entry.row.id for entry in rows}), "both know it by the same id"
    assert 1 == len(sessions_once(rows, lambda some: some[0]))


# An agent that has its own TLS code. It asks once, puts another file in its own place, and goes on as that
UPDATES_ITSELF = """
const fs = require("fs"), https = require("https"), child = require("child_process");
const [port, ca, gate, gate2, fresh, how, turn] = process.argv.slice(2);
const later = (ms) => new Promise((done) => setTimeout(done, ms));
const ask = (content) => new Promise((done) => {
  const body = JSON.stringify({ model: "claude-sonnet-4", max_tokens: 9, messages: [{ role: "user", content }] });
  const headers = { "content-type": "application/json", "anthropic-version": "2023-06-01", "content-length": body.length };
  const place = { host: "localhost", port, path: "/v1/messages", method: "POST", agent: false };
  https.request({ ...place, headers, ca: fs.readFileSync(ca) }, (answer) => answer.resume().on("end", done)).end(body);
});
(async () => {
  if (turn === "2") {
    await ask("first behind it");
    while (!fs.existsSync(gate2)) await later(10);
    return ask("later");
  }
  while (!fs.existsSync(gate)) await later(10);
  await ask("before it");
  fs.renameSync(fresh, process.execPath);
  const words = [...process.argv.slice(1, -1), "2"];
  if (how === "replaces") process.execve(process.execPath, [process.execPath, ...words], process.env);
  child.spawnSync(process.execPath, words);
})();
"""


@pytest.mark.parametrize("how", ["replaces", "starts"])
def test_an_agent_that_updates_itself_is_read_from_its_first_call_or_that_is_said(scene: Scene, how: str) -> None:
    store, gates = scene.directory / "machine.lmdb", [scene.directory / "gate", scene.directory / "gate2"]
    program, fresh, script = (scene.directory / name for name in ("claude", "claude.new", "agent.cjs"))
    script.write_text(UPDATES_ITSELF)
    for path in (program, fresh):
        shutil.copy(find_node(), path)
    recorder = scene.record(store)
    words = [str(each) for each in (program, script, scene.port, scene.certificate, *gates, fresh, how, "1")]
    watching = f"watching TLS in {program}"
    with subprocess.Popen(words, preexec_fn=partial(enter, scene.group)) as agent:
        recorder.says(f"recording claude {agent.pid}")
        recorder.says(watching)
        time.sleep(0.5)
        gates[0].touch()
        until(lambda: recorder.said.count(watching) == 2 or recorder.process.poll() is not None)
        gates[1].touch()
        assert 0 == agent.wait(PATIENCE_S)
    said = recorder.ends()
    kept = LmdbStore.open(store, readonly=True)
    prompts = [row.prompt for _, row in kept.scan(CALLS)]
    health = read_health(kept)
    sessions = len(kept.scan(SESSIONS))
    kept.close()
    assert prompts[:1] == ["before it"], said
    assert prompts[-1:] == ["later"], said
    if "first behind it" not in prompts:  # while the new file was searched for TLS code
        [spot] = health.blind_spots
        assert (SEARCHED,) == tuple(dict.fromkeys(spot.looks_like)), spot
    assert {"replaces": 1, "starts": 2}[how] == sessions, said
