"""Body of a request to Anthropic's Messages API -> Asked."""

from __future__ import annotations

from msgspec import Raw, Struct

from ..canonical import Asked, Message, Parameters, ToolDefinition
from ..decode import Whole
from ..lenient import Fields
from ..request_fields import RequestFields, asked_of, text_of
from .blocks import Content, parts_of

__all__ = ["request"]


class _Message(Struct):
    role: str | None = None
    content: Content = None


class _Tool(Struct):
    name: str | None = None
    type: str | None = None
    description: str | None = None
    mcp_server_name: str | None = None
    input_schema: Raw = Raw()


class _Thinking(Struct):
    type: str | None = None
    budget_tokens: Whole | None = None


class _Effort(Struct):
    effort: str | None = None


class _Request(RequestFields):
    system: Content = None
    messages: list[_Message] | None = None
    tools: list[_Tool] | None = None
    max_tokens: Whole | None = None
    top_k: Whole | None = None
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
    messages = [_Message("system", asked.system), *(asked.messages or ())] if asked.system else asked.messages or []
    return asked_of(
        asked,
        [Message(message.role or "", tuple(parts_of(message.content))) for message in messages],
        tools=[
            ToolDefinition(
                tool.name or tool.mcp_server_name or "",
                tool.description or "",
                text_of(tool.input_schema),
                type=tool.type or "function",
            )
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
    return None if thinking is None else str(thinking.budget_tokens or thinking.type or "")
