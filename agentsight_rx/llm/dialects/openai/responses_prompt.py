"""Body of a request to OpenAI's Responses API, or a `response.create` that a client sends over a WebSocket -> Asked."""

from __future__ import annotations

import re
from typing import NamedTuple

from msgspec import Raw, Struct, field

from ...canonical import Asked, MediaPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolDefinition, ToolResultPart
from ...lenient import Fields
from ...request_fields import RequestFields, plain_text, text_of
from ...request_table import ResentRequests
from ...resent import Whole, decoded

# -- items ---------------------------------------------------------------------------------------------------------
# What items of OpenAI's Responses API have in common, in requests and in answers.


_OF_CLIENTS = ("function_call", "custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call", "computer_call")


def is_server_tool(type: str, /) -> bool:
    """Does OpenAI run the tool of such an item itself, as `web_search_call` and `mcp_call`?"""
    return type not in _OF_CLIENTS


# ------------------------------------------------------------------------------------------------------------------------


class _Part(Struct):
    type: str = ""
    text: str | None = None
    transcript: str | None = None  # of what was said aloud
    audio: str | None = None
    image_url: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class _Named(Struct):
    name: str | None = None
    id: str | None = None
    description: str | None = None
    parameters: Raw = Raw()


class OfferedTool(Struct):
    """A tool, or several under one name."""

    type: str = ""
    name: str | None = None
    description: str | None = None
    parameters: Raw = Raw()
    function: _Named | None = None  # as in Chat Completions; some clients keep that shape
    tools: list[OfferedTool] | None = None  # of a namespace

    def definitions(self, depth: int = 2) -> list[ToolDefinition]:
        if self.tools and depth:
            return [each for tool in self.tools for each in tool.definitions(depth - 1)]
        inner = self.function or _Named()
        return [
            ToolDefinition(
                self.name or inner.name or self.type,
                self.description or inner.description or "",
                text_of(self.parameters or inner.parameters),
                type=self.type or "function",
            )
        ]


class RequestItem(Struct):
    """One input: a message, reasoning, a call of a tool, its output, or more tools. Other kinds are ignored."""

    type: str = ""
    role: str | None = None
    name: str | None = None
    content: str | list[_Part] | None = None
    summary: list[_Part] | None = None
    id: str | None = None
    call_id: str | None = None
    status: str | None = None
    arguments: Raw = Raw()
    input: Raw = Raw()
    action: Raw = Raw()
    output: Raw = Raw()
    tools: list[OfferedTool] | None = None


class _Outcome(Struct):
    exit_code: Whole | None = None


class _Output(Struct):
    """A piece of a tool's output: text, or the output of a shell command."""

    text: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    outcome: _Outcome | None = None


class _Request(RequestFields):
    type: str | None = None
    input: str | list[RequestItem] | None = None
    instructions: str | list[RequestItem] | None = None
    tools: list[OfferedTool] | None = None
    named_conversation: str | _Named | None = field(default=None, name="conversation")
    prompt_cache_key: str | None = None
    previous_response_id: str | None = None
    response: _Request | None = None  # some clients wrap the request


_OUTPUTS = Fields[str | list[_Output]](str | list[_Output])
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class _Item(NamedTuple):
    message: Message
    tools: list[OfferedTool] | None


def _said(outer: _Request, items: list[_Item]) -> Asked:
    asked = outer.response or outer
    offered = [*(asked.tools or ()), *(tool for item in items for tool in item.tools or ())]
    named = asked.named_conversation
    return Asked(
        stream=outer.type == "response.create",  # a WebSocket always streams
        messages=(*map(message_of, _items(asked.instructions, "system")), *[item.message for item in items]),
        tools=tuple([each for tool in offered for each in tool.definitions()]),
        session_id=_session(asked.prompt_cache_key or ""),
        conversation_id=(named.id if isinstance(named, _Named) else named) or None,
        previous_response_id=asked.previous_response_id or None,
    )


def _session(key: str) -> str | None:
    """Codex puts the id of its session there. For other clients the key may be the same for all users."""
    return key if _UUID.fullmatch(key) else None


def _items(items: str | list[RequestItem] | None, role: str) -> list[RequestItem]:
    return [RequestItem("message", role, content=items)] if isinstance(items, str) else items or []


def message_of(item: RequestItem, /) -> Message:
    """An item in one shape."""
    if item.type.endswith("_output"):  # function_call_output, custom_tool_call_output, shell_call_output, …
        return Message("tool", (_result(item),))
    if item.type.endswith("_call"):
        called = next((text for raw in (item.arguments, item.input, item.action) if (text := plain_text(raw))), "")
        name = item.name or item.type.removesuffix("_call")
        part = ToolCallPart(item.call_id or item.id or "", name, called, server=is_server_tool(item.type))
        return Message("assistant", (part,))
    if item.type == "reasoning":
        return Message(
            "assistant", tuple(ReasoningPart(part.text or "") for part in item.summary or ()) or (ReasoningPart(""),)
        )
    if item.type in ("compaction", "compaction_summary"):
        return Message("assistant", (ReasoningPart("", compacted=True),))
    content = item.content if item.role else None
    parts = [TextPart(content)] if isinstance(content, str) else map(_part, content or ())
    return Message(item.role or "", tuple(part for part in parts if part is not None))


def _part(part: _Part) -> Part | None:
    text = part.text or part.transcript
    if text:
        return TextPart(text)
    if part.audio:
        return MediaPart("audio", size=len(part.audio))
    reference = part.image_url or part.file_url or part.file_id or part.filename or ""
    if not (reference or part.file_data):
        return None
    kind = "image" if "image" in part.type else "file"
    if reference.startswith("data:"):
        return MediaPart(kind, size=len(reference))
    return MediaPart(kind, reference=reference, size=len(part.file_data or ""))


def _result(item: RequestItem) -> ToolResultPart:
    """Most tools return text or pieces of it; any other output stays JSON."""
    call = item.call_id or item.id or ""
    output = decoded(_OUTPUTS.strict, item.output) if item.output else ""
    if isinstance(output, str):
        return ToolResultPart(call, output, item.status == "failed")
    if output is None:
        return ToolResultPart(call, text_of(item.output), item.status == "failed")
    failed = any(piece.outcome and piece.outcome.exit_code for piece in output)
    texts = [text for piece in output for text in (piece.text, piece.stdout, piece.stderr) if text]
    return ToolResultPart(call, "\n".join(texts), item.status == "failed" or failed)


def _item(item: RequestItem) -> _Item:
    return _Item(message_of(item), item.tools)


request: ResentRequests[_Request, RequestItem, _Item] = ResentRequests(
    _Request,
    _said,
    {
        "max_tokens": "max_output_tokens",
        "reasoning": "reasoning.effort",
        "output_type": "text.format.type",
        "service_tier": "service_tier",
    },
    field="input",
    element=RequestItem,
    made=_item,
    listed=lambda outer: _items((outer.response or outer).input, "user"),
    wrapper="response",
)
