"""Body of a request to the Interactions API of Google's Gemini -> Asked."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from ...canonical import (
    Asked,
    MediaPart,
    Message,
    Parameters,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
)
from ...lenient import Fields
from ...request_fields import RequestFields, asked_of, text_of
from ...resent import Whole

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


class _Tool(Struct):
    type: str | None = None
    name: str | None = None
    description: str | None = None
    parameters: Raw = Raw()


class _Config(Struct):
    temperature: float | None = None
    top_p: float | None = None
    seed: Whole | None = None
    max_output_tokens: Whole | None = None
    stop_sequences: list[str] | None = None
    thinking_level: str | None = None


class _Request(RequestFields):
    agent: str | None = None
    input: str | list[_Turn] | _Turn | None = None
    system_instruction: str | None = None
    tools: list[_Tool] | None = None
    generation_config: _Config | None = None
    previous_interaction_id: str | None = None
    response_mime_type: str | None = None


_REQUEST = Fields(_Request)


def request(body: bytes, /) -> Asked:
    """Never raises: a body that is not such a request gives an empty Asked."""
    found = _REQUEST.read(body)
    if found is None:
        return Asked()
    asked = found.value
    config = asked.generation_config or _Config()
    asked.model = (asked.model or asked.agent or "").removeprefix("models/")
    system = [Message("system", (TextPart(asked.system_instruction),))] if asked.system_instruction else []
    made = asked_of(
        asked,
        [*system, *_messages(asked.input)],
        tools=[
            ToolDefinition(
                tool.name or tool.type or "", tool.description or "", text_of(tool.parameters), type=tool.type or "function"
            )
            for tool in asked.tools or ()
        ],
        parameters=Parameters(
            max_tokens=config.max_output_tokens,
            temperature=config.temperature,
            top_p=config.top_p,
            seed=config.seed,
            stop=tuple(config.stop_sequences or ()),
            reasoning=config.thinking_level,
            output_type="json" if asked.response_mime_type == "application/json" else None,
        ),
        unknown=found.unknown,
    )
    return replace(made, previous_response_id=asked.previous_interaction_id)


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
