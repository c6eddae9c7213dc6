from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.events import Reply, SseEvent, Usage
from agentsight_rx.llm import StreamReader, dialect_of, find
from agentsight_rx.llm.canonical import MediaPart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from agentsight_rx.llm.dialects.aws.converse import BEDROCK_CONVERSE


def event(kind: str, **payload: Any) -> SseEvent:
    return SseEvent(kind, json.dumps(payload))


def read(*events: SseEvent) -> StreamReader:
    reader = BEDROCK_CONVERSE.reader()
    for each in events:
        reader.feed(each)
    return reader


BLOCKS: list[tuple[dict[str, Any], Part]] = [
    ({"text": "Hi"}, TextPart("Hi")),
    ({"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "E"}}}, ReasoningPart("Hm")),
    ({"reasoningContent": {"redactedContent": "E"}}, ReasoningPart("")),
    ({"toolUse": {"toolUseId": "t", "name": "ls", "input": {"a": 1}}}, ToolCallPart("t", "ls", '{"a": 1}')),
    (
        {"toolUse": {"toolUseId": "t", "name": "search", "input": {}, "type": "server_tool_use"}},
        ToolCallPart("t", "search", "{}", server=True),
    ),
    (
        {"toolResult": {"toolUseId": "t", "content": [{"text": "a"}, {"json": {"b": 1}}], "status": "error"}},
        ToolResultPart("t", 'a\n{"b": 1}', is_error=True),
    ),
    (
        {"image": {"format": "png", "source": {"bytes": "aGk="}}},
        MediaPart("image", "png", size=4),
    ),
    (
        {"document": {"format": "pdf", "name": "a", "source": {"s3Location": {"uri": "s3://b/a.pdf"}}}},
        MediaPart("file", "pdf", "s3://b/a.pdf"),
    ),
    ({"guardContent": {"text": {"text": "Hi", "qualifiers": ["query"]}}}, TextPart("Hi")),
    ({"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": []}}, TextPart("ab")),
]


@pytest.mark.parametrize(("block", "part"), BLOCKS)
def test_each_kind_of_block_means_the_same_in_requests_and_answers(block: dict[str, Any], part: Part) -> None:
    message = {"role": "assistant", "content": [block, {"cachePoint": {"type": "default"}}, {"brandNew": 1}]}
    assert BEDROCK_CONVERSE.answer(json.dumps({"output": {"message": message}}).encode()).parts == (part,)
    (asked,) = BEDROCK_CONVERSE.asks(json.dumps({"messages": [message]}).encode()).messages
    assert asked.parts == (part,)


def test_a_cut_stream_has_its_text_and_no_end() -> None:
    reader = read(
        event("messageStart", role="assistant"), event("contentBlockDelta", contentBlockIndex=0, delta={"text": "Hi"})
    )
    assert (reader.reply().text, reader.ended, reader.finished_choices) == ("Hi", False, False)


def test_after_the_end_of_its_message_a_stream_is_complete_without_counts() -> None:
    reader = read(event("messageStart", role="assistant"), event("messageStop", stopReason="end_turn"))
    assert (reader.ended, reader.finished_choices, reader.reply().usage) == (False, True, None)


def test_results_of_a_servers_tool_are_streamed() -> None:
    reader = read(
        event("contentBlockStart", contentBlockIndex=0, start={"toolResult": {"toolUseId": "t", "status": "error"}}),
        event("contentBlockDelta", contentBlockIndex=0, delta={"toolResult": [{"text": "no"}]}),
    )
    assert reader.answer().parts == (ToolResultPart("t", "no", is_error=True),)


def test_encrypted_reasoning_is_a_part_without_text() -> None:
    reader = read(event("contentBlockDelta", contentBlockIndex=0, delta={"reasoningContent": {"redactedContent": "E"}}))
    assert reader.answer().parts == (ReasoningPart(""),)


def test_a_field_that_cannot_be_read_is_named() -> None:
    reader = read(event("metadata", usage={"inputTokens": "x", "outputTokens": 2}), event("messageStop", stopReason=1))
    assert reader.reply() == Reply(usage=Usage(0, 2), unknown=("usage.inputTokens", "stopReason"))


def test_the_type_of_an_event_shows_the_dialect() -> None:
    assert dialect_of(event("contentBlockDelta", contentBlockIndex=0, delta={"text": "Hi"})) is BEDROCK_CONVERSE
    assert dialect_of(event("chunk", contentBlockIndex=0)) is None


@pytest.mark.parametrize("kind", ["throttlingException", "modelStreamErrorException", "internalServerException"])
def test_an_exception_ends_a_stream(kind: str) -> None:
    reader = read(event("messageStart", role="assistant"), event(kind, message="Slow down"))
    assert (reader.ended, reader.reply().error) == (True, f"{kind}: Slow down")


def test_what_a_model_takes_beyond_the_common_fields_is_read() -> None:
    more = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "top_k": 5}
    asked = BEDROCK_CONVERSE.asks(json.dumps({"messages": [], "additionalModelRequestFields": more}).encode())
    assert (asked.parameters.reasoning, asked.parameters.top_k) == ("1024", 5)


def test_other_methods_are_no_calls() -> None:
    assert find("bedrock-runtime.us-east-1.amazonaws.com", "/model/x/converse") is BEDROCK_CONVERSE
    assert find("bedrock-runtime.us-east-1.amazonaws.com", "/model/x/converse/tokens") is None
