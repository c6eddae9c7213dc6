"""A block of a message of Amazon Bedrock's Converse API -> a Part; requests and answers have the same blocks."""

from __future__ import annotations

from msgspec import Raw, Struct

from ..canonical import MediaPart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from ..request_fields import text_of

__all__ = ["Block", "Reasoning", "ToolUse", "part_of", "parts_of"]


class ToolUse(Struct, rename="camel", gc=False):
    tool_use_id: str | None = None
    name: str | None = None
    type: str | None = None
    input: Raw = Raw()


class _Location(Struct, gc=False):
    uri: str | None = None


class _Source(Struct, rename={"s3": "s3Location"}, gc=False):
    bytes: str | None = None  # base64
    s3: _Location | None = None
    url: str | None = None


class _Medium(Struct, gc=False):
    format: str | None = None
    name: str | None = None
    source: _Source | None = None


class _ReasoningText(Struct, gc=False):
    text: str | None = None


class Reasoning(Struct, rename="camel", gc=False):
    """Of a whole block, or a delta of one."""

    reasoning_text: _ReasoningText | None = None
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _Result(Struct, rename="camel"):
    tool_use_id: str | None = None
    content: list[Block] | None = None
    status: str | None = None


class _Guarded(Struct):
    text: _ReasoningText | None = None


class _Cited(Struct):
    content: list[Block] | None = None


class Block(Struct, rename="camel"):
    """Exactly one of the fields is sent."""

    text: str | None = None
    json: Raw = Raw()  # in the output of a tool
    tool_use: ToolUse | None = None
    tool_result: _Result | None = None
    reasoning_content: Reasoning | None = None
    image: _Medium | None = None
    document: _Medium | None = None
    video: _Medium | None = None
    audio: _Medium | None = None
    guard_content: _Guarded | None = None
    citations_content: _Cited | None = None

    def medium(self) -> MediaPart | None:
        for kind, each in (("image", self.image), ("video", self.video), ("audio", self.audio), ("file", self.document)):
            if each is not None:
                source = each.source or _Source()
                reference = source.url or (source.s3.uri if source.s3 else None) or (each.name if kind == "file" else None)
                return MediaPart(kind, each.format or "", reference or "", len(source.bytes or ""))
        return None


def parts_of(blocks: list[Block] | None, /) -> list[Part]:
    """The parts of a message, in order; blocks without content, such as marks of a cache, are left out."""
    return [part for block in blocks or () if (part := part_of(block)) is not None]


def part_of(block: Block, /) -> Part | None:
    """What a block says; None if nothing."""
    if block.tool_use is not None:
        use = block.tool_use
        return ToolCallPart(use.tool_use_id or "", use.name or "", text_of(use.input), server=use.type == "server_tool_use")
    if block.tool_result is not None:
        result = block.tool_result
        inner = result.content or []
        texts = [each.text or text_of(each.json) for each in inner]
        media = tuple(made for each in inner if (made := each.medium()) is not None)
        return ToolResultPart(result.tool_use_id or "", "\n".join(filter(None, texts)), result.status == "error", media=media)
    if block.reasoning_content is not None:
        thought = block.reasoning_content
        return ReasoningPart((thought.reasoning_text and thought.reasoning_text.text) or thought.text or "")
    text = block.text or (block.guard_content and block.guard_content.text and block.guard_content.text.text)
    if not text and block.citations_content is not None:
        text = "".join(each.text or "" for each in block.citations_content.content or ())
    return TextPart(text) if text else block.medium()
