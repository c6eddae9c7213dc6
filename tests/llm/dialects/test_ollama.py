from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.events import Reply, SseEvent, ToolCall, Usage
from agentsight_rx.llm import Prompt, StreamReader, find
from agentsight_rx.llm.canonical import MediaPart, TextPart, ToolResultPart
from agentsight_rx.llm.dialects.ollama import OLLAMA

AT = {"model": "qwen", "created_at": "2026-01-01T00:00:00Z"}
END = {"done": True, "done_reason": "length", "prompt_eval_count": 9, "eval_count": 2}


def read(*chunks: dict[str, Any]) -> StreamReader:
    reader = OLLAMA.reader()
    for chunk in chunks:
        reader.feed(SseEvent("message", json.dumps({**AT, **chunk})))
    return reader


def test_generate_is_streamed_as_text_and_thinking() -> None:
    reader = read(
        {"response": "", "thinking": "Hm", "done": False},
        {"response": "Hi ", "done": False},
        {"response": "there", "done": False},
        {"response": "", "context": [1, 2], **END},
    )
    expected = Reply(model="qwen", text="Hi there", thinking="Hm", usage=Usage(9, 2), finish_reason="length")
    assert (reader.reply(), reader.ended, reader.unknown) == (expected, True, 0)
    whole = {**AT, "response": "Hi there", "thinking": "Hm", **END}
    assert OLLAMA.response(json.dumps(whole).encode()) == expected


def test_lines_of_json_in_one_body_are_one_answer() -> None:
    lines = [{**AT, "message": {"content": each}, "done": False} for each in ("Hi ", "there")]
    body = "\n".join(json.dumps(each) for each in (*lines, {**AT, "message": {"content": ""}, **END}))
    assert OLLAMA.response(body.encode()).text == "Hi there"


def test_a_cut_stream_has_its_text_and_no_end() -> None:
    reader = read({"message": {"content": "Hi"}, "done": False})
    assert (reader.reply().text, reader.ended, reader.finished_choices) == ("Hi", False, False)


def test_calls_have_their_own_ids_or_are_numbered() -> None:
    calls: Any = [
        {"id": "given", "function": {"name": "ls", "arguments": {}}},
        {"function": {"name": "pwd", "arguments": {"a": 1}}},
    ]
    reader = read(*({"message": {"content": "", "tool_calls": [call]}, "done": False} for call in calls))
    assert reader.reply().tool_calls == (ToolCall("given", "ls", "{}"), ToolCall("pwd-1", "pwd", '{"a": 1}'))


def test_results_answer_the_newest_calls() -> None:
    calls: Any = [{"function": {"name": "ls", "arguments": {}}}, {"function": {"name": "ls", "arguments": {}}}]
    said: Any = [
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "content": "a", "tool_name": "ls"},
        {"role": "tool", "content": "b", "tool_name": "ls"},
    ]
    messages = OLLAMA.asks(json.dumps({"model": "m", "messages": said}).encode()).messages
    assert [message.parts for message in messages[1:]] == [(ToolResultPart("ls-0", "a"),), (ToolResultPart("ls-1", "b"),)]


def test_a_prompt_to_generate_is_one_message_with_its_images() -> None:
    body = {"model": "m", "prompt": "Hi", "system": "Be brief.", "images": ["aGk="], "stream": False, "format": "json"}
    asked = OLLAMA.asks(json.dumps(body).encode())
    assert (asked.stream, asked.parameters.output_type) == (False, "json")
    assert [message.parts for message in asked.messages] == [
        (TextPart("Be brief."),),
        (TextPart("Hi"), MediaPart("image", size=4)),
    ]


@pytest.mark.parametrize("body", [{}, {"a": 1}])
def test_a_body_that_is_no_request_asks_for_nothing(body: dict[str, Any]) -> None:
    assert OLLAMA.request(json.dumps(body).encode()) == Prompt()


def test_other_methods_are_no_calls() -> None:
    assert find("localhost:11434", "/api/chat") is OLLAMA
    assert [find("localhost:11434", path) for path in ("/api/tags", "/api/embed", "/api/pull", "/api/generate/x")] == [None] * 4
