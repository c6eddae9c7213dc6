"""Body of a request to Cohere's Chat API, version 2 -> Asked."""

from __future__ import annotations

from msgspec import Raw, Struct

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
from ..lenient import Fields
from ..request_fields import RequestFields, asked_of, text_of
from ..resent import Whole


class _Url(Struct):
    url: str | None = None


class _Document(Struct):
    data: Raw = Raw()


class _Block(Struct):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    image_url: _Url | None = None
    document: _Document | None = None


class _Function(Struct):
    name: str | None = None
    description: str | None = None
    parameters: Raw = Raw()
    arguments: str | None = None


class _Call(Struct):
    id: str | None = None
    function: _Function | None = None


class _Message(Struct):
    role: str | None = None
    content: str | list[_Block] | None = None
    tool_plan: str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None


class _Tool(Struct):
    type: str | None = None
    function: _Function | None = None


class _Thinking(Struct):
    type: str | None = None
    token_budget: Whole | None = None


class _Format(Struct):
    type: str | None = None


class _Request(RequestFields):
    messages: list[_Message] | None = None
    tools: list[_Tool] | None = None
    max_tokens: Whole | None = None
    p: float | None = None
    k: float | None = None
    seed: Whole | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop_sequences: list[str] | None = None
    thinking: _Thinking | None = None
    response_format: _Format | None = None


_REQUEST = Fields(_Request)


def request(body: bytes, /) -> Asked:
    """Never raises: a body that is not such a request gives an empty Asked."""
    found = _REQUEST.read(body)
    if found is None:
        return Asked()
    asked = found.value
    type = asked.response_format.type if asked.response_format else None
    return asked_of(
        asked,
        [_message(message) for message in asked.messages or ()],
        tools=[_definition(tool.function or _Function()) for tool in asked.tools or ()],
        parameters=Parameters(
            max_tokens=asked.max_tokens,
            temperature=asked.temperature,
            top_p=asked.p,
            top_k=asked.k,
            frequency_penalty=asked.frequency_penalty,
            presence_penalty=asked.presence_penalty,
            seed=asked.seed,
            stop=tuple(asked.stop_sequences or ()),
            reasoning=str(asked.thinking.token_budget or asked.thinking.type or "") if asked.thinking else None,
            output_type="json" if type == "json_object" else type,
        ),
        unknown=found.unknown,
    )


def _definition(function: _Function) -> ToolDefinition:
    return ToolDefinition(function.name or "", function.description or "", text_of(function.parameters))


def _message(message: _Message) -> Message:
    parts = _parts(message.content)
    if message.role == "tool":
        texts = [part.text for part in parts if isinstance(part, TextPart)]
        return Message("tool", (ToolResultPart(message.tool_call_id or "", "\n".join(texts)),))
    if message.tool_plan:
        parts.insert(0, ReasoningPart(message.tool_plan))
    for call in message.tool_calls or ():
        function = call.function or _Function()
        parts.append(ToolCallPart(call.id or "", function.name or "", function.arguments or ""))
    return Message(message.role or "", tuple(parts))


def _parts(content: str | list[_Block] | None) -> list[Part]:
    blocks = [_Block(text=content)] if isinstance(content, str) else content or []
    return [made for block in blocks if (made := _part(block)) is not None]


def _part(block: _Block) -> Part | None:
    if block.thinking:
        return ReasoningPart(block.thinking)
    if block.image_url is not None:
        url = block.image_url.url or ""
        return MediaPart("image", size=len(url)) if url.startswith("data:") else MediaPart("image", reference=url)
    text = block.text or (text_of(block.document.data) if block.document else "")
    return TextPart(text) if text else None
