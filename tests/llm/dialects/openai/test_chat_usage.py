from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.events import SseEvent, Usage
from agentsight_rx.llm import StreamReader
from agentsight_rx.llm.dialects.openai.chat import OPENAI_CHAT

TOTAL = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}

# How vendors spell what was read from a cache, written to it, and thought
USAGES: dict[str, tuple[dict[str, Any], Usage]] = {
    "OpenAI": (
        {**TOTAL, "prompt_tokens_details": {"cached_tokens": 80}, "completion_tokens_details": {"reasoning_tokens": 5}},
        Usage(20, 20, cache_read=80, reasoning=5),
    ),
    "OpenRouter": (
        {**TOTAL, "cost": 0.0125, "prompt_tokens_details": {"cached_tokens": 70, "cache_write_tokens": 10}},
        Usage(20, 20, cache_creation=10, cache_read=70),
    ),
    "LiteLLM": ({**TOTAL, "prompt_tokens_details": {"cache_creation_tokens": 10}}, Usage(90, 20, cache_creation=10)),
    "Mistral": ({**TOTAL, "num_cached_tokens": 80}, Usage(20, 20, cache_read=80)),
    "Mistral, details": ({**TOTAL, "prompt_tokens_details": {"num_cached_tokens": 80}}, Usage(20, 20, cache_read=80)),
    "Mistral, other name": ({**TOTAL, "prompt_token_details": {"cached_tokens": 80}}, Usage(20, 20, cache_read=80)),
    "Moonshot": ({**TOTAL, "cached_tokens": 80}, Usage(20, 20, cache_read=80)),
    "DeepSeek": ({**TOTAL, "prompt_cache_hit_tokens": 80, "prompt_cache_miss_tokens": 20}, Usage(20, 20, cache_read=80)),
    "a 0 of another vendor's field": (
        {**TOTAL, "prompt_tokens_details": {"cached_tokens": 0}, "prompt_cache_hit_tokens": 80},
        Usage(20, 20, cache_read=80),
    ),
    "Perplexity": ({**TOTAL, "reasoning_tokens": 5}, Usage(100, 20, reasoning=5)),
    "xAI": (
        {**TOTAL, "total_tokens": 420, "completion_tokens_details": {"reasoning_tokens": 300}},
        Usage(100, 320, reasoning=300),
    ),
    "Google": ({**TOTAL, "total_tokens": 420}, Usage(100, 320, reasoning=300)),
    "a total that is too small": ({**TOTAL, "total_tokens": 1}, Usage(100, 20)),
    "numbers with a point": ({"prompt_tokens": 3.0, "completion_tokens": 4.0}, Usage(3, 4)),
    "numbers in strings": ({"prompt_tokens": "3", "completion_tokens": "4"}, Usage(3, 4)),
    "Mistral, sound": (
        {"prompt_tokens": 4, "completion_tokens": 20, "total_tokens": 399, "prompt_audio_seconds": 15},
        Usage(379, 20),
    ),
    "more cached than sent": ({"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 5}}, Usage(0, cache_read=1)),
}


def read(*chunks: dict[str, Any]) -> StreamReader:
    reader = OPENAI_CHAT.reader()
    for each in chunks:
        reader.feed(SseEvent("message", json.dumps(each)))
    return reader


@pytest.mark.parametrize("vendor", USAGES)
def test_counts_of_every_vendor_have_one_form(vendor: str) -> None:
    usage, expected = USAGES[vendor]
    answer = OPENAI_CHAT.answer(json.dumps({"choices": [{"finish_reason": "stop"}], "usage": usage}).encode())
    assert (answer.usage, answer.unknown) == (expected, ())
    assert read({"choices": [], "usage": usage}).answer().usage == expected


def test_the_counts_as_sent_are_kept() -> None:
    usage, _ = USAGES["OpenRouter"]
    assert json.loads(read({"choices": [], "usage": usage}).answer().raw_usage)["cost"] == 0.0125
    parts: list[dict[str, Any]] = [
        {"choices": [], "usage": {"prompt_tokens": 1, "a": {"b": 1}}},
        {"choices": [], "usage": {"a": {"c": 2}, "cost": 3}},
    ]
    assert json.loads(read(*parts).answer().raw_usage) == {"prompt_tokens": 1, "a": {"b": 1, "c": 2}, "cost": 3}


def test_groq_has_its_counts_in_a_field_of_its_own() -> None:
    first = {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hi"}}], "x_groq": {"id": "req_1"}}
    last: dict[str, Any] = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    last["x_groq"] = {"id": "req_1", "usage": {"queue_time": 0.1, **TOTAL}}
    reader = read(first, last)
    assert (reader.reply().text, reader.reply().usage, reader.unknown) == ("Hi", Usage(100, 20), 0)
    assert read({"x_groq": {"error": "over capacity"}}).reply().error == "over capacity"
