"""`usage` of Chat Completions, as each vendor spells it -> Usage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from ....events import SseEvent, Usage
from ...lenient import Fields
from ...prompt import counted, take_usage
from ...reader import Draft
from ...resent import Count, decoded_all

# -- plain chunks --------------------------------------------------------------------------------------------------
# Chunks that only add text -> their texts, in two thirds of the time. Nearly all chunks of most streams are such.
#
# The types here allow null, and nothing else, for what else a chunk could say: any other chunk does not fit, and is read whole.


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


# ------------------------------------------------------------------------------------------------------------------------


class _Details(Struct, gc=False):
    cached_tokens: Count | None = None
    num_cached_tokens: Count | None = None  # Mistral
    cache_write_tokens: Count | None = None  # OpenRouter
    cache_creation_tokens: Count | None = None  # LiteLLM
    reasoning_tokens: Count | None = None


class _Usage(Struct, gc=False):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: _Details | None = None
    prompt_token_details: _Details | None = None  # Mistral
    completion_tokens_details: _Details | None = None
    cached_tokens: Count | None = None  # Moonshot
    num_cached_tokens: Count | None = None  # Mistral
    prompt_cache_hit_tokens: Count | None = None  # DeepSeek
    reasoning_tokens: Count | None = None  # Perplexity and others
    prompt_audio_seconds: float | None = None  # Mistral: its tokens are in the total alone


_USAGE = Fields(_Usage)
_NONE = _Details()


def take_chat_usage(draft: Draft, raw: Raw, /) -> None:
    """The counts of an answer or of a chunk: streams have them in the last chunk, in an own one, or so far in each."""
    take_usage(draft, raw, _USAGE, _normal)


def _normal(usage: _Usage) -> Usage | None:
    """
    `prompt_tokens` includes what came from a cache and went to it. `completion_tokens` includes the reasoning for most vendors;
    xAI and Google leave it out, but not of `total_tokens`. Mistral does so with the sound of a request.
    """
    if usage.prompt_tokens is None and usage.completion_tokens is None:
        return None
    into = usage.prompt_tokens_details or usage.prompt_token_details or _NONE
    out = usage.completion_tokens_details or _NONE
    asked, said = usage.prompt_tokens or 0, usage.completion_tokens or 0
    # the first that is not 0: some vendors fill fields of others with 0
    read = into.cached_tokens or into.num_cached_tokens or usage.cached_tokens or usage.num_cached_tokens
    read = read or usage.prompt_cache_hit_tokens or 0
    written = into.cache_write_tokens or into.cache_creation_tokens or 0
    apart = max(0, (usage.total_tokens or 0) - asked - said)
    reasoning = out.reasoning_tokens or usage.reasoning_tokens or 0
    if usage.prompt_audio_seconds is not None:
        return counted(asked + apart, said, read=read, written=written, reasoning=reasoning)
    return counted(asked, said + apart, read=read, written=written, reasoning=reasoning or apart)
