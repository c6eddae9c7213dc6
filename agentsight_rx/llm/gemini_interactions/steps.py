"""A step, or a content, of the Interactions API of Google's Gemini -> parts; requests and answers have the same ones."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from ..canonical import MediaPart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from ..lenient import Fields
from ..request_fields import text_of

__all__ = ["Step", "parts_of"]

_MEDIA = ("image", "audio", "video", "document")


class Step(Struct):
    """Of any type: each type has some of the fields. A step has contents; a content stands in one, or alone."""

    type: str | None = None
    text: str | None = None
    content: list[Step] | Step | str | None = None
    summary: list[Step] | Step | str | None = None  # of a thought
    id: str | None = None
    name: str | None = None
    arguments: Raw = Raw()
    call_id: str | None = None
    result: Raw = Raw()
    is_error: bool | None = None
    mime_type: str | None = None
    uri: str | None = None
    data: str | None = None


_TEXT = msgspec.json.Decoder(str)
_STEPS = Fields(list[Step])


def parts_of(step: Step, /) -> list[Part]:
    """What a step says, in order."""
    kind = step.type or "text"
    if kind.endswith("_call"):  # function_call; google_search_call, code_execution_call, … are Google's own
        name = step.name or kind.removesuffix("_call")
        return [ToolCallPart(step.id or "", name, text_of(step.arguments), server=kind != "function_call")]
    if kind.endswith("_result"):
        return [ToolResultPart(step.call_id or "", _output(step.result), step.is_error or False)]
    if kind == "thought":
        return [ReasoningPart(_text(step.summary) or step.text or "")]
    if kind in _MEDIA:
        media = "file" if kind == "document" else kind
        return [MediaPart(media, step.mime_type or "", step.uri or "", len(step.data or ""))]
    if step.content is not None:
        return [part for each in _steps(step.content) for part in parts_of(each)]
    return [TextPart(step.text)] if step.text else []


def _output(result: Raw) -> str:
    """Text, contents with text, or any other JSON."""
    text = text_of(result)
    if text.startswith('"'):
        return _TEXT.decode(text)
    if text.startswith("["):
        return _text(_STEPS.value(text)) or text
    return text


def _text(content: list[Step] | Step | str | None) -> str:
    return "\n".join(each.text for each in _steps(content) if each.text)


def _steps(content: list[Step] | Step | str | None) -> list[Step]:
    if isinstance(content, str):
        return [Step("text", content)]
    return [content] if isinstance(content, Step) else content or []
