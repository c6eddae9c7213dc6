"""Body of a request to OpenAI's Chat Completions API, or to the older Completions -> Prompt."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ..decode import decoded
from ..prompt import Prompt, RequestFields, ToolResult, Turn, prompt_of

__all__ = ["request"]


class _Part(Struct):
    text: str | None = None


class _Message(Struct):
    role: str = ""
    content: str | list[_Part] | None = None
    tool_call_id: str | None = None


class _Named(Struct):
    name: str = ""


class _Tool(Struct):
    function: _Named | None = None
    custom: _Named | None = None


class _Request(RequestFields):
    messages: list[_Message] = msgspec.field(default_factory=list[_Message])
    prompt: str | list[str] | None = None
    tools: list[_Tool] | None = None
    functions: list[_Named] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None


_REQUEST = msgspec.json.Decoder(_Request)


def request(body: bytes, /) -> Prompt:
    """Never raises: a body that is not such a request gives an empty Prompt."""
    asked = decoded(_REQUEST, body)
    if asked is None:
        return Prompt()
    turns = [_turn(message) for message in asked.messages]
    if asked.prompt:
        turns.append(Turn("user", [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt))
    named = [tool.function or tool.custom or _Named() for tool in asked.tools or []] + (asked.functions or [])
    most = asked.max_tokens if asked.max_completion_tokens is None else asked.max_completion_tokens
    return prompt_of(asked, turns, tools=[tool.name for tool in named], max_tokens=most)


def _turn(message: _Message) -> Turn:
    content = message.content
    texts = [content] if isinstance(content, str) else [part.text for part in content or [] if part.text]
    if message.role in ("tool", "function"):
        return Turn(message.role, [], [ToolResult(message.tool_call_id or "", "\n".join(texts))])
    return Turn(message.role, [text for text in texts if text])
