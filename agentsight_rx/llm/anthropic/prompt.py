"""Body of a request to Anthropic's Messages API -> Asked."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
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

__all__ = ["request"]


class _Source(Struct):
    """Of an image or a document."""

    type: str = ""
    media_type: str = ""
    data: str = ""
    url: str = ""
    file_id: str = ""


class _Block(Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    id: str = ""
    name: str = ""
    input: Raw = Raw()
    tool_use_id: str = ""
    content: str | list[_Block] | _Block | None = None  # of a tool_result; for server tools a single block
    is_error: bool | None = None
    source: _Source | None = None


_Content: TypeAlias = str | list[_Block] | _Block | None


class _Message(Struct):
    role: str = ""
    content: str | list[_Block] = ""


class _Tool(Struct):
    name: str = ""
    type: str = ""
    description: str = ""
    input_schema: Raw = Raw()


class _Thinking(Struct):
    type: str = ""
    budget_tokens: int | None = None


class _Effort(Struct):
    effort: str | None = None


class _Request(RequestFields):
    system: str | list[_Block] | None = None
    messages: list[_Message] = msgspec.field(default_factory=list[_Message])
    tools: list[_Tool] | None = None
    max_tokens: int | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    thinking: _Thinking | None = None
    output_config: _Effort | None = None
    service_tier: str | None = None


_REQUEST = Fields(_Request)


def request(body: bytes, /) -> Asked:
    """Never raises: a body that is not such a request gives an empty Asked."""
    found = _REQUEST.read(body)
    if found is None:
        return Asked()
    asked = found.value
    messages = [_Message("system", asked.system), *asked.messages] if asked.system else asked.messages
    return asked_of(
        asked,
        [Message(message.role, tuple(_parts(message.content))) for message in messages],
        tools=[
            ToolDefinition(tool.name, tool.description, text_of(tool.input_schema), type=tool.type or "function")
            for tool in asked.tools or ()
        ],
        parameters=Parameters(
            max_tokens=asked.max_tokens,
            temperature=asked.temperature,
            top_p=asked.top_p,
            top_k=asked.top_k,
            stop=tuple(asked.stop_sequences or ()),
            reasoning=_reasoning(asked),
            service_tier=asked.service_tier,
        ),
        unknown=found.unknown,
    )


def _reasoning(asked: _Request) -> str | None:
    if asked.output_config and asked.output_config.effort:
        return asked.output_config.effort
    thinking = asked.thinking
    return None if thinking is None else str(thinking.budget_tokens or thinking.type)


def _parts(content: _Content) -> list[Part]:
    return [part for block in _blocks(content) if (part := _part(block)) is not None]


def _part(block: _Block) -> Part | None:
    if block.type.endswith("tool_use"):  # also server_tool_use, mcp_tool_use
        return ToolCallPart(block.id, block.name, text_of(block.input), server=block.type != "tool_use")
    if block.type.endswith("tool_result"):
        return ToolResultPart(block.tool_use_id, "\n".join(_texts(block.content)), block.is_error or False, media=_media(block))
    if block.type.endswith("thinking"):  # also redacted_thinking
        return ReasoningPart(block.thinking)
    if block.source is not None:
        return _medium(block.type, block.source)
    return TextPart(block.text) if block.text else None


def _media(result: _Block) -> tuple[MediaPart, ...]:
    return tuple(_medium(block.type, block.source) for block in _blocks(result.content) if block.source is not None)


def _medium(kind: str, source: _Source) -> MediaPart:
    return MediaPart(kind, source.media_type, source.url or source.file_id, len(source.data))


def _blocks(content: _Content) -> list[_Block]:
    if isinstance(content, str):
        return [_Block("text", content)]
    return [content] if isinstance(content, _Block) else content or []


def _texts(content: _Content, depth: int = 2) -> list[str]:
    """The texts in the output of a tool; a search result in it has blocks of its own."""
    texts: list[str] = []
    for block in _blocks(content):
        if block.text:
            texts.append(block.text)
        elif depth > 1:
            texts += _texts(block.content, depth - 1)
    return texts
