"""A recorded answer and one in a file, in each form in which servers answer: what differs, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agentsight_rx.cli import app
from agentsight_rx.errors import AgentsightError
from agentsight_rx.runtime.demo.answers import DIALECTS, reply_to
from tests.cli.report.asked import answer_of, request_to, stored
from tests.cli.report.asking import text, values
from tests.live.wire_answers import dialect_for

SAID = {
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [
        {"type": "text", "text": "\n".join(f"line {number}" for number in range(12))},
        {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "pytest -q"}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 6200, "cache_read_input_tokens": 12_000, "output_tokens": 640},
}
PATHS = ("/v1/messages", "/v1/chat/completions", "/v1/responses", "/api/chat")


def story(path: Path, said: dict[str, Any]) -> Path:
    request = request_to("https://api.anthropic.com", "/v1/messages", b'{"model":"claude-sonnet-4-5","messages":[]}')
    return stored(path, request, answer_of(request, json.dumps(said).encode()))


def other(**changed: Any) -> dict[str, Any]:
    return SAID | changed


def test_what_differs_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a long path would be cut
    store, file = story(tmp_path / "a.lmdb", SAID), Path("answer.json")
    lines = [f"line {number}" for number in range(12)]
    lines[5] = "another line"
    called = {"type": "tool_use", "id": "t9", "name": "Bash", "input": {"command": "pytest"}}
    more = {"type": "tool_use", "id": "t8", "name": "Read", "input": {"file_path": "/x"}}
    usage = {"input_tokens": 6200, "cache_read_input_tokens": 0, "output_tokens": 700}
    file.write_text(
        json.dumps(
            other(model="claude-opus-4-5", content=[{"type": "text", "text": "\n".join(lines)}, called, more], usage=usage)
        )
    )
    assert text(store, "call", "1", "--against", str(file)) == [
        f"turn 1 · recorded → {file}",
        " model       claude-sonnet-4-5 → claude-opus-4-5",
        " ended by    tool_use",
        "",
        "             recorded    now",
        " input          6,200  6,200",
        " output           640    700  +60",
        " cache read    12,000      0  -12,000",
        "",
        "tools",
        " ~ Bash  pytest -q",
        " → Bash  pytest",
        " + Read  /x",
        "",
        "text",
        "   2 lines unchanged",
        "   line 2",
        "   line 3",
        "   line 4",
        " - line 5",
        " + another line",
        "   line 6",
        "   line 7",
        "   line 8",
        "   3 lines unchanged",
    ]
    (value,) = values(store, "call", "1", "--against", str(file))
    assert value["model"] == ["claude-sonnet-4-5", "claude-opus-4-5"]
    assert [each["change"] for each in value["tools"]] == ["changed", "new"]


def test_the_same_answer_is_the_same(tmp_path: Path) -> None:
    store, file = story(tmp_path / "a.lmdb", SAID), tmp_path / "answer.json"
    file.write_text(json.dumps(other(id="another"), indent=2))
    lines = text(store, "call", "1", "--against", str(file))
    assert lines[-1] == "they say the same"
    assert "   Bash  pytest -q" in lines
    assert "   12 lines unchanged" in lines


def test_no_text_and_no_counts_are_said(tmp_path: Path) -> None:
    store = story(tmp_path / "a.lmdb", other(content=[], usage={}, stop_reason=None))
    file = tmp_path / "answer.json"
    file.write_text(json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}))
    assert text(store, "call", "1", "--against", str(file))[1:] == [
        " model       claude-sonnet-4-5 → –",
        " error       – → overloaded_error: Overloaded",
        "",
        "text",
        "   neither says any",
    ]
    file.write_text(json.dumps(other(content=[SAID["content"][0]])))  # type: ignore[index]  # pyright: ignore[reportArgumentType]
    lines = text(story(tmp_path / "b.lmdb", SAID), "call", "1", "--against", str(file))
    assert " - Bash  pytest -q" in lines
    file.write_text(json.dumps(other(usage=None)))
    lines = text(story(tmp_path / "c.lmdb", SAID), "call", "1", "--against", str(file))
    assert " input          6,200  unknown" in lines


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_is_read_as_it_came_whole_or_streamed(tmp_path: Path, path: str, stream: bool) -> None:
    dialect = DIALECTS.get(path) or dialect_for(path)
    assert dialect is not None
    asked: dict[str, Any] = {
        "model": "m",
        "stream": stream,
        "messages": [{"role": "user", "content": "hello"}],
        "input": "hello",
    }
    body = json.dumps(asked).encode()
    request = request_to("https://llm.test", path, body)

    def replied(number: int) -> tuple[bytes, str]:
        made = reply_to(dialect, path, body, number, ())
        return b"".join(made.parts), made.headers["content-type"]

    data, kind = replied(1)
    store = stored(tmp_path / "a.lmdb", request, answer_of(request, data, kind=kind))
    (tmp_path / "answer").write_bytes(replied(2)[0])
    lines = text(store, "call", "1", "--against", str(tmp_path / "answer"))
    assert lines[-1] == "they say the same"
    (value,) = values(store, "call", "1", "--against", str(tmp_path / "answer"))
    assert value["text"][0]["change"] == "same"


def test_an_error_instead_of_a_stream_is_read_too(tmp_path: Path) -> None:
    request = request_to("https://g.test", "/v1beta/models/m:streamGenerateContent", b'{"contents":[]}')
    chunk = {"candidates": [{"content": {"parts": [{"text": "hello"}], "role": "model"}, "finishReason": "STOP"}]}
    store = stored(tmp_path / "a.lmdb", request, answer_of(request, json.dumps([chunk]).encode()))
    file = tmp_path / "answer"
    file.write_text(json.dumps([chunk]))
    assert text(store, "call", "1", "--against", str(file))[-1] == "they say the same"
    file.write_text(json.dumps({"error": {"code": 429, "message": "too many", "status": "RESOURCE_EXHAUSTED"}}))
    assert any("too many" in line for line in text(store, "call", "1", "--against", str(file)))


@pytest.mark.parametrize("data", [b"", b"  \n", b"HTTP/1.1 200 OK\r\n\r\n{}", b"\x1f\x8b\x08", b"[1]", b'"text"'])
def test_a_file_that_is_no_answer_is_an_error(tmp_path: Path, data: bytes) -> None:
    store, file = story(tmp_path / "a.lmdb", SAID), tmp_path / "answer"
    file.write_bytes(data)
    assert "this is no answer of anthropic. Give the body as the server sent it" in refused(store, file)


def test_a_file_that_is_not_there_or_too_large_is_an_error(tmp_path: Path) -> None:
    store = story(tmp_path / "a.lmdb", SAID)
    assert "it cannot be read: No such file" in refused(store, tmp_path / "none")
    with (tmp_path / "large").open("wb") as large:
        large.truncate((64 << 20) + 1)
    assert "it has more than 67,108,864 bytes" in refused(store, tmp_path / "large")


def test_without_a_recorded_answer_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    request = request_to("https://api.anthropic.com", "/v1/messages", b'{"model":"m","messages":[]}')
    store = stored(tmp_path / "a.lmdb", request)
    assert "is not in the store: only its row is" in refused(store, tmp_path / "none")


def refused(store: Path, file: Path) -> str:
    ran = CliRunner().invoke(app, ["report", "call", "1", "--against", str(file), "--db", str(store)])
    assert isinstance(ran.exception, AgentsightError)
    return str(ran.exception)
