"""Body of a request to Amazon Bedrock's Converse API, or to a Nova model -> Asked."""

from __future__ import annotations

from msgspec import Raw, Struct, field

from ..canonical import Asked, Message, Parameters, ToolDefinition
from ..decode import Whole
from ..lenient import Fields
from ..request_fields import RequestFields, asked_of, text_of
from .blocks import Block, parts_of

__all__ = ["request"]


class _Message(Struct):
    role: str | None = None
    content: list[Block] | str | None = None


class _Config(Struct, rename="camel"):
    max_tokens: Whole | None = None
    nova_tokens: Whole | None = field(default=None, name="max_new_tokens")
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    stop_sequences: list[str] | None = None


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


class _Thinking(Struct):
    type: str | None = None
    budget_tokens: Whole | None = None


class _Effort(Struct):
    type: str | None = None
    effort: str | None = field(default=None, name="maxReasoningEffort")


class _More(Struct):
    """What a model takes beyond the common fields, in its own words."""

    top_k: float | None = None
    thinking: _Thinking | None = None
    effort: _Effort | None = field(default=None, name="reasoningConfig")
    reasoning_effort: str | None = None

    def reasoning(self) -> str | None:
        if self.thinking is not None:
            return str(self.thinking.budget_tokens or self.thinking.type or "") or None
        return (self.effort and (self.effort.effort or self.effort.type)) or self.reasoning_effort


class _Request(RequestFields):
    messages: list[_Message] | None = None
    system: list[Block] | str | None = None
    config: _Config | None = field(default=None, name="inferenceConfig")
    tool_config: _Tools | None = field(default=None, name="toolConfig")
    more: _More | None = field(default=None, name="additionalModelRequestFields")


_REQUEST = Fields(_Request)


def request(body: bytes, /) -> Asked:
    """Never raises: a body that is not such a request gives an empty Asked."""
    found = _REQUEST.read(body)
    if found is None:
        return Asked()
    asked = found.value
    config, more = asked.config or _Config(), asked.more or _More()
    system = [_Message("system", asked.system)] if asked.system else []
    return asked_of(
        asked,
        [Message(each.role or "", tuple(parts_of(_blocks(each.content)))) for each in (*system, *(asked.messages or ()))],
        tools=[_definition(tool) for tool in (asked.tool_config and asked.tool_config.tools) or ()],
        parameters=Parameters(
            max_tokens=config.nova_tokens if config.max_tokens is None else config.max_tokens,
            temperature=config.temperature,
            top_p=config.top_p,
            top_k=more.top_k if config.top_k is None else config.top_k,
            stop=tuple(config.stop_sequences or ()),
            reasoning=more.reasoning(),
        ),
        unknown=found.unknown,
    )


def _blocks(content: list[Block] | str | None) -> list[Block]:
    return [Block(content)] if isinstance(content, str) else content or []


def _definition(tool: _Tool) -> ToolDefinition:
    spec = tool.tool_spec or tool.system_tool or _Spec()
    schema = text_of(spec.input_schema.json) if spec.input_schema else ""
    return ToolDefinition(spec.name or "", spec.description or "", schema, type="function" if tool.tool_spec else "system")
