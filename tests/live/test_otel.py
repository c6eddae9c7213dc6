"""A third-party collector, rotel, understands the spans of the OpenTelemetry sink."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentsight_rx.loss import Ledger
from agentsight_rx.sinks import OtelOptions, otel
from agentsight_rx.view import CallRow

from .capture import until
from .peers import installed

CALLS = 7


pytestmark = pytest.mark.live


@contextmanager
def collecting(log: Path) -> Generator[str]:
    """Run a collector that writes every span to `log`. Gives its URL."""
    free = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    http, grpc = (f"127.0.0.1:{each.getsockname()[1]}" for each in free)
    for each in free:
        each.close()
    command = [str(installed("rotel") / "rotel-agent"), "start", "--exporter", "blackhole", "--debug-log", "traces"]
    command += ["--debug-log-verbosity", "detailed", "--otlp-http-endpoint", http, "--otlp-grpc-endpoint", grpc]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=log.parent) as process:
        try:
            until(lambda: listens(http))
            yield f"http://{http}"
        finally:
            process.kill()


def listens(address: str) -> bool:
    host, _, port = address.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_real_collector_takes_every_span(compression: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
    row = CallRow(
        "llm-last",
        1_800_000_000_000,
        1_800_000_002_000,
        provider="anthropic",
        model="claude",
        status="error",
        status_code=429,
        finish_reason="end_turn",
        conversation_id="talk",
        prompt="Say hi",
        start_ns=1_800_000_000_000_000_007,
        end_ns=1_800_000_001_000_000_009,
    )
    ledger, log = Ledger(), tmp_path / "log"
    with collecting(log) as url:
        writer = otel(OtelOptions(url, capture_content=True, deadline_s=60)).open(ledger)
        writer.write([CallRow(f"llm-{number}", 1, 2, status="complete") for number in range(CALLS - 1)])
        writer.write([row])
        writer.close()
        until(lambda: log.read_text().count("Name           : chat") >= CALLS)
    assert ledger.complete
    said = log.read_text()
    assert CALLS == len(set(re.findall(r"^ +ID +: ([0-9a-f]{16})$", said, re.MULTILINE)))
    for line in (
        "Name           : chat claude",
        "Kind           : SPAN_KIND_CLIENT",
        "Start time: 1800000000000000007",
        "End time: 1800000001000000009",
        "Status code    : STATUS_CODE_ERROR",
        "Status message : HTTP 429",
        "-> service.name: Str(agentsight-rx)",
        "-> gen_ai.provider.name: Str(anthropic)",
        "-> gen_ai.conversation.id: Str(talk)",
        "-> gen_ai.response.finish_reasons: Slice(Str(end_turn))",
        "-> http.response.status_code: Int(429)",
        "-> agentsight.complete: Bool(true)",
        'Str([{"role":"user","parts":[{"type":"text","content":"Say hi"}]}])',
    ):
        assert line in said, line
