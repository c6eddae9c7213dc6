"""Body of a request to Amazon Bedrock's Converse API, or to a Nova model -> Asked."""

from __future__ import annotations

from msgspec import Raw, Struct, field

from ...canonical import Asked, MediaPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolDefinition, ToolResultPart
from ...request_fields import RequestFields, text_of
from ...request_table import Place, Requests
from ...resent import Whole

# -- blocks --------------------------------------------------------------------------------------------------------
# A block of a message of Amazon Bedrock's Converse API -> a Part; requests and answers have the same blocks.


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


# ------------------------------------------------------------------------------------------------------------------------


class _Message(Struct):
    role: str | None = None
    content: list[Block] | str | None = None


class _Schema(Struct):
    json: Raw = Raw()


class _Spec(Struct, rename="camel"):
    name: str | None = None
    description: str | None = None
    input_schema: _Schema | None = None


class _Tool(Struct, rename="camel"):
    tool_spec: _Spec | None = None
    system_tool: _Spec | None = None


class _Tools(Struct):
    tools: list[_Tool] | None = None


class _Request(RequestFields):
    messages: list[_Message] | None = None
    system: list[Block] | str | None = None
    tool_config: _Tools | None = field(default=None, name="toolConfig")


def _said(asked: _Request) -> Asked:
    system = [_Message("system", asked.system)] if asked.system else []
    said = [*system, *(asked.messages or ())]
    return Asked(
        messages=tuple(Message(each.role or "", tuple(parts_of(_blocks(each.content)))) for each in said),
        tools=tuple(_definition(tool) for tool in (asked.tool_config and asked.tool_config.tools) or ()),
    )


_MORE = "additionalModelRequestFields"  # what a model takes beyond the common fields, in its own words
request = Requests(
    _Request,
    _said,
    {
        "max_tokens": ("inferenceConfig.maxTokens", "inferenceConfig.max_new_tokens"),  # the second is Nova's
        "temperature": "inferenceConfig.temperature",
        "top_p": "inferenceConfig.topP",
        "top_k": ("inferenceConfig.topK", f"{_MORE}.top_k"),
        "stop": "inferenceConfig.stopSequences",
        "reasoning": (
            Place(f"{_MORE}.thinking.budget_tokens", Whole),
            f"{_MORE}.thinking.type",
            f"{_MORE}.reasoningConfig.maxReasoningEffort",
            f"{_MORE}.reasoningConfig.type",
            f"{_MORE}.reasoning_effort",
        ),
    },
)


def _blocks(content: list[Block] | str | None) -> list[Block]:
    return [Block(content)] if isinstance(content, str) else content or []


def _definition(tool: _Tool) -> ToolDefinition:
    spec = tool.tool_spec or tool.system_tool or _Spec()
    schema = text_of(spec.input_schema.json) if spec.input_schema else ""
    return ToolDefinition(spec.name or "", spec.description or "", schema, type="function" if tool.tool_spec else "system")
