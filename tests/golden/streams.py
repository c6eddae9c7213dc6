"""Streams of providers: the bytes of small complete answers, and the replies that they mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from agentsight_rx.events import Reply, ToolCall, Usage

__all__ = [
    "ANTHROPIC",
    "ANTHROPIC_REPLY",
    "CHAT_END",
    "GEMINI_CHUNKS",
    "GEMINI_REPLY",
    "START",
    "STOP",
    "anthropic",
    "call_start",
    "chat",
    "data",
    "delta",
    "event",
    "partial_json",
    "responses",
    "responses_reply",
    "says",
    "sse",
    "thinks",
]


def data(value: Any) -> bytes:
    """An event without a type."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def event(kind: str, **fields: Any) -> bytes:
    """An event as Anthropic and OpenAI's Responses send it: with its type in both places."""
    return sse({"type": kind, **fields})


def sse(value: dict[str, Any]) -> bytes:
    """The same for a whole value."""
    return f"event: {value['type']}\n".encode() + data(value)


# -- Anthropic -------------------------------------------------------------------------------------------------------------


def delta(index: int, kind: str, **fields: str) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **fields})


def says(text: str, index: int = 0) -> bytes:
    return delta(index, "text_delta", text=text)


def thinks(text: str, index: int = 0) -> bytes:
    return delta(index, "thinking_delta", thinking=text)


def partial_json(text: str, index: int = 1) -> bytes:
    return delta(index, "input_json_delta", partial_json=text)


def call_start(index: int, call: str, name: str) -> bytes:
    return event("content_block_start", index=index, content_block={"type": "tool_use", "id": call, "name": name, "input": {}})


START = event("message_start", message={"id": "msg_123", "model": "claude-x"})
STOP = event("message_stop")


def anthropic(number: int = 1) -> list[bytes]:
    """Text, thinking and two tools; `number` makes a second answer different."""
    counts = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 30,
        "output_tokens": 1,
    }
    return [
        event("message_start", message={"id": f"msg_{number}", "model": "claude-x", "usage": counts}),
        event("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""}),
        thinks("Let me 模"),
        delta(0, "signature_delta", signature="c2ln"),
        event("content_block_stop", index=0),
        event("content_block_start", index=1, content_block={"type": "text", "text": ""}),
        says("Hello ", 1),
        event("ping"),
        says("Wörld 🙂", 1),
        event("content_block_stop", index=1),
        call_start(2, f"toolu_{number}a", "Bash"),
        partial_json('{"command":', 2),
        partial_json('"ls"}', 2),
        event("content_block_stop", index=2),
        call_start(3, f"toolu_{number}b", "Read"),
        partial_json('{"path":"/a"}', 3),
        event("content_block_stop", index=3),
        event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 40}),
        STOP,
    ]


ANTHROPIC = anthropic()
ANTHROPIC_REPLY = Reply(
    id="msg_1",
    model="claude-x",
    text="Hello Wörld 🙂",
    thinking="Let me 模",
    tool_calls=(ToolCall("toolu_1a", "Bash", '{"command":"ls"}'), ToolCall("toolu_1b", "Read", '{"path":"/a"}')),
    usage=Usage(input=10, output=40, cache_creation=20, cache_read=30),
    finish_reason="tool_use",
)

# -- OpenAI ----------------------------------------------------------------------------------------------------------------

CHAT_END = b"data: [DONE]\n\n"


def chat(choices: Sequence[Any], identity: str = "chatcmpl-a", **fields: Any) -> bytes:
    return data({"id": identity, "object": "chat.completion.chunk", "model": "gpt-x", "choices": choices, **fields})


def _response(status: str, number: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"resp_{number}", "object": "response", "model": "gpt-x", "status": status, **fields}


_COUNTS = {"input_tokens": 30, "input_tokens_details": {"cached_tokens": 20}, "output_tokens": 4}


def responses(number: int = 1) -> list[dict[str, Any]]:
    """One answer as events, or as messages of a WebSocket; `number` makes a second answer different."""
    item = f"m_{number}"
    text = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": item}
    call = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": "lookup"}
    arguments = {"type": "response.function_call_arguments.delta", "output_index": 1, "item_id": f"fc_{number}"}
    return [
        {"type": "response.created", "response": _response("in_progress", number)},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "id": item}},
        {**text, "delta": "Hello "},
        {**text, "delta": f"模型 {number}"},
        {"type": "response.output_item.added", "output_index": 1, "item": {**call, "arguments": ""}},
        {**arguments, "delta": '{"q":'},
        {**arguments, "delta": '"x"}'},
        {"type": "response.output_item.done", "output_index": 1, "item": {**call, "arguments": '{"q":"x"}'}},
        {"type": "response.completed", "response": _response("completed", number, usage=_COUNTS)},
    ]


def responses_reply(number: int = 1) -> Reply:
    return Reply(
        id=f"resp_{number}",
        model="gpt-x",
        text=f"Hello 模型 {number}",
        tool_calls=(ToolCall(f"call_{number}", "lookup", '{"q":"x"}'),),
        usage=Usage(input=10, output=4, cache_read=20),
        finish_reason="stop",
    )


# -- Gemini ----------------------------------------------------------------------------------------------------------------


def _gemini(text: str, prompt: int, said: int, reason: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    counts = {"promptTokenCount": prompt, "candidatesTokenCount": said, "totalTokenCount": prompt + said}
    return {"candidates": [candidate], "usageMetadata": counts, "modelVersion": "gemini-x", "responseId": "r1"}


GEMINI_CHUNKS = [_gemini("One ", 8, 1), _gemini("two ", 8, 2), _gemini("three", 8, 3, "STOP")]
GEMINI_REPLY = Reply(id="r1", model="gemini-x", text="One two three", usage=Usage(input=8, output=3), finish_reason="STOP")
