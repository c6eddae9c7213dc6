"""
Requests -> how the fake model answers them, whole and streamed; those of the OpenAI Responses and the Gemini API are made here.

Shapes: https://platform.openai.com/docs/api-reference/responses-streaming, https://ai.google.dev/api/generate-content.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from agentsight_rx.runtime.demo.answers import (
    DIALECTS,
    Answer,
    Ask,
    Dialect,
    argument_pieces,
    json_bytes,
    server_sent,
    text_pieces,
)
from agentsight_rx.runtime.demo.shells import tool_among
from tests.live.wire_bedrock import bedrock_dialect
from tests.live.wire_mistral import MISTRAL
from tests.live.wire_ollama import OLLAMA

__all__ = ["RESPONSES", "dialect_for", "responses_events"]

_GEMINI = re.compile(r"/v1(?:alpha|beta)?/models/([^/:]+):(generateContent|streamGenerateContent)")


def dialect_for(target: str) -> Dialect | None:
    """The API at this request target, or None."""
    path, _, query = target.partition("?")
    if path == "/v1/responses":
        return RESPONSES
    if path == "/api/chat":
        return OLLAMA
    if path == "/mistral/v1/chat/completions":
        return MISTRAL
    if bedrock := bedrock_dialect(path):
        return bedrock
    if not (gemini := _GEMINI.fullmatch(path)):
        return DIALECTS.get(path)
    read = partial(_read_gemini, gemini[1], gemini[2] == "streamGenerateContent")
    if parse_qs(query).get("alt") == ["sse"]:
        return Dialect(read, _gemini_whole, _gemini_events)
    return Dialect(read, _gemini_whole, _gemini_array, "application/json; charset=utf-8")


def _read_responses(body: bytes, number: int) -> Ask:
    request: Any = json.loads(body)
    asked: Any = request["input"]
    items: list[Any] = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    tools: list[Any] = [tool for offer in (request, *items) for tool in offer.get("tools") or ()]
    said = [_texts(item["content"]) for item in items if item.get("role") == "user"]
    return Ask(
        number=number,
        size=len(body),
        model=str(request["model"]),
        stream=bool(request.get("stream")),
        stream_usage=True,
        prompt=next((text for text in reversed(said) if text), ""),
        tool=tool_among([tool["name"] for tool in tools if "name" in tool]),
        results=tuple(_texts(item["output"]) for item in items if str(item.get("type")).endswith("_call_output")),
    )


def _texts(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _responses_whole(answer: Answer) -> dict[str, object]:
    usage = {
        "input_tokens": answer.input_tokens,
        "input_tokens_details": {"cached_tokens": answer.cached_tokens},
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }
    output = [_output_message(answer, "completed", answer.text)]
    if answer.arguments:
        output.append(_tool_call(answer, "completed", answer.arguments))
    return _response(answer, "completed", output) | {"usage": usage}


def responses_events(answer: Answer) -> Iterator[dict[str, object]]:
    """The events of a streamed response; over a WebSocket each is one message."""
    for number, event in enumerate(_responses_steps(answer)):
        yield event | {"sequence_number": number}


def _responses_steps(answer: Answer) -> Iterator[dict[str, object]]:
    yield {"type": "response.created", "response": _response(answer, "in_progress", [])}
    yield {"type": "response.in_progress", "response": _response(answer, "in_progress", [])}
    yield _item("added", 0, _output_message(answer, "in_progress", None))
    at: dict[str, object] = {"item_id": f"msg_{answer.id}", "output_index": 0, "content_index": 0}
    yield {"type": "response.content_part.added", **at, "part": _output_text("")}
    for piece in text_pieces(answer.text):
        yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": answer.text, "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": _output_text(answer.text)}
    yield _item("done", 0, _output_message(answer, "completed", answer.text))
    if answer.arguments:
        at = {"item_id": f"fc_{answer.id}", "output_index": 1}
        yield _item("added", 1, _tool_call(answer, "in_progress", ""))
        for piece in argument_pieces(answer.arguments):
            yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
        named = {"name": (answer.ask.tool or "").rpartition("/")[2], "arguments": answer.arguments}
        yield {"type": "response.function_call_arguments.done", **at, **named}
        yield _item("done", 1, _tool_call(answer, "completed", answer.arguments))
    yield {"type": "response.completed", "response": _responses_whole(answer)}


def _responses_stream(answer: Answer) -> Iterator[bytes]:
    for event in responses_events(answer):
        yield server_sent(str(event["type"]), event)


def _item(step: str, index: int, item: dict[str, object]) -> dict[str, object]:
    return {"type": f"response.output_item.{step}", "output_index": index, "item": item}


def _output_text(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _output_message(answer: Answer, status: str, text: str | None) -> dict[str, object]:
    content = [] if text is None else [_output_text(text)]
    return {"id": f"msg_{answer.id}", "type": "message", "status": status, "role": "assistant", "content": content}


def _tool_call(answer: Answer, status: str, arguments: str) -> dict[str, object]:
    """`SPACE/NAME` is a tool in a namespace, as Codex offers those of an MCP server."""
    space, _, name = (answer.ask.tool or "").rpartition("/")
    call = {"call_id": f"call_{answer.id}", "name": name, "arguments": arguments, **({"namespace": space} if space else {})}
    return {"id": f"fc_{answer.id}", "type": "function_call", "status": status, **call}


def _response(answer: Answer, status: str, output: list[dict[str, object]]) -> dict[str, object]:
    return {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": answer.ask.model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }


def _read_gemini(model: str, stream: bool, body: bytes, number: int) -> Ask:
    request: Any = json.loads(body)
    contents: list[Any] = request["contents"]
    groups: list[Any] = request.get("tools") or []
    tools: list[Any] = [tool for group in groups for tool in group.get("functionDeclarations", ())]
    said = [_texts(content["parts"]) for content in contents if content.get("role", "user") == "user"]
    results = [
        part["functionResponse"]["response"] for content in contents for part in content["parts"] if "functionResponse" in part
    ]
    return Ask(
        number=number,
        size=len(body),
        model=model,
        stream=stream,
        stream_usage=True,
        prompt=next((text for text in reversed(said) if text), ""),
        tool=tool_among([tool["name"] for tool in tools if "name" in tool]),
        results=tuple(json.dumps(result, ensure_ascii=False) for result in results),
    )


def _gemini_whole(answer: Answer) -> dict[str, object]:
    parts: list[dict[str, object]] = [{"text": answer.text}]
    if answer.arguments:
        parts.append(_gemini_call(answer))
    return _candidate(answer, parts, last=True)


def _gemini_chunks(answer: Answer) -> Iterator[bytes]:
    for piece in text_pieces(answer.text):
        yield json_bytes(_candidate(answer, [{"text": piece}], last=False))
    rest: list[dict[str, object]] = [_gemini_call(answer)] if answer.arguments else [{"text": ""}]
    yield json_bytes(_candidate(answer, rest, last=True))


def _gemini_events(answer: Answer) -> Iterator[bytes]:
    for chunk in _gemini_chunks(answer):
        yield b"data: %b\r\n\r\n" % chunk


def _gemini_array(answer: Answer) -> Iterator[bytes]:
    before = b"["
    for chunk in _gemini_chunks(answer):
        yield before + chunk
        before = b"\n,\r\n"
    yield b"\n]\n"


def _gemini_call(answer: Answer) -> dict[str, object]:
    return {"functionCall": {"name": answer.ask.tool, "args": json.loads(answer.arguments)}}


def _candidate(answer: Answer, parts: list[dict[str, object]], *, last: bool) -> dict[str, object]:
    candidate: dict[str, object] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    usage = {
        "promptTokenCount": answer.input_tokens,
        "candidatesTokenCount": answer.output_tokens if last else 1,
        "totalTokenCount": answer.input_tokens + (answer.output_tokens if last else 1),
        "cachedContentTokenCount": answer.cached_tokens,
    }
    said: dict[str, object] = {"candidates": [candidate], "usageMetadata": usage}
    return said | {"modelVersion": answer.ask.model, "responseId": f"gem_{answer.id}"}


RESPONSES = Dialect(_read_responses, _responses_whole, _responses_stream)
