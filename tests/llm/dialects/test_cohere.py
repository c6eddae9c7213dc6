from __future__ import annotations

import json
from typing import Any

from agentsight_rx.events import Reply, SseEvent, ToolCall, Usage
from agentsight_rx.llm import StreamReader, find
from agentsight_rx.llm.canonical import MediaPart, ReasoningPart, TextPart, ToolCallPart
from agentsight_rx.llm.dialects.cohere import COHERE


def event(kind: str, **fields: Any) -> SseEvent:
    return SseEvent(kind, json.dumps({"type": kind, **fields}))


def read(*events: SseEvent) -> StreamReader:
    reader = COHERE.reader()
    for each in events:
        reader.feed(each)
    return reader


def test_thinking_is_streamed_in_a_block_of_its_own() -> None:
    reader = read(
        event("message-start", id="c", delta={"message": {"role": "assistant"}}),
        event("content-start", index=0, delta={"message": {"content": {"type": "thinking", "thinking": ""}}}),
        event("content-delta", index=0, delta={"message": {"content": {"thinking": "Hm"}}}),
        event("content-start", index=1, delta={"message": {"content": {"type": "text", "text": ""}}}),
        event("content-delta", index=1, delta={"message": {"content": {"text": "Hi"}}}),
        event("citation-start", index=0, delta={"message": {"citations": {"start": 0, "end": 2, "text": "Hi"}}}),
    )
    assert reader.answer().parts == (ReasoningPart("Hm"), TextPart("Hi"))
    assert (reader.unknown, reader.ended, reader.finished_choices) == (0, False, False)


def test_calls_are_told_apart_by_their_index() -> None:
    def call(index: int, **said: Any) -> dict[str, Any]:
        return {"index": index, "delta": {"message": {"tool_calls": said}}}

    reader = read(
        event("tool-call-start", **call(0, id="a", function={"name": "ls", "arguments": ""})),
        event("tool-call-start", **call(1, id="b", function={"name": "pwd", "arguments": ""})),
        event("tool-call-delta", **call(1, function={"arguments": "{}"})),
        event("tool-call-delta", **call(0, function={"arguments": '{"a":1}'})),
    )
    assert reader.reply().tool_calls == (ToolCall("a", "ls", '{"a":1}'), ToolCall("b", "pwd", "{}"))


def test_billed_units_count_where_there_are_no_tokens() -> None:
    said: dict[str, Any] = {"message": {"content": []}, "usage": {"billed_units": {"input_tokens": 3, "output_tokens": 2.0}}}
    assert COHERE.response(json.dumps(said).encode()).usage == Usage(3, 2)


def test_counts_that_are_no_counts_are_none() -> None:
    said = {"usage": {"tokens": {"input_tokens": -3, "output_tokens": 1e300}}}
    assert COHERE.response(json.dumps(said).encode()).usage == Usage(0, 0)


def test_a_message_that_is_text_is_an_error_only_where_nothing_was_answered() -> None:
    assert COHERE.response(b'{"message":"Slow down"}') == Reply(error="Slow down")
    assert COHERE.response(b'{"id":"c","message":"?","finish_reason":"COMPLETE"}') == Reply("c", unknown=("message",))


def test_parts_of_a_request_are_read() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}
    said = [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, image]},
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "Hm"}],
            "tool_calls": [{"id": "t", "function": {"name": "ls", "arguments": "{}"}}],
        },
    ]
    user, model = COHERE.asks(json.dumps({"messages": said, "thinking": {"type": "disabled"}}).encode()).messages
    assert user.parts == (TextPart("Hi"), MediaPart("image", reference="https://a.example/b.png"))
    assert model.parts == (ReasoningPart("Hm"), ToolCallPart("t", "ls", "{}"))


def test_other_methods_are_no_calls() -> None:
    assert find("api.cohere.com", "/v2/chat") is COHERE
    assert [find("api.cohere.com", path) for path in ("/v2/embed", "/v2/rerank", "/v1/tokenize", "/v1/models")] == [None] * 4
