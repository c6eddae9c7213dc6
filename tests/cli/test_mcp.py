"""What `agentsight-rx mcp` refuses before it serves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import agentsight_rx.cli.mcp as command
from tests.cli.inside import ended
from tests.cli.mcp.recordings import replayed


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return replayed(tmp_path_factory.mktemp("mcp") / "run.lmdb")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (
            ("--db", "/nothing.lmdb"),
            1,
            "/nothing.lmdb does not exist; the recordings that there are: agentsight-rx report list",
        ),
        (("--server-port", "7"), 2, "--server-port is the port of --http; give both"),
        (("--http", "--server-port", "70000"), 2, "--server-port 70000 is not a port"),
        (("--prices", "/nothing.toml"), 2, "/nothing.toml cannot be read"),
        (("install", "--for", "nothing"), 2, "nothing"),
        (("nothing",), 2, "No such command 'nothing'"),
    ],
)
def test_a_wrong_use_is_one_sentence(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], status: int, said: str
) -> None:
    done = ended(capsys, "mcp", *words)
    assert status == done.returncode
    assert said in done.stderr
    assert "" == done.stdout


def test_without_the_extra_it_says_what_to_install(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_nothing(_: str) -> None:
        return None

    monkeypatch.setattr(command, "find_spec", find_nothing)
    done = ended(capsys, "mcp", "--db", str(run))
    assert 2 == done.returncode
    assert "the MCP server needs the package mcp, not installed here: pip install 'agentsight-rx[mcp]'\n" in done.stderr


def test_a_recording_of_another_user_is_refused_at_once(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "invoking_user", lambda: (54_321, 54_321))
    done = ended(capsys, "mcp", "--db", str(run))
    assert 2 == done.returncode
    assert f"is a recording of user {os.getuid()}, and user 54321 asks: only your own recordings" in done.stderr


def test_it_ends_when_the_client_closes_its_input(run: Path) -> None:
    words = [sys.executable, "-m", "agentsight_rx", "mcp", "--db", str(run)]
    done = subprocess.run(words, input="no JSON\n", capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_though_the_client_says_nothing(run: Path, number: signal.Signals) -> None:
    words = [sys.executable, "-m", "agentsight_rx", "mcp", "--db", str(run)]
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stderr is not None
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})
        server.stdin.write(f"{line}\n".encode())
        server.stdin.flush()
        assert b'"agentsight-rx"' in server.stdout.readline()
        server.send_signal(number)
        assert (b"", 128 + number) == (server.stderr.read(), server.wait())


def test_the_tools_are_loaded_by_no_other_use_of_the_command() -> None:
    code = "import sys, agentsight_rx.cli.mcp.clients; print('mcp' in sys.modules, 'pydantic' in sys.modules)"
    assert "False False" == subprocess.check_output([sys.executable, "-c", code], text=True).strip()
