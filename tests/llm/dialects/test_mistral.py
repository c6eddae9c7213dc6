from __future__ import annotations

import json
from typing import Any

from agentsight_rx.events import Reply, SseEvent, Usage
from agentsight_rx.llm import StreamReader
from agentsight_rx.llm.canonical import Message, Parameters, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from agentsight_rx.llm.dialects.mistral import MISTRAL_CONVERSATIONS


def read(*events: dict[str, Any]) -> StreamReader:
    reader = MISTRAL_CONVERSATIONS.reader()
    for each in events:
        reader.feed(SseEvent(each["type"], json.dumps(each)))
    return reader


def test_what_tools_of_the_server_read_is_input() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 8, "total_tokens": 22, "connector_tokens": 4}
    reader = read({"type": "message.output.delta", "content": "Hi"}, {"type": "conversation.response.done", "usage": usage})
    assert reader.reply() == Reply(text="Hi", usage=Usage(14, 8), finish_reason="stop")


def test_handoffs_are_known_and_other_events_are_not() -> None:
    assert read({"type": "agent.handoff.started"}, {"type": "agent.handoff.done"}).unknown == 0
    assert read({"type": "message_start"}, {"type": "response.created"}).unknown == 2


def test_thoughts_calls_and_results_of_the_conversation_are_parts() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
    inputs = [
        {"type": "message.output", "content": [thought, {"type": "text", "text": "Hi"}]},
        {"type": "tool.execution", "id": "t", "name": "web_search", "arguments": {"q": 1}},
        {"type": "function.result", "tool_call_id": "c", "result": "a"},
    ]
    asked = MISTRAL_CONVERSATIONS.asks(
        json.dumps({"inputs": inputs, "completion_args": {"stop": "x", "random_seed": 7}}).encode()
    )
    assert asked.messages == (
        Message("assistant", (ReasoningPart("Hm"), TextPart("Hi"))),
        Message("assistant", (ToolCallPart("t", "web_search", '{"q": 1}', server=True),)),
        Message("tool", (ToolResultPart("c", "a"),)),
    )
    assert asked.parameters == Parameters(stop=("x",), seed=7)


def test_the_path_names_the_conversation() -> None:
    assert MISTRAL_CONVERSATIONS.asked(b'{"inputs":"Hi"}', "/v1/conversations/conv_1").conversation_id == "conv_1"
