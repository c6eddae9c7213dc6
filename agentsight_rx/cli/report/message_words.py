"""A message of a conversation -> a line for each of its parts."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.terminal_text import clean
from ...llm.canonical import MediaPart, Message, Part, ReasoningPart, TextPart, ToolCallPart
from ...store.rows.tool_words import asked_for
from .words import count, plural

__all__ = ["message_said"]


def message_said(message: Message) -> Iterator[str]:
    """`user: fix the bug`, `assistant: tool Bash make`, `user: result of t1, 1,204 characters: …`."""
    for part in message.parts or (TextPart(""),):
        yield clean(f"{message.role}: {_part(part)}")


def _part(part: Part) -> str:
    match part:
        case TextPart():
            return part.text
        case ReasoningPart():
            return f"thinks {part.text or '(encrypted)'}"
        case ToolCallPart():
            return f"tool {part.name} {asked_for(part.input)}"
        case MediaPart():
            return f"{part.kind} {part.media_type} {part.reference or count(part.size) + ' characters'}"
        case _:
            failed = "failed " if part.is_error else ""
            return f"{failed}result of {part.id}, {plural(len(part.output), 'character')}: {part.output}"
