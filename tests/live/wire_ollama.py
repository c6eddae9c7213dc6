"""
Requests of Ollama's own API -> how the fake model answers them, whole and as lines of JSON.

Shape: https://github.com/ollama/ollama/blob/main/docs/api.md. Its calls of tools have no ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from agentsight_rx.runtime.demo.answers import Answer, Ask, Dialect, json_bytes, text_pieces
from agentsight_rx.runtime.demo.shells import tool_among

__all__ = ["OLLAMA"]


def _read(body: bytes, number: int) -> Ask:
    request: Any = json.loads(body)
    messages: list[Any] = request["messages"]
    tools: list[Any] = request.get("tools") or []
    said = [str(message.get("content") or "") for message in messages if message["role"] == "user"]
    return Ask(
        number=number,
        size=len(body),
        model=str(request["model"]),
        stream=request.get("stream") is not False,
        stream_usage=True,
        prompt=next((text for text in reversed(said) if text), ""),
        tool=tool_among([tool["function"]["name"] for tool in tools]),
        results=tuple(str(message["content"]) for message in messages if message["role"] == "tool"),
    )


def _whole(answer: Answer) -> dict[str, object]:
    return _chunk(answer, answer.text, _calls(answer)) | _end(answer)


def _lines(answer: Answer) -> Iterator[bytes]:
    chunks = [_chunk(answer, piece, []) for piece in text_pieces(answer.text)]
    if answer.arguments:
        chunks.append(_chunk(answer, "", _calls(answer)))
    for chunk in (*chunks, _chunk(answer, "", []) | _end(answer)):
        yield json_bytes(chunk) + b"\n"


def _calls(answer: Answer) -> list[dict[str, object]]:
    if not answer.arguments:
        return []
    return [{"function": {"name": answer.ask.tool, "arguments": json.loads(answer.arguments)}}]


def _chunk(answer: Answer, text: str, calls: list[dict[str, object]]) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = calls
    made: dict[str, object] = {"model": answer.ask.model, "created_at": "2026-11-27T18:00:00.000000000Z"}
    return made | {"message": message, "done": False}


def _end(answer: Answer) -> dict[str, object]:
    counts: dict[str, object] = {"prompt_eval_count": answer.input_tokens, "eval_count": answer.output_tokens}
    return {"done": True, "done_reason": "stop", "total_duration": 1_000_000} | counts


OLLAMA = Dialect(_read, _whole, _lines, "application/x-ndjson")
