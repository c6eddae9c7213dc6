"""One turn through each SDK, recorded: calls, the server's own counts, the tool with its process, the session, reports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.cli.report.asking import text, values
from tests.live.capture import PATIENCE_S, PROGRAM
from tests.live.counts import ANTHROPIC, CONVERSE, GEMINI, OLLAMA, OPENAI, RESPONSES, TOKENS, Counts
from tests.live.peers import Exchange, installed, wire_server

pytestmark = pytest.mark.live

PROMPT = "Count the lines of a file, and report."
COMMAND = "wc -l < /etc/hostname > out.txt; cat out.txt; exit 3"
BEDROCK_MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"


@dataclass(frozen=True)
class Sdk:
    """The id of a call of a tool begins with `tool_id`; it is made up where the API gives none."""

    api: str
    package: str
    dialect: str
    counts: Counts
    tool_id: str
    model: str = "demo"


SDKS = (
    Sdk("anthropic", "anthropic", "anthropic", ANTHROPIC, tool_id="toolu_"),
    Sdk("openai", "openai", "openai", OPENAI, tool_id="call_"),
    Sdk("responses", "openai", "openai_responses", RESPONSES, tool_id="call_"),
    Sdk("gemini", "google.genai", "gemini", GEMINI, tool_id="bash-0"),
    Sdk("converse", "boto3", "bedrock_converse", CONVERSE, tool_id="tooluse_", model=BEDROCK_MODEL),
    Sdk("invoke", "boto3", "bedrock", ANTHROPIC, tool_id="toolu_", model=BEDROCK_MODEL),
    Sdk("ollama", "ollama", "ollama", OLLAMA, tool_id="bash-0"),
)


@dataclass(frozen=True)
class Recorded:
    sdk: Sdk
    store: Path
    folder: Path
    host: str
    exchanges: tuple[Exchange, ...]
    out: str


@pytest.fixture(scope="module", params=SDKS, ids=lambda sdk: sdk.api)
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    sdk: Sdk = request.param
    installed(sdk.package)
    folder = tmp_path_factory.mktemp(sdk.api)
    (folder / "home").mkdir()
    store = folder / "run.lmdb"
    with wire_server(folder / "server", "--tool-command", COMMAND) as peer:
        turn = [sys.executable, "-m", "tests.live.clients.sdk_turn", peer.base_url, sdk.api, PROMPT]
        done = subprocess.run(
            [*PROGRAM, "record", "--no-server", "--db", str(store), "--", *turn],
            cwd=folder / "home",
            env=_environment(folder / "home", peer.ca_file),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        host = urlsplit(peer.base_url).netloc
    assert done.returncode == 0, done.stderr
    assert "nothing is missing" in done.stderr, done.stderr
    return Recorded(sdk, store, folder / "home", host, tuple(peer.exchanges()), done.stdout)


def _environment(home: Path, ca_file: Path) -> dict[str, str]:
    """Dummy keys, and nothing of the one who runs the test."""
    return {
        "PATH": os.defpath,
        "HOME": str(home),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "SSL_CERT_FILE": str(ca_file),
        "AWS_CA_BUNDLE": str(ca_file),
        "AWS_EC2_METADATA_DISABLED": "true",
        "ANTHROPIC_API_KEY": "dummy",
        "OPENAI_API_KEY": "dummy",
        "GEMINI_API_KEY": "dummy",
    }


def said(sdk: Sdk, exchange: Exchange) -> list[int]:
    """The server's counts of one answer, the last of each, in normal form."""
    body = exchange.response
    if sdk.api == "invoke":  # the events are in the frames as base64
        body += b"".join(b64decode(found) for found in re.findall(rb'"bytes": ?"([^"]+)"', body))
    return sdk.counts.of(body)


def the_one(found: list[Any]) -> Any:
    (value,) = found
    return value


def test_the_calls_have_the_tokens_that_the_server_said(recorded: Recorded) -> None:
    sdk, calls = recorded.sdk, values(recorded.store, "calls")
    assert [(call["turn"], call["status"], call["stream"]) for call in calls] == [(1, "complete", True), (2, "complete", True)]
    assert [[call[name] for name in TOKENS] for call in calls] == [said(sdk, each) for each in recorded.exchanges]
    assert all(sum(said(sdk, each)) > 0 for each in recorded.exchanges)
    assert {(call["call_kind"], call["model"], call["host"]) for call in calls} == {(sdk.dialect, sdk.model, recorded.host)}
    assert [call["finish_reason"] is not None for call in calls] == [True, True]


def test_the_tool_is_tied_to_the_process_that_ran_it_and_to_its_result(recorded: Recorded) -> None:
    calls, tool = values(recorded.store, "calls"), the_one(values(recorded.store, "tools"))
    assert tool["related_argv"] == ["/bin/sh", "-c", COMMAND]
    assert (tool["tool_name"], tool["input"], tool["exit_code"]) == ("bash", {"command": COMMAND}, 3)
    assert (tool["link"], tool["confidence"]) == ("argv", 0.95)
    assert tool["tool_call_id"].startswith(recorded.sdk.tool_id)
    assert (tool["llm_call_id"], tool["result_call_id"]) == (calls[0]["id"], calls[1]["id"])
    assert "exit code 3" in tool["output"]
    processes = {row["pid"]: row["exit_code"] for row in values(recorded.store, "processes")}
    assert processes[tool["related_pid"]] == 3


def test_the_turn_is_one_session(recorded: Recorded) -> None:
    session = the_one(values(recorded.store, "sessions"))
    assert (session["calls"], session["tools"], session["title"]) == (2, 1, PROMPT)
    sums = [sum(each) for each in zip(*(said(recorded.sdk, each) for each in recorded.exchanges), strict=True)]
    assert [session[name] for name in TOKENS] == sums
    assert {call["session_id"] for call in values(recorded.store, "calls")} == {session["id"]}


def test_the_reports_say_so(recorded: Recorded) -> None:
    first = text(recorded.store, "summary")
    assert first[0] == PROMPT
    assert any("exit 3" in line for line in first)
    assert text(recorded.store, "health")[0] == "nothing is missing"
    assert [line.split()[0] for line in text(recorded.store, "calls")[1:3]] == ["1", "2"]
    whole = the_one(values(recorded.store, "call", "2"))
    assert whole["call"]["text"].strip() in recorded.out
    assert "the tool said" in whole["call"]["text"]
