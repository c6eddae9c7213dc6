"""Body of a request to Cohere's Chat API, version 1 -> Asked."""

from __future__ import annotations

from msgspec import Raw, Struct

from ..by_order import CallOrder, made_up_id
from ..canonical import Asked, Message, Parameters, Part, TextPart, ToolCallPart, ToolDefinition, ToolResultPart
from ..decode import Whole
from ..lenient import Fields
from ..request_fields import RequestFields, asked_of, text_of

__all__ = ["request"]

_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}


class _Call(Struct):
    name: str | None = None
    parameters: Raw = Raw()


class _Result(Struct):
    call: _Call | None = None
    outputs: Raw = Raw()


class _Message(Struct):
    role: str | None = None
    message: str | None = None
    tool_calls: list[_Call] | None = None
    tool_results: list[_Result] | None = None


class _Tool(Struct):
    name: str | None = None
    description: str | None = None
    parameter_definitions: Raw = Raw()


class _Request(RequestFields):
    message: str | None = None
    chat_history: list[_Message] | None = None
    preamble: str | None = None
    tools: list[_Tool] | None = None
    tool_results: list[_Result] | None = None
    max_tokens: Whole | None = None
    p: float | None = None
    k: float | None = None
    seed: Whole | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop_sequences: list[str] | None = None


_REQUEST = Fields(_Request)


def request(body: bytes, /) -> Asked:
    """Never raises: a body that is not such a request gives an empty Asked."""
    found = _REQUEST.read(body)
    if found is None:
        return Asked()
    asked = found.value
    said = [_Message("SYSTEM", asked.preamble), *(asked.chat_history or ())]
    said += [_Message("USER", asked.message), _Message("TOOL", tool_results=asked.tool_results)]
    return asked_of(
        asked,
        _messages(said),
        tools=[
            ToolDefinition(tool.name or "", tool.description or "", text_of(tool.parameter_definitions))
            for tool in asked.tools or ()
        ],
        parameters=Parameters(
            max_tokens=asked.max_tokens,
            temperature=asked.temperature,
            top_p=asked.p,
            top_k=asked.k,
            frequency_penalty=asked.frequency_penalty,
            presence_penalty=asked.presence_penalty,
            seed=asked.seed,
            stop=tuple(asked.stop_sequences or ()),
        ),
        unknown=found.unknown,
    )


def _messages(said: list[_Message]) -> list[Message]:
    messages: list[Message] = []
    calls = CallOrder()
    for each in said:
        if each.tool_calls:
            calls = CallOrder((None, call.name) for call in each.tool_calls)
        parts: list[Part] = [TextPart(each.message)] if each.message else []
        parts += [
            ToolCallPart(made_up_id(call.name or "", position), call.name or "", text_of(call.parameters))
            for position, call in enumerate(each.tool_calls or ())
        ]
        parts += [ToolResultPart(calls.answered(None), text_of(result.outputs)) for result in each.tool_results or ()]
        if parts:
            messages.append(Message(_ROLES.get(each.role or "", (each.role or "user").lower()), tuple(parts)))
    return messages
