"""Body of a request to Anthropic's Messages API -> Asked."""

from __future__ import annotations

from msgspec import Raw, Struct

from ..canonical import Asked, Message, Parameters, ToolDefinition
from ..decode import Whole
from ..lenient import Fields
from ..request_fields import RequestFields, asked_of, text_of
from ..resent import Elements, Resent
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


def _message(message: _Message) -> Message:
    return Message(message.role or "", tuple(parts_of(message.content)))


_MESSAGES = Elements("messages", _Request, element=_Message, made=_message)


def request(body: bytes, resent: Resent | None = None, /) -> Asked:
    """Never raises: a body that is not such a request gives an empty Asked. `resent` has the messages of the request before."""
    again = None if resent is None else _MESSAGES.read(body, resent)
    unknown: tuple[str, ...] = ()
    if again is not None:
        asked, messages = again
    elif (found := _REQUEST.read(body)) is not None:
        asked, unknown = found.value, found.unknown
        messages = [_message(each) for each in asked.messages or ()]
    else:
        return Asked()
    if asked.system:
        messages.insert(0, _message(_Message("system", asked.system)))
    return asked_of(
        asked,
        messages,
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
        unknown=unknown,
    )


def _reasoning(asked: _Request) -> str | None:
    if asked.output_config and asked.output_config.effort:
        return asked.output_config.effort
    thinking = asked.thinking
    return None if thinking is None else str(thinking.budget_tokens or thinking.type or "")
