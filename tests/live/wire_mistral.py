"""
Requests of Mistral's chat API -> how the fake model answers them.

OpenAI's shapes, but a streamed call of a tool comes whole, in the chunk that ends the answer and has the counts. Its clients
refuse a call in pieces. Shape: https://docs.mistral.ai/api/#tag/chat.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentsight_rx.runtime.demo.answers import DIALECTS, Answer, Dialect, json_bytes, text_pieces

__all__ = ["MISTRAL"]

_OPENAI = DIALECTS["/v1/chat/completions"]


def _events(answer: Answer) -> Iterator[bytes]:
    whole: dict[str, Any] = _OPENAI.whole(answer)
    (choice,) = whole["choices"]
    calls = [call | {"index": at} for at, call in enumerate(choice["message"].get("tool_calls", ()))]
    begin = {"role": "assistant", "content": ""}
    for delta in (begin, *({"content": piece} for piece in text_pieces(answer.text))):
        yield _chunk(whole, delta, None)
    last = {"content": ""} | ({"tool_calls": calls} if calls else {})
    yield _chunk(whole, last, choice["finish_reason"], usage=whole["usage"])
    yield b"data: [DONE]\n\n"


def _chunk(whole: dict[str, Any], delta: object, reason: object, **more: object) -> bytes:
    named = {name: whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    return b"data: %b\n\n" % json_bytes(named | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]} | more)


MISTRAL = Dialect(_OPENAI.read, _OPENAI.whole, _events)
