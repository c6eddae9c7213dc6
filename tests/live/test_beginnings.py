"""A program that ran before the capture, with a connection that is still open: what came before is said to be missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries.sessions.health import read_health
from tests.live.capture import PATIENCE_S, PROGRAM, started, tracing, until
from tests.live.peers import fake_llm

pytestmark = pytest.mark.live

ASK = """
import http.client, json, os, ssl, sys, time
port, ca, asked, gate, kept = sys.argv[1:]
body = json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]})
connect = lambda: http.client.HTTPSConnection("127.0.0.1", int(port), context=ssl.create_default_context(cafile=ca))
connection = connect()
for turn in range(2):
    connection.request("POST", "/v1/messages", body, {"content-type": "application/json"})
    connection.getresponse().read()
    open(asked, "w").close()
    while not os.path.exists(gate):
        time.sleep(0.01)
    if kept == "new":
        connection.close()
        connection = connect()
"""


@pytest.mark.parametrize("connection", ["kept", "new"])
@pytest.mark.parametrize("sources", [["--ssl", "--process"], ["--ssl"]])
def test_the_earlier_calls_of_a_running_program_are_missing(tmp_path: Path, sources: list[str], connection: str) -> None:
    store, asked, gate = tmp_path / "run.lmdb", tmp_path / "asked", tmp_path / "gate"
    with fake_llm(tmp_path) as peer:
        port = peer.base_url.rpartition(":")[2]
        command = [sys.executable, "-c", ASK, port, str(peer.ca_file), str(asked), str(gate), connection]
        with started(command) as agent:
            until(asked.exists)
            with tracing("trace", *sources, "-p", str(agent.pid), "--db", str(store)) as (tracer, _):
                gate.touch()
                _, said = tracer.communicate(timeout=PATIENCE_S)
    watched, kept = "--process" in sources, connection == "kept"
    opened = LmdbStore.open(store, readonly=True)
    health = read_health(opened)
    opened.close()
    assert (health.calls, [use.midway for use in health.tls_uses]) == (1, [int(kept)])
    missing = [each.said for each in health.beginnings]
    report = subprocess.run([*PROGRAM, "report", "--text", "--db", str(store)], capture_output=True, text=True, check=True)
    if not watched and not kept:
        assert missing == []
        assert "\nnothing is missing\n" in report.stdout
        return
    (missed,) = missing
    assert missed.endswith(
        f" {agent.pid} ran before the capture began, any earlier calls were not seen"
        if watched
        else f" {agent.pid} had begun before, what was sent there until then was not seen"
    )
    assert missed in said
    assert "\n1 thing is missing\n" in report.stdout
