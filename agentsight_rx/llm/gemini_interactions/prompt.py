"""Body of a request to the Interactions API of Google's Gemini -> Asked."""

from __future__ import annotations

from msgspec import Raw, Struct
from msgspec.structs import replace

from ..canonical import Asked, Message, Parameters, Part, ReasoningPart, TextPart, ToolCallPart, ToolDefinition, ToolResultPart
from ..decode import Whole
from ..lenient import Fields
from ..request_fields import RequestFields, asked_of, text_of
from .steps import Step, parts_of

__all__ = ["request"]


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
