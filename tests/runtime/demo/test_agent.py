"""The demo's agent: its tools, its instructions, the marks for the cache, and the summary in place of a long conversation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.runtime.demo import agent
from agentsight_rx.runtime.demo.prompt_cache import MARK
from tests.live.peers import Exchange, fake_llm

TOOL = {"name": "greet", "description": "Say hello.", "input_schema": {"type": "object"}, "command": "echo hello; exit 3"}


def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *commands: str, compact_tokens: int = 9999) -> Sequence[Exchange]:
    """What an agent in `tmp_path` and its model said to each other."""
    words = [word for command in commands for word in ("--tool-command", command)]
    with fake_llm(tmp_path / "model", *words) as peer:
        for name, value in (
            ("ANTHROPIC_API_KEY", "k"),
            ("ANTHROPIC_BASE_URL", peer.base_url),
            ("SSL_CERT_FILE", str(peer.ca_file)),
            ("AGENT_COMPACT_TOKENS", str(compact_tokens)),
        ):
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.argv", ["agent", "Do it."])
        monkeypatch.chdir(tmp_path)
        assert 0 == agent.main()
    return peer.exchanges()


def requests(exchanges: Sequence[Exchange]) -> list[Any]:
    return [json.loads(each.request) for each in exchanges]


def result(request: Any) -> tuple[str, bool]:
    """Of the newest tool."""
    block = request["messages"][-1]["content"][0]
    return block["content"], block["is_error"]


def test_it_runs_a_shell_reads_files_and_says_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("text of a")
    reads = [f'@read_file {{"file_path": "{name}"}}' for name in ("a.txt", "b.txt")]
    _, shell, silent, read, missing, other = requests(
        asked(tmp_path, monkeypatch, "echo out; echo err >&2; exit 1", "true", *reads, "@no_tool {}")
    )
    assert ("out\nerr\n", True) == result(shell)
    assert ("(no output)", False) == result(silent)
    assert ("text of a", False) == result(read)
    assert result(missing)[1]
    assert "No such file" in result(missing)[0]
    assert result(other)[1]


def test_a_tool_that_the_folder_gets_is_in_the_next_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = f"mkdir .agent && echo '{json.dumps(TOOL)}' > .agent/greet.json"
    first, second, third = requests(asked(tmp_path, monkeypatch, made, "@greet {}"))
    assert ["bash", "read_file"] == [tool["name"] for tool in first["tools"]]
    assert {**first["tools"][0]} == second["tools"][0]
    assert {name: value for name, value in TOOL.items() if name != "command"} == second["tools"][-1]
    assert ("hello\n", True) == result(third)


def test_its_instructions_are_part_of_the_system_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "AGENTS.md").write_text("Be brief.")
    first, _ = requests(asked(tmp_path, monkeypatch, "true"))
    assert f"Instructions from: {tmp_path}/AGENTS.md\nBe brief." == first["system"][-1]["text"]


def test_the_ends_of_system_text_and_conversation_are_marked_for_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for request in requests(asked(tmp_path, monkeypatch, "true", "true")):
        said = [block for message in request["messages"] for block in message["content"]]
        blocks = [*request["system"], *said]
        marked = [block for block in blocks if MARK.items() <= block.items()]
        assert [request["system"][-1], said[-1]] == marked


def test_a_summary_takes_the_place_of_a_long_conversation_and_the_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = ("seq 900  # I count.", "echo b  # I say b.", "echo c")
    exchanges = asked(tmp_path, monkeypatch, *commands, compact_tokens=1000)
    _, _, summary, after, last = requests(exchanges)
    assert summary["messages"][-1]["content"][-1]["text"].startswith("Summarize the conversation so far")
    (message,) = after["messages"]
    said = message["content"][0]["text"]
    for part in ("<conversation_summary>", "The task: Do it.", "Tools called so far: 2", "- I count.", "- I say b."):
        assert part in said
    assert ("c\n", False) == result(last)
    assert [200] * 5 == [each.status for each in exchanges]


def test_a_model_that_never_stops_calling_tools_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError):
        asked(tmp_path, monkeypatch, *["@no_tool {}"] * 51)
    assert "no answer after 50 turns" in capsys.readouterr().err


def test_an_error_within_a_stream_is_the_end() -> None:
    begun = {"type": "message_start", "message": {"usage": {"input_tokens": 3}}}
    assert (3, "") == (agent.read_reply([begun]).tokens, agent.read_reply([begun]).text)
    with pytest.raises(RuntimeError, match="overloaded"):
        agent.read_reply([begun, {"type": "error", "error": {"type": "overloaded_error", "message": "overloaded"}}])


def test_a_model_that_refuses_is_an_error_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with fake_llm(tmp_path) as peer:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", f"{peer.base_url}/elsewhere")
        monkeypatch.setenv("SSL_CERT_FILE", str(peer.ca_file))
        monkeypatch.setattr("sys.argv", ["agent", "Do it."])
        assert 1 == agent.main()
    assert "status 404" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["agent"])
    assert 2 == agent.main()
    assert "usage: " in capsys.readouterr().err
