"""Body of a request to Ollama's own API: /api/chat or /api/generate -> Asked."""

from __future__ import annotations

from msgspec import Raw, Struct
from msgspec.structs import replace

from ..by_order import CallOrder, made_up_id
from ..canonical import (
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
from ..decode import Whole
from ..lenient import Fields
from ..request_fields import RequestFields, asked_of, text_of

__all__ = ["request"]


class _Function(Struct):
    name: str | None = None
    description: str | None = None
    parameters: Raw = Raw()
    arguments: Raw = Raw()


class _Call(Struct):
    id: str | None = None
    function: _Function | None = None


class _Message(Struct):
    role: str | None = None
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[_Call] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class _Tool(Struct):
    type: str | None = None
    function: _Function | None = None


class _Options(Struct):
    num_predict: Whole | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: Whole | None = None
    stop: list[str] | None = None


class _Request(RequestFields):
    messages: list[_Message] | None = None
    prompt: str | None = None
    system: str | None = None
    images: list[str] | None = None
    tools: list[_Tool] | None = None
    think: bool | str | None = None
    format: Raw = Raw()
    options: _Options | None = None


_REQUEST = Fields(_Request)


def request(body: bytes, /) -> Asked:
    """Never raises: a body that is not such a request gives an empty Asked. Answers are streamed unless it forbids that."""
    found = _REQUEST.read(body)
    if found is None or not (found.value.model or found.value.messages or found.value.prompt or found.unknown):
        return Asked()
    asked = found.value
    options = asked.options or _Options()
    said = [_Message("system", asked.system)] if asked.system else []
    said += asked.messages or ()
    said += [_Message("user", asked.prompt, images=asked.images)] if asked.prompt else []
    made = asked_of(
        asked,
        _messages(said),
        tools=[_definition(tool.function or _Function()) for tool in asked.tools or ()],
        parameters=Parameters(
            max_tokens=options.num_predict,
            temperature=options.temperature,
            top_p=options.top_p,
            top_k=options.top_k,
            frequency_penalty=options.frequency_penalty,
            presence_penalty=options.presence_penalty,
            seed=options.seed,
            stop=tuple(options.stop or ()),
            reasoning=None if asked.think is None else str(asked.think).lower(),
            output_type="json" if text_of(asked.format).strip('"') else None,
        ),
        unknown=found.unknown,
    )
    return replace(made, stream=asked.stream is not False)


def _definition(function: _Function) -> ToolDefinition:
    return ToolDefinition(function.name or "", function.description or "", text_of(function.parameters))


def _messages(said: list[_Message]) -> list[Message]:
    messages: list[Message] = []
    calls = CallOrder()
    for each in said:
        functions = [(call.id, call.function or _Function()) for call in each.tool_calls or ()]
        if functions:
            calls = CallOrder((id, function.name) for id, function in functions)
        parts: list[Part] = [ReasoningPart(each.thinking)] if each.thinking else []
        if each.role == "tool":
            parts.append(ToolResultPart(calls.answered(each.tool_call_id), each.content or ""))
        elif each.content:
            parts.append(TextPart(each.content))
        parts += [MediaPart("image", size=len(image)) for image in each.images or ()]
        for position, (id, function) in enumerate(functions):
            name = function.name or ""
            parts.append(ToolCallPart(id or made_up_id(name, position), name, text_of(function.arguments)))
        messages.append(Message(each.role or "", tuple(parts), each.tool_name or ""))
    return messages
