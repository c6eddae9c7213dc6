"""
Requests of Amazon Bedrock -> how the fake model answers them, whole and in frames of an event stream: Converse, and InvokeModel
with a model of Anthropic.

Shapes: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import unquote

from agentsight_rx.runtime.demo.answers import DIALECTS, Answer, Ask, Dialect, argument_pieces, json_bytes, text_pieces
from agentsight_rx.runtime.demo.shells import tool_among
from property_tests.aws_frames import chunk, event

__all__ = ["bedrock_dialect"]

_PATH = re.compile(r"/model/([^/]+)/(converse|converse-stream|invoke|invoke-with-response-stream)")
_STREAM = "application/vnd.amazon.eventstream"
_ANTHROPIC = DIALECTS["/v1/messages"]


def bedrock_dialect(path: str) -> Dialect | None:
    """The API at this path, or None."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    model, operation = unquote(found[1]), found[2]
    stream = operation.endswith("-stream")
    if operation.startswith("converse"):
        return Dialect(partial(_read_converse, model, stream), _converse_whole, _converse_frames, _STREAM)
    return Dialect(partial(_read_invoke, model, stream), _ANTHROPIC.whole, _invoke_frames, _STREAM)


def _read_invoke(model: str, stream: bool, body: bytes, number: int) -> Ask:
    asked = _ANTHROPIC.read(json_bytes(json.loads(body) | {"model": model}), number)
    return replace(asked, size=len(body), stream=stream)


def _invoke_frames(answer: Answer) -> Iterator[bytes]:
    for sent in _ANTHROPIC.events(answer):
        said: Any = json.loads(sent.partition(b"data: ")[2])
        if said["type"] == "message_stop":
            counts = {"inputTokenCount": answer.input_tokens, "outputTokenCount": answer.output_tokens}
            said["amazon-bedrock-invocationMetrics"] = counts | {"invocationLatency": 9, "firstByteLatency": 5}
        yield chunk(json.dumps(said))


def _read_converse(model: str, stream: bool, body: bytes, number: int) -> Ask:
    request: Any = json.loads(body)
    messages: list[Any] = request["messages"]
    offered: Any = request.get("toolConfig")
    tools: list[Any] = offered["tools"] if offered else []
    said = [_text(message["content"]) for message in messages if message["role"] == "user"]
    results = [block["toolResult"] for message in messages for block in message["content"] if "toolResult" in block]
    return Ask(
        number=number,
        size=len(body),
        model=model,
        stream=stream,
        stream_usage=True,
        prompt=next((text for text in reversed(said) if text), ""),
        tool=tool_among([tool["toolSpec"]["name"] for tool in tools if "toolSpec" in tool]),
        results=tuple(_text(result["content"]) for result in results),
    )


def _text(content: list[Any]) -> str:
    return "".join(block.get("text", "") for block in content)


def _converse_whole(answer: Answer) -> dict[str, object]:
    content: list[object] = [{"text": answer.text}]
    if answer.arguments:
        content.append({"toolUse": _tool_use(answer) | {"input": json.loads(answer.arguments)}})
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": _reason(answer),
        **_metadata(answer),
    }


def _converse_frames(answer: Answer) -> Iterator[bytes]:
    for kind, said in _converse_steps(answer):
        yield event(kind, json.dumps(said | {"p": "abcdefgh"}))  # p: bytes that hide how long the text is


def _converse_steps(answer: Answer) -> Iterator[tuple[str, dict[str, object]]]:
    yield "messageStart", {"role": "assistant"}
    for piece in text_pieces(answer.text):
        yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}}
    yield "contentBlockStop", {"contentBlockIndex": 0}
    if answer.arguments:
        yield "contentBlockStart", {"contentBlockIndex": 1, "start": {"toolUse": _tool_use(answer)}}
        for piece in argument_pieces(answer.arguments):
            yield "contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": piece}}}
        yield "contentBlockStop", {"contentBlockIndex": 1}
    yield "messageStop", {"stopReason": _reason(answer)}
    yield "metadata", _metadata(answer)


def _tool_use(answer: Answer) -> dict[str, object]:
    return {"toolUseId": f"tooluse_{answer.id}", "name": answer.ask.tool}


def _reason(answer: Answer) -> str:
    return "tool_use" if answer.arguments else "end_turn"


def _metadata(answer: Answer) -> dict[str, object]:
    usage = {
        "inputTokens": answer.input_tokens,
        "outputTokens": answer.output_tokens,
        "totalTokens": answer.input_tokens + answer.output_tokens + answer.cached_tokens,
        "cacheReadInputTokens": answer.cached_tokens,
        "cacheWriteInputTokens": 0,
    }
    return {"usage": usage, "metrics": {"latencyMs": 9}}
