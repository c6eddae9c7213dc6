"""LlmCall -> its whole request, or its whole answer, as text to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import fields

from ....llm.canonical import (
    LlmCall,
    MediaPart,
    Message,
    Parameters,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from ....store.reasons import why_cut
from ....store.words import count, plural
from .screen import Line, Span, Whole


def request_lines(call: LlmCall, /) -> Iterator[Line]:
    """The parameters, the tools, and every message in order."""
    asked = call.asked
    yield Span(f"request to {call.host or 'an unknown host'}: {asked.model or 'unknown model'}", "title")
    given = [(each.name, getattr(asked.parameters, each.name)) for each in fields(Parameters)]
    chosen = [f"{name} {value}" for name, value in given if value is not None and value != ()]
    if chosen:
        yield f"  {', '.join(chosen)}"
    if asked.tools:
        yield ""
        yield Span(plural(len(asked.tools), "tool"), "title")
        yield from (f"  {tool.name}  {tool.description}" for tool in asked.tools)
    for number, message in enumerate(asked.messages, 1):
        yield ""
        yield from _message(number, message)
    yield from _unread(asked.unknown)


def answer_lines(call: LlmCall, /) -> Iterator[Line]:
    """Every part of the answer in the order of the model."""
    answer = call.answer
    ended = f", ended by {', '.join(answer.finish_reasons)}" if answer.finish_reasons else ""
    yield Span(f"answer of {answer.model or call.model or 'unknown model'}{ended}", "title")
    if call.reason:
        yield Span(f"  incomplete: {why_cut(call.reason)[0]}", "missing")
    if answer.error:
        yield Span(f"  {answer.error}", "failed")
    yield from _parts(answer.parts)
    if answer.raw_usage:
        yield ""
        yield f"usage: {answer.raw_usage}"
    yield from _unread(answer.unknown)


def result_said(part: ToolResultPart, of: str, /) -> str:
    """On one line: `failed result of Bash (make), 12 characters: …`."""
    return f"{'failed ' if part.is_error else ''}result of {of}, {plural(len(part.output), 'character')}: {part.output}"


def _message(number: int, message: Message) -> Iterator[Line]:
    yield Span(f"{number}. {message.role}{f' {message.name}' if message.name else ''}", "title")
    yield from _parts(message.parts)


def _parts(parts: Iterable[Part]) -> Iterator[Line]:
    for part in parts:
        match part:
            case TextPart():
                yield Whole(part.text, indent=2)
            case ReasoningPart():
                yield "  thinks:"
                yield Whole(part.text or "(encrypted)", indent=4)
            case ToolCallPart():
                yield f"  asks for {part.name} ({part.id}):"
                yield Whole(_pretty(part.input), indent=4)
            case ToolResultPart():
                state = Span(" failed", "failed") if part.is_error else ""
                yield (f"  result of {part.id}, {plural(len(part.output), 'character')}", state, ":")
                yield Whole(part.output, indent=4)
                yield from _parts(part.media)
            case MediaPart():
                where = part.reference or f"{count(part.size)} characters that were sent along"
                yield f"  {part.kind} {part.media_type}: {where}"


def _pretty(text: str) -> str:
    """JSON indented; other text as it is. Texts in it keep their line breaks as escapes."""
    try:
        return msgspec.json.format(text, indent=2) if text else ""
    except (msgspec.DecodeError, RecursionError):
        return text


def _unread(names: Iterable[str]) -> Iterator[Line]:
    for name in names:
        yield Span(f"  {name} could not be read", "missing")
