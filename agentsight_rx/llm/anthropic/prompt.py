"""Body of a request to Anthropic's Messages API -> Prompt."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Struct

from ..decode import decoded
from ..prompt import Prompt, RequestFields, ToolResult, Turn, prompt_of

__all__ = ["request"]


class _Block(Struct):
    type: str = ""
    text: str = ""
    tool_use_id: str = ""
    content: str | list[_Block] | _Block | None = None  # of a tool_result; for server tools a single block
    is_error: bool | None = None


_Content: TypeAlias = str | list[_Block] | _Block | None


class _Message(Struct):
    role: str = ""
    content: str | list[_Block] = ""


class _Tool(Struct):
    name: str = ""


class _Request(RequestFields):
    system: str | list[_Block] | None = None
    messages: list[_Message] = msgspec.field(default_factory=list[_Message])
    tools: list[_Tool] | None = None
    max_tokens: int | None = None


_REQUEST = msgspec.json.Decoder(_Request)


def request(body: bytes, /) -> Prompt:
    """Never raises: a body that is not such a request gives an empty Prompt."""
    asked = decoded(_REQUEST, body)
    if asked is None:
        return Prompt()
    messages = [_Message("system", asked.system or ""), *asked.messages]
    tools = [tool.name for tool in asked.tools or []]
    return prompt_of(asked, [_turn(message) for message in messages], tools=tools, max_tokens=asked.max_tokens)


def _turn(message: _Message) -> Turn:
    blocks = _blocks(message.content)
    results = [
        ToolResult(block.tool_use_id, "\n".join(_texts(block.content)), block.is_error or False)
        for block in blocks
        if block.type == "tool_result"
    ]
    return Turn(message.role, [block.text for block in blocks if block.text], results)


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
