"""Body of a request to OpenAI's Responses API, or a `response.create` that a client sends over a WebSocket -> Prompt."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct, field
from msgspec.structs import replace

from ..decode import decoded
from ..prompt import Prompt, RequestFields, ToolResult, Turn, prompt_of

__all__ = ["request"]


class _Part(Struct):
    text: str | None = None


class _Named(Struct):
    name: str | None = None
    id: str | None = None


class _Tool(Struct):
    type: str = ""
    name: str | None = None
    function: _Named | None = None  # as in Chat Completions; some clients keep that shape
    tools: list[_Tool] | None = None  # of a namespace

    def names(self, depth: int = 2) -> list[str]:
        if self.tools and depth:
            return [name for tool in self.tools for name in tool.names(depth - 1)]
        return [self.name or (self.function and self.function.name) or self.type]


class _Item(Struct):
    """One input: a message, the output of a tool, or more tools. Other kinds are ignored."""

    type: str = ""
    role: str | None = None
    content: str | list[_Part] | None = None
    id: str | None = None
    call_id: str | None = None
    status: str | None = None
    output: Raw = Raw()
    tools: list[_Tool] | None = None


class _Outcome(Struct):
    exit_code: int | None = None


class _Output(Struct):
    """A piece of a tool's output: text, or the output of a shell command."""

    text: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    outcome: _Outcome | None = None


class _Request(RequestFields):
    type: str | None = None
    input: str | list[_Item] | None = None
    instructions: str | list[_Item] | None = None
    tools: list[_Tool] | None = None
    max_output_tokens: int | None = None
    named_conversation: str | _Named | None = field(default=None, name="conversation")
    prompt_cache_key: str | None = None
    response: _Request | None = None  # some clients wrap the request


_REQUEST = msgspec.json.Decoder(_Request)
_OUTPUTS = msgspec.json.Decoder(str | list[_Output])
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def request(body: bytes, /) -> Prompt:
    """Never raises: a body that is not such a request gives an empty Prompt."""
    outer = decoded(_REQUEST, body)
    if outer is None:
        return Prompt()
    asked = outer.response or outer
    items = _items(asked.input, "user")
    offered = [*(asked.tools or ()), *(tool for item in items for tool in item.tools or ())]
    prompt = prompt_of(
        asked,
        [_turn(item) for item in (*_items(asked.instructions, "system"), *items)],
        tools=[name for tool in offered for name in tool.names()],
        max_tokens=asked.max_output_tokens,
    )
    named = asked.named_conversation
    return replace(
        prompt,
        stream=prompt.stream or outer.type == "response.create",  # a WebSocket always streams
        session_id=prompt.session_id or _session(asked.prompt_cache_key or ""),
        conversation_id=prompt.conversation_id or (named.id if isinstance(named, _Named) else named) or None,
    )


def _session(key: str) -> str | None:
    """Codex puts the id of its session there. For other clients the key may be the same for all users."""
    return key if _UUID.fullmatch(key) else None


def _items(items: str | list[_Item] | None, role: str) -> list[_Item]:
    return [_Item("message", role, items)] if isinstance(items, str) else items or []


def _turn(item: _Item) -> Turn:
    if item.type.endswith("_output"):  # function_call_output, custom_tool_call_output, shell_call_output, …
        return Turn("tool", [], [_result(item)])
    content = item.content if item.role else None
    texts = [content] if isinstance(content, str) else [part.text for part in content or [] if part.text]
    return Turn(item.role or "", [text for text in texts if text])


def _result(item: _Item) -> ToolResult:
    """Most tools return text or pieces of it; any other output stays JSON."""
    call = item.call_id or item.id or ""
    output = decoded(_OUTPUTS, item.output) if item.output else ""
    if isinstance(output, str):
        return ToolResult(call, output, item.status == "failed")
    if output is None:
        text = str(bytes(item.output), "utf-8", "replace")
        return ToolResult(call, "" if text == "null" else text, item.status == "failed")
    failed = any(piece.outcome and piece.outcome.exit_code for piece in output)
    texts = [text for piece in output for text in (piece.text, piece.stdout, piece.stderr) if text]
    return ToolResult(call, "\n".join(texts), item.status == "failed" or failed)
