"""A third-party collector, rotel, understands what the OpenTelemetry sink sends, over HTTP and over gRPC."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agentsight_rx.events.loss import Ledger
from agentsight_rx.sinks import OtelOptions, otel
from agentsight_rx.sinks.otel.names import METRICS
from agentsight_rx.view import CallRow
from tests.live.capture import PATIENCE_S, PROGRAM, until
from tests.live.peers import installed
from tests.otlp_conformance import problems, shape_of, values
from tests.sinks.test_otel import collecting as receiving

CALLS = 7


pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("test_otel"), pytest.mark.needs("collector")]


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


@contextmanager
def forwarding(to: str, folder: Path) -> Generator[dict[str, str]]:
    """Run a collector that sends on what it gets to the receiver at `to`. Gives its URL for each protocol."""
    free = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    http, grpc = (f"127.0.0.1:{each.getsockname()[1]}" for each in free)
    for each in free:
        each.close()
    command = [str(installed("rotel") / "rotel-agent"), "start", "--exporter", "otlp", "--otlp-exporter-endpoint", to]
    command += ["--otlp-exporter-protocol", "http", "--otlp-http-endpoint", http, "--otlp-grpc-endpoint", grpc]
    command += ["--batch-timeout", "100ms"]
    with (folder / "rotel").open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=folder) as process:
        try:
            until(lambda: listens(http) and listens(grpc))
            yield {"http/protobuf": f"http://{http}", "grpc": f"http://{grpc}"}
        finally:
            process.kill()


def agent(folder: Path, command: str) -> tuple[list[str], dict[str, str]]:
    """An agent that asks a model twice and runs `command` in between; the model answers it in `model`."""
    env = {"ANTHROPIC_API_KEY": "no-key-needed", "SSL_CERT_FILE": str(folder / "ca.pem")}
    return [sys.executable, "-m", "agentsight_rx.runtime.demo.agent", f"Please run {command}"], {**os.environ, **env}


@contextmanager
def model(folder: Path, command: str) -> Generator[str]:
    """A model that asks for one command. Gives its URL."""
    words = [sys.executable, "-m", "agentsight_rx.runtime.demo.fake_llm", "--dir", str(folder), "--tool-command", command]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"https://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.kill()


def ids(spans: Iterable[Span]) -> set[tuple[str, bytes, bytes, bytes]]:
    return {(span.name, span.trace_id, span.span_id, span.parent_span_id) for span in spans}


@pytest.mark.live
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_recorded_agent_is_one_connected_trace_and_its_recording_gives_it_again(protocol: str, tmp_path: Path) -> None:
    store, command = tmp_path / "run.lmdb", f"wc -l < /etc/hostname > {tmp_path}/lines"
    with ExitStack() as stack:
        base = stack.enter_context(model(tmp_path, command))
        live, replayed, exported = (stack.enter_context(receiving()) for _ in range(3))
        urls = {name: stack.enter_context(forwarding(each.url, _folder(tmp_path / name)))[protocol]
                for name, each in (("live", live), ("replayed", replayed), ("exported", exported))}  # fmt: skip
        words, env = agent(tmp_path, command)
        otel = ["--otel", "--otel-protocol", protocol, "--otel-endpoint"]
        ran = run(
            "record", "--no-server", "--db", str(store), *otel, urls["live"], "--", *words, ANTHROPIC_BASE_URL=base, **env
        )
        assert (ran.returncode, "nothing is missing" in ran.stderr) == (0, True), ran.stderr
        until(lambda: any(span.name.startswith("invoke_agent") for span in live.spans))
        again = run("replay", str(store), "-q", *otel, urls["replayed"])
        assert again.returncode == 0, again.stderr
        sent = run("report", "export", "--db", str(store), "--format", "otlp", *otel[1:], urls["exported"])
        assert sent.returncode == 0, sent.stderr
        until(lambda: len(replayed.spans) == len(exported.spans) == len(live.spans))
        until(lambda: bool(live.measured))
    assert [] == problems(live.spans, with_content=False)
    (root,) = shape_of(live.spans).items()
    assert root[0].startswith("invoke_agent ")
    first, second = root[1].values()
    assert list(first) == ["execute_tool bash"]
    assert second == {}
    (shell,) = first["execute_tool bash"].items()
    assert shell == ("sh", {"wc": {}}) or shell == ("dash", {"wc": {}})
    assert ids(live.spans) == ids(replayed.spans) == ids(exported.spans)
    (tool,) = [span for span in live.spans if span.name == "execute_tool bash"]
    assert f"{tmp_path}/lines" in {values(event.attributes).get("file.path") for event in tool.events}
    names = {m.name for each in live.measured for r in each.resource_metrics for s in r.scope_metrics for m in s.metrics}
    assert {metric.name for metric in METRICS.values()} == names


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *words], capture_output=True, text=True, env={**os.environ, **env}, timeout=PATIENCE_S, check=False
    )


@pytest.mark.live
def test_a_collector_that_is_not_there_costs_one_line_and_changes_no_exit_status(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        base_command = "true"
        with model(tmp_path, base_command) as base:
            words, env = agent(tmp_path, base_command)
            store = str(tmp_path / "run.lmdb")
            ran = run(
                "record", "--no-server", "--db", store, "--otel-endpoint", url, "--", *words, ANTHROPIC_BASE_URL=base, **env
            )
    lines = [line for line in ran.stderr.splitlines() if "OpenTelemetry" in line]
    assert (0, 1) == (ran.returncode, len(lines)), ran.stderr
    assert "Connection refused; spans that it does not take are counted" in lines[0]
    assert re.search(r"\d+ lost at otel \(sink failed\)", ran.stderr), ran.stderr
