"""All sources and destinations at once, for an agent that calls a model, runs a tool and uses an MCP server."""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from pathlib import Path

import pytest

from agentsight_rx.store.state import LmdbStore
from tests.live.capture import PATIENCE_S, started, tracing
from tests.live.peers import CLIENTS, fake_llm
from tests.live.test_otel import collecting
from tests.reports import read_report

pytestmark = pytest.mark.live

SERVER = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("demo", version="1.2.3")
@server.tool()
def add(a: int, b: int) -> int:
    return a + b
server.run()
"""
AGENT = """
import asyncio, subprocess, sys, time
from pathlib import Path
while not Path(sys.argv[1]).exists():
    time.sleep(0.01)
from mcp import Client
from mcp.client.stdio import StdioServerParameters
async def tools():
    async with Client(StdioServerParameters(command=sys.executable, args=[sys.argv[2]])) as client:
        for number in range(5):
            await client.call_tool("add", {"a": number, "b": 1})
asyncio.run(tools())
sys.exit(subprocess.run([sys.executable, "-m", "agentsight_rx.runtime.demo.agent", "Run one shell command"]).returncode)
"""


def test_one_trace_fills_every_destination(tmp_path: Path) -> None:
    agent, server, gate = tmp_path / "agent.py", tmp_path / "server.py", tmp_path / "go"
    agent.write_text(AGENT)
    server.write_text(SERVER)
    path, spans = tmp_path / "run.lmdb", tmp_path / "spans"
    with fake_llm(tmp_path) as peer, collecting(spans) as collector:
        env = CLIENTS[0].env(peer, tmp_path)
        command = [sys.executable, str(agent), str(gate), str(server)]
        with started(command, env) as watched, (tmp_path / "out").open("wb") as out:
            sources = [
                "--ssl",
                "--process",
                "--stdio",
                "--stdio-all-fds",
                "--system",
                "--system-interval",
                "0.2",
                "--files",
                "--net",
            ]
            sinks = ["--server", "--server-port", "0", "--otel", "--otel-endpoint", collector, "--db", str(path)]
            words = [*sources, "-p", str(watched.pid), *sinks, "--for", "600s"]
            with tracing("trace", *words, stdout=out) as (tracer, said):
                _check_page(said)
                gate.touch()
                assert watched.wait(PATIENCE_S) == 0
                _, err = tracer.communicate(timeout=PATIENCE_S)  # it ends with its target
    assert tracer.returncode == 0
    assert "nothing is missing" in err
    seen = {json.loads(line)["source"] for line in (tmp_path / "out").read_text().splitlines()}
    assert {"ssl", "http_parser", "sse_processor", "process", "stdio", "system"} <= seen
    assert spans.read_text().count("Name           : chat") == 2
    _check_store(path)


def _check_page(said: str) -> None:
    found = re.search(r"live page: (\S+)", said)
    assert found is not None
    place, _, token = found[1].partition("#token=")
    with urllib.request.urlopen(place) as page:
        assert b"<html" in page.read()
    request = urllib.request.Request(f"{place}api/v1/snapshot", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["schema_version"] == 1


def _check_store(path: Path) -> None:
    store = LmdbStore.open(path, readonly=True)
    report = read_report(store)
    store.close()
    assert report.complete
    assert report.totals.calls == 2
    assert report.totals.tools_linked == 1
    assert report.totals.audits["mcp"] >= 5
    assert report.totals.audits["file"] > 100
    assert report.totals.audits["network"] >= 1
