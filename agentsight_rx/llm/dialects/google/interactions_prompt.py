"""Body of a request to the Interactions API of Google's Gemini -> Asked."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from ...canonical import Asked, MediaPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from ...lenient import Fields
from ...request_fields import RequestFields, said_by, text_of
from ...request_table import Requests
from ..openai.responses_prompt import OfferedTool

# -- steps ---------------------------------------------------------------------------------------------------------
# A step, or a content, of the Interactions API of Google's Gemini -> parts; requests and answers have the same ones.


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


# ------------------------------------------------------------------------------------------------------------------------


class _Turn(Step):
    """A step, a content, or, in older requests, a turn, which has a role."""

    role: str | None = None


class _Request(RequestFields):
    agent: str | None = None
    input: str | list[_Turn] | _Turn | None = None
    system_instruction: str | None = None
    tools: list[OfferedTool] | None = None
    previous_interaction_id: str | None = None


def _said(asked: _Request) -> Asked:
    asked.model = (asked.model or asked.agent or "").removeprefix("models/")
    return Asked(
        messages=(*said_by("system", asked.system_instruction), *_messages(asked.input)),
        tools=tuple(each for tool in asked.tools or () for each in tool.definitions()),
        previous_response_id=asked.previous_interaction_id,
    )


request = Requests(
    _Request,
    _said,
    {
        "max_tokens": "generation_config.max_output_tokens",
        "temperature": "generation_config.temperature",
        "top_p": "generation_config.top_p",
        "seed": "generation_config.seed",
        "stop": "generation_config.stop_sequences",
        "reasoning": "generation_config.thinking_level",
        "output_type": "response_mime_type",
    },
)


def _messages(input: str | list[_Turn] | _Turn | None) -> list[Message]:
    """Steps of one side in a row are one message."""
    turns = [_Turn("text", input)] if isinstance(input, str) else [input] if isinstance(input, _Turn) else input or []
    messages: list[Message] = []
    for turn in turns:
        parts = parts_of(turn)
        role = _role(turn, parts)
        if messages and messages[-1].role == role and turn.role is None:
            messages[-1] = Message(role, (*messages[-1].parts, *parts))
        else:
            messages.append(Message(role, tuple(parts)))
    return messages


def _role(turn: _Turn, parts: list[Part]) -> str:
    if turn.role:
        return "assistant" if turn.role == "model" else turn.role
    if parts and isinstance(parts[0], ToolResultPart):
        return "tool" if turn.type == "function_result" else "assistant"
    said = parts and isinstance(parts[0], ToolCallPart | ReasoningPart)
    return "assistant" if said or turn.type == "model_output" else "user"
