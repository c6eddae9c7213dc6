from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.events import Reply, SseEvent, ToolCall, Usage
from agentsight_rx.llm import StreamReader
from agentsight_rx.llm.canonical import Message, ToolCallPart, ToolResultPart
from agentsight_rx.llm.dialects.openai.assistants import OPENAI_ASSISTANTS


def event(kind: str, **fields: Any) -> SseEvent:
    return SseEvent(kind, json.dumps({"object": kind, **fields}))


def read(*events: SseEvent) -> StreamReader:
    reader = OPENAI_ASSISTANTS.reader()
    for each in events:
        reader.feed(each)
    return reader


def run(status: str, **fields: Any) -> dict[str, Any]:
    return {"id": "run_1", "object": "thread.run", "status": status, "model": "gpt-1", **fields}


def text(value: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": {"value": value, "annotations": []}, **fields}


DONE = SseEvent("done", "[DONE]")
DELTAS = [
    event("thread.message", id="msg_1", content=[]),
    event("thread.message.delta", id="msg_1", delta={"content": [text("Hi ", index=0)]}),
    event("thread.message.delta", id="msg_1", delta={"content": [text("there", index=0)]}),
]


def test_a_streamed_message_is_text_and_its_end_does_not_double_it() -> None:
    reader = OPENAI_ASSISTANTS.reader()
    assert [reader.feed(each) for each in DELTAS] == [False, True, True]
    assert not reader.feed(event("thread.message", id="msg_1", content=[text("Hi there")]))
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    reader.feed(event("thread.run", **{**run("completed", usage=usage), "object": "thread.run"}))
    reader.feed(DONE)
    assert reader.reply() == Reply("run_1", "gpt-1", "Hi there", usage=Usage(9, 2), finish_reason="stop")
    assert reader.ended
    alone = read(event("thread.message", id="msg_1", content=[text("Hi there")]))
    assert alone.reply().text == "Hi there"


def test_tools_of_the_server_are_calls_too() -> None:
    def step(kind: str, given: str) -> dict[str, Any]:
        call = {"index": 0, "id": "i", "type": "code_interpreter", "code_interpreter": {"input": given}}
        return {"id": "step_1", kind: {"step_details": {"tool_calls": [call]}}}

    reader = read(*(event("thread.run.step.delta", **step("delta", piece)) for piece in ("1+", "1")))
    assert reader.answer().parts == (ToolCallPart("i", "code_interpreter", "1+1", server=True),)
    reader.feed(event("thread.run.step", id="step_1", step_details=step("x", "1+1")["x"]["step_details"]))
    assert reader.reply().tool_calls == (ToolCall("i", "code_interpreter", "1+1"),)


@pytest.mark.parametrize(
    ("status", "fields", "pending", "reason", "error"),
    [
        ("queued", {}, True, None, None),
        ("in_progress", {}, True, None, None),
        ("completed", {}, False, "stop", None),
        ("failed", {"last_error": {"code": "server_error", "message": "Sorry"}}, False, "error", "server_error: Sorry"),
        ("incomplete", {"incomplete_details": {"reason": "max_prompt_tokens"}}, False, "max_prompt_tokens", None),
        ("expired", {}, False, "expired", None),
    ],
)
def test_a_run_says_how_far_it_is(
    status: str, fields: dict[str, Any], *, pending: bool, reason: str | None, error: str | None
) -> None:
    answer = OPENAI_ASSISTANTS.answer(json.dumps(run(status, **fields)).encode())
    assert (answer.id, answer.pending, answer.finish_reasons, answer.error) == (
        "run_1",
        pending,
        (reason,) if reason else (),
        error,
    )


def test_outputs_of_tools_are_results() -> None:
    body = {"tool_outputs": [{"tool_call_id": "c", "output": "a b"}], "stream": True}
    asked = OPENAI_ASSISTANTS.asked(json.dumps(body).encode(), "/v1/threads/thread_1/runs/run_1/submit_tool_outputs")
    assert asked.messages == (Message("tool", (ToolResultPart("c", "a b"),)),)
    assert (asked.conversation_id, asked.stream) == ("thread_1", True)
