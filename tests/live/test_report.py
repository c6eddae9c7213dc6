"""The example agent, recorded: every report, as text and as JSON, says what the server logged and what really ran."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from tests.cli.report.asking import bytes_of, text, values
from tests.live.capture import PATIENCE_S, PROGRAM
from tests.live.peers import Exchange, fake_llm

pytestmark = pytest.mark.live

EXAMPLE = Path(__file__).parents[2] / "examples" / "agent.py"
PROMPT = "Count the lines of a file, and report."
COMMAND = "wc -l < /etc/hostname > out.txt; cat out.txt; exit 3"
MODEL = "claude-opus-4-6"
SERVER_TOKENS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
ROW_TOKENS = ("input_tokens", "output_tokens", "cache_creation_tokens", "cache_read_tokens")


@dataclass(frozen=True)
class Recorded:
    store: Path
    folder: Path  # in which the agent ran
    host: str  # of the server
    exchanges: tuple[Exchange, ...]  # as the server logged them
    out: str  # what the agent printed
    err: str


def record(folder: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """A recording of the example agent in `folder`."""
    command = [*PROGRAM, "record", "--no-server", "--db", str(folder / "run.lmdb"), "--", sys.executable, str(EXAMPLE), *words]
    return subprocess.run(
        command, cwd=folder / "work", env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("report")
    (folder / "work").mkdir()
    with fake_llm(folder, "--tool-command", COMMAND) as peer:
        environment = os.environ | {
            "ANTHROPIC_BASE_URL": peer.base_url,
            "ANTHROPIC_MODEL": MODEL,
            "ANTHROPIC_API_KEY": "no-key-needed",
            "SSL_CERT_FILE": str(peer.ca_file),
            "PYTHONPATH": str(EXAMPLE.parents[1]),
        }
        done = record(folder, environment, PROMPT)
        host = urlsplit(peer.base_url).netloc
    assert done.returncode == 0, done.stderr
    return Recorded(folder / "run.lmdb", folder / "work", host, tuple(peer.exchanges()), done.stdout, done.stderr)


def usage(exchange: Exchange) -> dict[str, int]:
    """What the server said that a call took: the later events of its stream count."""
    found: dict[str, int] = {}
    for line in exchange.response.splitlines():
        if line.startswith(b"data: "):
            event = json.loads(line.removeprefix(b"data: "))
            found |= event.get("message", {}).get("usage") or event.get("usage") or {}
    return found


def tool_pid(recorded: Recorded) -> int:
    (tool,) = values(recorded.store, "tools")
    pid: int = tool["related_pid"]
    return pid


# -- calls and tools -----------------------------------------------------------------------------------------------------


def test_the_calls_took_the_tokens_that_the_server_said(recorded: Recorded) -> None:
    calls = values(recorded.store, "calls")
    assert [call["turn"] for call in calls] == [1, 2]
    for call, exchange in zip(calls, recorded.exchanges, strict=True):
        said = usage(exchange)
        assert [call[name] for name in ROW_TOKENS] == [said[name] for name in SERVER_TOKENS]
        assert (call["status"], call["model"], call["host"]) == ("complete", MODEL, recorded.host)
    lines = text(recorded.store, "calls")
    assert [line.split()[0] for line in lines[1:3]] == ["1", "2"]
    assert lines[4].startswith("2 calls · ")


def test_the_sums_are_those_of_the_server(recorded: Recorded) -> None:
    sums = [sum(usage(exchange)[name] for exchange in recorded.exchanges) for name in SERVER_TOKENS]
    (tokens,) = values(recorded.store, "tokens")
    (session,) = values(recorded.store, "sessions")
    assert [tokens[name] for name in ROW_TOKENS] == sums == [session[name] for name in ROW_TOKENS]
    assert (tokens["calls"], session["calls"], session["title"]) == (2, 2, PROMPT)
    (summary,) = values(recorded.store, "summary")
    assert (summary["calls"], summary["output_tokens"]) == (2, sums[1])


def test_the_tool_is_tied_to_the_process_that_ran_it(recorded: Recorded) -> None:
    (tool,) = values(recorded.store, "tools")
    assert tool["related_argv"] == ["/bin/sh", "-c", COMMAND]
    assert (tool["tool_name"], tool["input"], tool["exit_code"]) == ("bash", {"command": COMMAND}, 3)
    assert (tool["link"], tool["status"]) == ("argv", "failed")
    assert any("exit 3" in line and str(tool["related_pid"]) in line for line in text(recorded.store, "tools"))


def test_one_call_has_what_was_said(recorded: Recorded) -> None:
    (first,) = values(recorded.store, "call", "1")
    assert first["call"]["prompt"] == PROMPT
    assert [work["tool"]["exit_code"] for work in first["tools"]] == [3]
    assert any("exit 3" in line for line in text(recorded.store, "call", "1"))
    assert any(PROMPT in line for line in text(recorded.store, "prompts"))
    assert [value["prompt"] for value in values(recorded.store, "prompts")] == [PROMPT]


def test_the_first_screen_has_the_prompt_and_the_failed_tool(recorded: Recorded) -> None:
    lines = text(recorded.store, "summary")
    assert lines[0] == PROMPT
    assert any("exit 3" in line for line in lines)


# -- effects -------------------------------------------------------------------------------------------------------------


def test_the_processes_are_those_that_ran_below_the_agent(recorded: Recorded) -> None:
    agent, shell, *below = values(recorded.store, "processes")
    assert agent["argv"] == [sys.executable, str(EXAMPLE), PROMPT]
    assert (agent["exit_code"], agent["depth"], agent["cwd"]) == (0, 0, str(recorded.folder))
    assert (shell["argv"], shell["exit_code"], shell["depth"]) == (["/bin/sh", "-c", COMMAND], 3, 1)
    assert (shell["cause"]["turn"], shell["cause"]["prompt"], shell["starts"]) == (1, PROMPT, True)
    assert [each["argv"] for each in below] == [["wc", "-l"], ["cat", "out.txt"]]
    assert {each["ppid"] for each in below} == {shell["pid"]}
    assert len(text(recorded.store, "processes")) == 1 + 4


def test_the_file_that_the_tool_wrote_is_tied_to_it(recorded: Recorded) -> None:
    path = recorded.folder / "out.txt"
    (use,) = values(recorded.store, "files", "--path", str(path))
    assert (use["kind"], use["written_bytes"], use["read_bytes"]) == ("written", len(path.read_bytes()), len(path.read_bytes()))
    assert [(cause["tool"], cause["turn"]) for cause in use["causes"]] == [("bash", 1)]
    assert tool_pid(recorded) in [who["pid"] for who in use["by"]]
    assert any("out.txt" in line and line.split()[0] == "written" for line in text(recorded.store, "files"))


def test_the_only_peer_is_the_server(recorded: Recorded) -> None:
    found = values(recorded.store, "network")
    assert [(value["kind"], value.get("peer") or value.get("host")) for value in found] == [
        ("peer", recorded.host),
        ("host", recorded.host),
    ]
    assert (found[1]["count"], found[1]["calls"], found[1]["errors"]) == (2, 2, 0)
    assert any(recorded.host in line for line in text(recorded.store, "network"))


def test_the_exchanges_have_the_sizes_that_went_over_the_wire(recorded: Recorded) -> None:
    rows = values(recorded.store, "http")
    assert [(row["method"], row["path"], row["status_code"]) for row in rows] == [
        (exchange.method, exchange.path, exchange.status) for exchange in recorded.exchanges
    ]
    assert [(row["request_bytes"], row["response_bytes"]) for row in rows] == [
        (len(exchange.request), len(exchange.response)) for exchange in recorded.exchanges
    ]
    assert [row["turn"] for row in rows] == [1, 2]
    assert len(text(recorded.store, "http")) == 1 + 2


def test_the_audit_trail_has_the_tool_and_the_calls(recorded: Recorded) -> None:
    processes = values(recorded.store, "audit", "--audit-type", "process")
    assert [
        row["details"]["exit_code"] for row in processes if row["action"] == "exit" and row["pid"] == tool_pid(recorded)
    ] == [3]
    assert [row["action"] for row in values(recorded.store, "audit", "--audit-type", "llm", "--limit", "1")] == ["call"]
    assert len(text(recorded.store, "audit", "--audit-type", "llm")) == 1 + 4


def test_the_timeline_has_it_in_order(recorded: Recorded) -> None:
    kinds = [
        value["kind"]
        for value in values(recorded.store, "timeline")
        if value["kind"] in ("prompt", "answer", "tool") or value["pid"] == tool_pid(recorded)
    ]
    assert kinds[:4] == ["prompt", "answer", "tool", "program"]
    assert kinds[-1] == "answer"
    assert any("write out.txt" in line for line in text(recorded.store, "timeline", "--all"))


def test_nothing_speaks_mcp_and_nothing_is_missing(recorded: Recorded) -> None:
    assert values(recorded.store, "mcp") == []
    assert text(recorded.store, "health")[0] == "nothing is missing"


# -- the recording as a whole ----------------------------------------------------------------------------------------------


def test_the_second_call_sent_the_answer_and_the_result(recorded: Recorded) -> None:
    (found,) = values(recorded.store, "diff", "1", "2")
    assert [(each["change"], each["count"]) for each in found["messages"]] == [("same", 1), ("new", 2)]
    assert found["messages"][1]["messages"][1]["parts"][0]["is_error"] is True


def test_what_is_exported_can_be_replayed_with_the_same_calls(recorded: Recorded, tmp_path: Path) -> None:
    lines, again = tmp_path / "run.jsonl", tmp_path / "again.lmdb"
    bytes_of("export", "--db", str(recorded.store), "-o", str(lines))
    done = subprocess.run([*PROGRAM, "replay", "--quiet", "--db", str(again), str(lines)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    for report in ("calls", "tools", "processes", "http", "files"):
        assert values(again, report) == values(recorded.store, report)
    (first,), (second,) = values(again, "sessions"), values(recorded.store, "sessions")
    assert first | {"db": ""} == second | {"db": ""}
    snapshot: Any = msgspec.json.decode(bytes_of("export", "--db", str(recorded.store)))
    assert (snapshot["summary"]["llm_calls"], snapshot["completeness"]["complete"]) == (2, True)


def test_without_a_server_the_example_starts_one_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC_")}
    done = record(tmp_path, environment | {"PYTHONPATH": str(EXAMPLE.parents[1])})
    assert done.returncode == 0, done.stderr
    assert "ANTHROPIC_BASE_URL is not set: using the demo's fake model on 127.0.0.1:" in done.stderr
    assert "the tool said" in done.stdout
    calls = values(tmp_path / "run.lmdb", "calls")
    assert [(call["turn"], call["status"]) for call in calls] == [
        (1, "complete"),
        (2, "complete"),
    ]  # each once, not at both ends
    assert len(values(tmp_path / "run.lmdb", "tools")) == 1
