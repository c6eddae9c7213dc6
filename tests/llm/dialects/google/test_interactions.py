from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.events import Reply, SseEvent, ToolCall, Usage
from agentsight_rx.llm import StreamReader, find
from agentsight_rx.llm.canonical import MediaPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from agentsight_rx.llm.dialects.google.interactions import GEMINI_INTERACTIONS


def event(kind: str, **fields: Any) -> SseEvent:
    return SseEvent(kind, json.dumps({"event_type": kind, **fields}))


def read(*events: SseEvent) -> StreamReader:
    reader = GEMINI_INTERACTIONS.reader()
    for each in events:
        reader.feed(each)
    return reader


STEPS: list[tuple[dict[str, Any], Part]] = [
    ({"type": "model_output", "content": [{"type": "text", "text": "Hi"}]}, TextPart("Hi")),
    (
        {"type": "model_output", "content": [{"type": "image", "mime_type": "image/png", "data": "aGk="}]},
        MediaPart("image", "image/png", size=4),
    ),
    ({"type": "thought", "summary": [{"type": "text", "text": "Hm"}], "signature": "E"}, ReasoningPart("Hm")),
    ({"type": "thought", "signature": "E"}, ReasoningPart("")),
    ({"type": "function_call", "id": "t", "name": "ls", "arguments": {"a": 1}}, ToolCallPart("t", "ls", '{"a": 1}')),
    (
        {"type": "code_execution_call", "id": "c", "arguments": {"language": "python", "code": "1"}},
        ToolCallPart("c", "code_execution", '{"language": "python", "code": "1"}', server=True),
    ),
    ({"type": "code_execution_result", "call_id": "c", "result": "1\n", "is_error": False}, ToolResultPart("c", "1\n")),
    (
        {"type": "function_result", "call_id": "t", "result": [{"type": "text", "text": "no"}], "is_error": True},
        ToolResultPart("t", "no", is_error=True),
    ),
    ({"type": "function_result", "call_id": "t", "result": {"a": 1}}, ToolResultPart("t", '{"a": 1}')),
]


@pytest.mark.parametrize(("step", "part"), STEPS)
def test_each_kind_of_step_means_the_same_whole_streamed_and_asked(step: dict[str, Any], part: Part) -> None:
    body = json.dumps({"id": "i", "steps": [step]}).encode()
    assert GEMINI_INTERACTIONS.answer(body).parts == (part,)
    assert GEMINI_INTERACTIONS.answer(body.replace(b"steps", b"outputs")).parts == (part,), "the older name"
    assert read(event("step.start", index=0, step=step)).answer().parts == (part,)
    (asked,) = GEMINI_INTERACTIONS.asks(json.dumps({"input": [step]}).encode()).messages
    assert asked.parts == (part,)


def test_the_older_events_are_read() -> None:
    reader = read(
        event("interaction.start", interaction={"id": "i", "model": "gemini-x", "status": "in_progress"}),
        event("content.start", index=0, content={"type": "thought"}),
        event("content.delta", index=0, delta={"type": "thought_summary", "content": {"type": "text", "text": "Hm"}}),
        event("content.start", index=1, content={"type": "text"}),
        event("content.delta", index=1, delta={"type": "text", "text": "Hi"}),
        event("content.delta", index=2, delta={"type": "function_call", "id": "t", "name": "ls", "arguments": {"a": 1}}),
        event("content.stop", index=2),
        event(
            "interaction.complete",
            interaction={
                "id": "i",
                "status": "completed",
                "usage": {"total_input_tokens": 9, "total_output_tokens": 2, "total_reasoning_tokens": 1},
            },
        ),
    )
    assert reader.reply() == Reply(
        "i",
        "gemini-x",
        text="Hi",
        thinking="Hm",
        tool_calls=(ToolCall("t", "ls", '{"a": 1}'),),
        usage=Usage(9, 3, reasoning=1),
        finish_reason="completed",
    )
    assert (reader.unknown, reader.finished_choices) == (0, True)


def test_a_cut_stream_has_its_text_and_no_end() -> None:
    begun = event("interaction.created", interaction={"id": "i", "status": "in_progress"})
    reader = read(begun, event("step.delta", index=0, delta={"type": "text", "text": "Hi"}))
    assert (reader.reply().text, reader.ended, reader.finished_choices) == ("Hi", False, False)


def test_a_failed_interaction_says_why() -> None:
    said = {"id": "i", "status": "failed", "error": {"code": "internal", "message": "Broken"}}
    assert GEMINI_INTERACTIONS.response(json.dumps(said).encode()) == Reply(
        "i", finish_reason="failed", error="internal: Broken"
    )
    assert read(event("interaction.completed", interaction=said)).reply().error == "internal: Broken"


@pytest.mark.parametrize(
    ("input", "roles"),
    [
        ("Hi", ["user"]),
        ([{"type": "text", "text": "Hi"}, {"type": "image", "uri": "u"}], ["user"]),
        (
            [{"role": "user", "content": "Hi"}, {"role": "model", "content": [{"type": "text", "text": "Ho"}]}],
            ["user", "assistant"],
        ),
        ({"type": "text", "text": "Hi"}, ["user"]),
    ],
)
def test_the_input_may_be_text_contents_or_turns(input: Any, roles: list[str]) -> None:
    asked = GEMINI_INTERACTIONS.asks(json.dumps({"agent": "deep", "input": input}).encode())
    assert [message.role for message in asked.messages] == roles
    assert (asked.model, asked.messages[0].texts()) == ("deep", ["Hi"])


def test_steps_of_one_side_in_a_row_are_one_message() -> None:
    steps = [{"type": "user_input", "content": "Hi"}, STEPS[2][0], STEPS[4][0], STEPS[8][0]]
    assert GEMINI_INTERACTIONS.asks(json.dumps({"input": steps}).encode()).messages == (
        Message("user", (TextPart("Hi"),)),
        Message("assistant", (ReasoningPart("Hm"), ToolCallPart("t", "ls", '{"a": 1}'))),
        Message("tool", (ToolResultPart("t", '{"a": 1}'),)),
    )


@pytest.mark.parametrize(
    "path", ["/v1beta/interactions", "/v1/interactions?alt=sse", "/v1beta1/projects/p/locations/l/interactions"]
)
def test_creating_an_interaction_is_a_call(path: str) -> None:
    assert find("", path) is GEMINI_INTERACTIONS


@pytest.mark.parametrize("path", ["/v1beta/interactions/i", "/v1beta/interactions/i/cancel", "/api/interactions"])
def test_other_methods_are_no_calls(path: str) -> None:
    assert find("generativelanguage.googleapis.com", path) is None


def test_an_interaction_in_the_background_is_pending() -> None:
    assert GEMINI_INTERACTIONS.answer(b'{"id":"i","status":"in_progress"}').pending
    assert not GEMINI_INTERACTIONS.answer(b'{"id":"i","status":"completed"}').pending
    assert GEMINI_INTERACTIONS.polled("/v1beta/interactions/i") == "i"
    assert GEMINI_INTERACTIONS.polled("/v1beta/interactions") is None
