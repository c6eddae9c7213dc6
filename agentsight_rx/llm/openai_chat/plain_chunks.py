"""
Chunks that only add text -> their texts, in two thirds of the time. Nearly all chunks of most streams are such.

The types here allow null, and nothing else, for what else a chunk could say: any other chunk does not fit, and is read in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from ...events import SseEvent
from ..decode import decoded_all

__all__ = ["texts_of"]


class _Delta(Struct, gc=False):
    content: str
    refusal: None = None
    reasoning_content: None = None
    reasoning: None = None
    reasoning_text: None = None
    thinking: None = None
    reasoning_details: None = None
    audio: None = None
    tool_calls: None = None
    function_call: None = None


class _Choice(Struct, gc=False):
    delta: _Delta
    index: Literal[0] = 0
    message: None = None
    text: None = None
    finish_reason: None = None
    error: None = None


class _Chunk(Struct, gc=False, rename={"kind": "object"}):
    choices: tuple[_Choice]
    id: str | None = None
    model: str | None = None
    usage: None = None
    x_groq: None = None
    error: None = None
    kind: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    model_id: None = None
    type: None = None
    message: None = None
    code: None = None


_CHUNK = msgspec.json.Decoder(_Chunk)


def texts_of(events: Sequence[SseEvent], /) -> list[str] | None:
    """The text of each event; None if one of them says more than text of the first choice."""
    chunks = decoded_all(_CHUNK, [event.data for event in events])
    return None if chunks is None else [chunk.choices[0].delta.content for chunk in chunks]
