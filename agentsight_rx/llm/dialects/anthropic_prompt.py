"""Body of a request to Anthropic's Messages API -> Asked."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Raw, Struct

from ..canonical import Asked, MediaPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolDefinition, ToolResultPart
from ..request_fields import RequestFields, text_of
from ..request_table import Place, ResentRequests
from ..resent import Whole

# -- blocks --------------------------------------------------------------------------------------------------------
# A block of a message of Anthropic's Messages API -> a Part; requests and answers have the same blocks.


_LEVELS = 3  # of blocks in blocks: a search result in the output of a tool has some of its own


class _Source(Struct, gc=False):
    """Of an image or a document."""

    type: str | None = None
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None


class Block(Struct):
    """A block of any type: each type has some of the fields."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = Raw()
    tool_use_id: str | None = None
    content: str | list[Block] | Block | None = None  # of a tool's result; for server tools a single block
    is_error: bool | None = None
    source: str | _Source | None = None  # a string in a search result: its URL
    file_id: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    url: str | None = None
    title: str | None = None
    error_code: str | None = None


Content: TypeAlias = str | list[Block] | Block | None


def parts_of(content: Content, /) -> list[Part]:
    """The parts of a message, in order; blocks that say nothing are left out."""
    if isinstance(content, str):
        return [TextPart(content)] if content else []
    return [part for block in _blocks(content) if (part := part_of(block)) is not None]


def part_of(block: Block, /) -> Part | None:
    """What a block says; None if nothing."""
    kind = block.type or ""
    if kind == "text" and block.source is None:  # most are
        return TextPart(block.text) if block.text else None
    if kind.endswith("tool_use"):  # also server_tool_use, mcp_tool_use
        return ToolCallPart(block.id or "", block.name or "", text_of(block.input), server=kind != "tool_use")
    if kind.endswith("tool_result"):  # also web_search_tool_result, mcp_tool_result, …
        if isinstance(block.content, str):
            return ToolResultPart(block.tool_use_id or "", block.content, bool(block.is_error))
        inner = _blocks(block.content)
        failed = block.is_error or any(each.error_code for each in inner)
        return ToolResultPart(block.tool_use_id or "", "\n".join(_texts(inner)), failed, media=_media(inner))
    if kind.endswith("thinking"):  # also redacted_thinking
        return ReasoningPart(block.thinking or "")
    if kind == "compaction":  # what the model wrote in place of the conversation before it
        return ReasoningPart("\n".join(_texts(_blocks(block.content))), compacted=True)
    if kind == "container_upload":
        return MediaPart("file", reference=block.file_id or "")
    if isinstance(block.source, _Source):
        return _medium(kind, block.source)
    return TextPart(block.text) if block.text else None


def _media(blocks: list[Block]) -> tuple[MediaPart, ...]:
    return tuple(_medium(block.type or "", block.source) for block in blocks if isinstance(block.source, _Source))


def _medium(kind: str, source: _Source) -> MediaPart:
    return MediaPart(kind, source.media_type or "", source.url or source.file_id or "", len(source.data or ""))


def _blocks(content: Content) -> list[Block]:
    if isinstance(content, str):
        return [Block("text", content)]
    return [content] if isinstance(content, Block) else content or []


def _texts(blocks: list[Block], levels: int = _LEVELS) -> list[str]:
    """The texts in the output of a tool."""
    texts: list[str] = []
    for block in blocks:
        said = [block.text, block.stdout, block.stderr, block.error_code]
        if block.type == "web_search_result":
            said.append(" ".join(filter(None, (block.title, block.url))))
        texts += filter(None, said)
        if levels > 1:
            texts += _texts(_blocks(block.content), levels - 1)
    return texts


# ------------------------------------------------------------------------------------------------------------------------


class _Message(Struct):
    role: str | None = None
    content: Content = None


class _Tool(Struct):
    name: str | None = None
    type: str | None = None
    description: str | None = None
    mcp_server_name: str | None = None
    input_schema: Raw = Raw()

    def definition(self) -> ToolDefinition:
        name = self.name or self.mcp_server_name or ""
        return ToolDefinition(name, self.description or "", text_of(self.input_schema), type=self.type or "function")


class _Request(RequestFields):
    system: Content = None
    messages: list[_Message] | None = None
    tools: list[_Tool] | None = None


def _message(message: _Message) -> Message:
    return Message(message.role or "", tuple(parts_of(message.content)))


def _said(asked: _Request, messages: list[Message]) -> Asked:
    system = [_message(_Message("system", asked.system))] if asked.system else []
    return Asked(messages=(*system, *messages), tools=tuple([tool.definition() for tool in asked.tools or ()]))


request: ResentRequests[_Request, _Message, Message] = ResentRequests(
    _Request,
    _said,
    {
        "max_tokens": "max_tokens",
        "top_k": Place("top_k", Whole),
        "stop": "stop_sequences",
        "reasoning": ("output_config.effort", Place("thinking.budget_tokens", Whole), "thinking.type"),
        "service_tier": "service_tier",
    },
    field="messages",
    element=_Message,
    made=_message,
    listed=lambda asked: asked.messages or (),
)
