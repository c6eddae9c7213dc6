"""bytes -> prompts and replies: never an exception, and the same however events are grouped or checkpointed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from agentsight_rx.events import Origin, Reply, SseEvent, SseMessage, Usage
from agentsight_rx.events.envelope import decode_envelope, encode_line
from agentsight_rx.llm import PROVIDERS, Provider, StreamReader, dialect_of, find, provider_label
from agentsight_rx.llm.prompt import Prompt
from agentsight_rx.wire.sse import SseDecoder
from property_tests.fuzz.choices import Input
from property_tests.fuzz.llm_seeds import LLM_TARGETS

__all__ = ["llm_targets"]

_ORIGIN = Origin(1, 2)


def llm_targets() -> dict[str, Callable[[bytes], None]]:
    """Requests, plain answers and streams of each provider."""
    return {name: check for provider in PROVIDERS for name, check in _of(provider).items()}


def _of(provider: Provider) -> dict[str, Callable[[bytes], None]]:
    def request(data: bytes) -> None:
        given = Input(data)
        target = given.pick(LLM_TARGETS)
        prompt = provider.prompt(given.payload, target)
        assert _checked(provider.request(given.payload), Prompt).model in ("", prompt.model)
        _checked(prompt, Prompt)

    def response(data: bytes) -> None:
        _told(provider.response(Input(data).payload), ())

    def stream(data: bytes) -> None:
        given = Input(data)
        _stream(provider, given, SseDecoder().feed(given.payload + b"\n\n"))

    return {f"{provider.name}_request": request, f"{provider.name}_response": response, f"{provider.name}_stream": stream}


def _checked(value: Any, kind: type[Any]) -> Any:
    """Does the value have its declared types, and can every text be encoded?"""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=kind, strict=True) == value
    return value


def _told(reply: Reply, events: Sequence[SseEvent]) -> None:
    _checked(reply, Reply)
    message = SseMessage(_ORIGIN, 1, "", reply, tuple(events), 3)
    assert decode_envelope(msgspec.json.decode(encode_line(message))) == message
    if reply.usage is not None:
        assert min(_counts(reply.usage)) >= 0, "a negative count"


def _counts(usage: Usage) -> tuple[int, ...]:
    return usage.input, usage.output, usage.cache_creation, usage.cache_read, usage.reasoning


def _stream(provider: Provider, given: Input, events: Sequence[SseEvent]) -> None:
    one, many, resumed = provider.reader(), provider.reader(), provider.reader()
    size, content = given.byte() % 9 + 1, 0
    for start in range(0, len(events), size):
        group = events[start : start + size]
        resumed = _again(resumed, provider.reader())
        heard = sum(map(one.feed, group))
        assert many.feed_all(group) == heard, "many at once carry as much as each alone"
        assert sum(map(resumed.feed, group)) == heard
        content += heard
    assert content <= len(events)
    said = _said(one)
    assert _said(many) == said, "many at once say the same as each alone"
    assert _said(resumed) == said, "a checkpoint changes nothing"
    assert one.unknown <= len(events)
    _told(one.reply(), events)
    for event in events[:20]:
        dialect_of(event)
        find(event.event, event.data)
        provider_label(event.event)


def _said(reader: StreamReader) -> tuple[Reply, bool, bool, int]:
    return reader.reply(), reader.ended, reader.finished_choices, reader.unknown


def _again(reader: StreamReader, fresh: StreamReader) -> StreamReader:
    fresh.restore(reader.snapshot())
    return fresh
