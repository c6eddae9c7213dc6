"""A prompt, commands of a fake model -> what the demo's agent and its model said to each other, as events of a recording."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from agentsight_rx import op
from agentsight_rx.events import Event, Origin, ProcessExec, ProcessFork, TlsChunk
from tests.live.capture import PATIENCE_S
from tests.live.peers import Exchange, fake_llm
from tests.operators import Wire, run

__all__ = ["agent_run", "events_of"]

_BEGIN_MS = 1_795_716_000_000  # 2026-11-26 18:00:00 UTC


def agent_run(work: Path, model: Path, prompt: str, commands: Sequence[str], compact_tokens: int) -> Sequence[Exchange]:
    """What really went over the wire while the agent worked in the folder `work`."""
    words = [word for command in commands for word in ("--tool-command", command)]
    with fake_llm(model, *words) as peer:
        env = {
            "PATH": os.defpath,
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "ANTHROPIC_API_KEY": "dummy",
            "ANTHROPIC_BASE_URL": peer.base_url,
            "SSL_CERT_FILE": str(peer.ca_file),
            "AGENT_COMPACT_TOKENS": str(compact_tokens),
        }
        argv = [sys.executable, "-m", "agentsight_rx.runtime.demo.agent", prompt]
        subprocess.run(argv, cwd=work, env=env, check=True, capture_output=True, timeout=PATIENCE_S)
    return peer.exchanges()


def events_of(exchanges: Sequence[Exchange]) -> list[Event]:
    """The same as a capture of its connection gives it, with the start of the agent."""
    wire = Wire(start_ns=1_000_000_000)
    chunks: list[TlsChunk] = []
    for each in exchanges:
        head = f"{each.method} {each.path} HTTP/1.1\r\nhost: api.anthropic.com\r\ncontent-length: {len(each.request)}\r\n\r\n"
        chunks.append(wire.writes(head.encode() + each.request))
        fields = {name: value for name, value in each.response_headers.items() if name != "transfer-encoding"}
        lines = [f"{name}: {value}" for name, value in (fields | {"content-length": len(each.response)}).items()]
        chunks.append(wire.reads("\r\n".join([f"HTTP/1.1 {each.status} OK", *lines, "", ""]).encode() + each.response))
    begun = Origin(1, wire.connection.pid, wire.connection.pid, 1000, "agent", _BEGIN_MS * 1_000_000 + 1)
    start = wire.connection.start_ns
    started: list[Event] = [
        ProcessFork(begun, 1, start),
        ProcessExec(begun, 1, start, filename="/usr/bin/agent", argv=("agent",), cwd="/work"),
    ]
    read: list[Event] = [*run(op.read_http(), chunks)]
    placed: list[Event] = run(op.normalize(offset=lambda: _BEGIN_MS * 1_000_000), read)
    return [*started, *placed]
