"""Requests, answers and rows -> prompts and answers as the attributes of a span."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from ...core.bounded import Recent
from ...events import HttpRequest, HttpResponse, Reply, SseMessage
from ...llm import provider_named
from ...llm.decode import decoded
from ...view import CallRow, Output
from ...view.ids import call_id

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

__all__ = ["Content"]

_CONTENT_MOST = 65_536  # characters of one attribute, and of one text in it
_ASKED_MOST = 256  # open calls whose messages are kept, so 16 MiB; agents have a handful open


class _Block(Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    id: str = ""
    name: str = ""
    input: Raw = Raw()
    tool_use_id: str = ""
    content: str | list[_Block] | _Block | None = None


class _Function(Struct):
    name: str = ""
    arguments: str | None = None


class _Call(Struct):
    id: str = ""
    function: _Function | None = None


class _Message(Struct):
    role: str = ""
    content: str | list[_Block] | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None


class _Request(Struct):
    """A request to Anthropic's Messages or to OpenAI's chat; no field has two meanings in them."""

    messages: list[_Message] = []


_REQUEST = msgspec.json.Decoder(_Request)

_Part = dict[str, object]

# Finish reason of a provider -> `finish_reason` of gen_ai.output.messages
_FINISHED = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_call",
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "refusal": "content_filter",
    "max_output_tokens": "length",
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
}


class Content:
    """
    gen_ai.input.messages and gen_ai.output.messages, as JSON text in the schema of the conventions.

    A row does not have all of that; the event that it was made of does, and comes right before it.
    """

    def __init__(self) -> None:
        self._event: HttpRequest | HttpResponse | SseMessage | None = None
        self._asked: Recent[str, str] = Recent(_ASKED_MOST)

    def see(self, item: Output) -> None:
        if isinstance(item, HttpRequest | HttpResponse | SseMessage):
            self._event = item

    def asked(self, row: CallRow) -> None:
        """A call began: keep its messages until it ends."""
        event = self._event
        if not isinstance(event, HttpRequest) or call_id(event.origin, event.exchange) != row.id:
            return
        messages = _messages(event.body)
        if messages is not None:
            self._asked.put(row.id, messages)

    def of(self, row: CallRow) -> dict[str, AttributeValue]:
        """The content of a call that has ended. Where there is only the row, the last user text and the text of the answer."""
        asked = self._asked.pop(row.id, None)
        if asked is None:
            asked = _json([{"role": "user", "parts": [_text(row.prompt)]}] if row.prompt else [])
        reply = self._reply(row)
        parts = [_text(reply.thinking, kind="reasoning")] if reply.thinking else []
        parts += [_text(reply.text)] if reply.text else []
        parts += [_tool_call(call.id, call.name, call.input) for call in reply.tool_calls]
        reason = "error" if row.status in ("error", "aborted") else row.finish_reason or "stop"
        answer: list[_Part] = [{"role": "assistant", "parts": parts, "finish_reason": _FINISHED.get(reason, reason)}]
        return {"gen_ai.input.messages": asked, "gen_ai.output.messages": _json(answer if parts else [])}

    def _reply(self, row: CallRow) -> Reply:
        event = self._event
        if event is not None and call_id(event.origin, event.exchange) == row.id:
            if isinstance(event, SseMessage):
                return event.reply
            provider = provider_named(row.call_kind)
            if isinstance(event, HttpResponse) and provider is not None:
                return provider.response(event.body)
        failed = (row.status_code or 0) >= 400  # then the text is an error message
        return Reply(text="" if failed else row.text, thinking=row.thinking)


def _messages(body: bytes) -> str | None:
    """The newest messages of a request, as many as fit and at least one; None where it has none."""
    request = decoded(_REQUEST, body)
    kept: list[str] = []
    room = _CONTENT_MOST
    for message in reversed(request.messages if request else []):
        text = _json({"role": message.role, "parts": _parts(message)})
        room -= len(text)
        if kept and room < 0:
            break
        kept.append(text)
    return f"[{','.join(reversed(kept))}]" if kept else None


def _parts(message: _Message) -> list[_Part]:
    if message.role in ("tool", "function"):
        return [_tool_response(message.tool_call_id or "", message.content)]
    parts = [_part(block) for block in _blocks(message.content)]
    for call in message.tool_calls or ():
        function = call.function or _Function()
        parts.append(_tool_call(call.id, function.name, function.arguments or ""))
    return parts


def _part(block: _Block) -> _Part:
    if block.type.endswith("tool_use"):
        return _tool_call(block.id, block.name, bytes(block.input).decode("utf-8", "replace"))
    if block.type.endswith("tool_result"):
        return _tool_response(block.tool_use_id, block.content)
    if block.text is not None:
        return _text(block.text)
    if block.thinking is not None:
        return _text(block.thinking, kind="reasoning")
    return {"type": block.type}  # of an image or a document only the type


def _text(text: str, *, kind: str = "text") -> _Part:
    return {"type": kind, "content": text[:_CONTENT_MOST]}


def _tool_call(id: str, name: str, arguments: str) -> _Part:
    return {"type": "tool_call", "id": id, "name": name, "arguments": _value(arguments)}


def _tool_response(id: str, content: str | list[_Block] | _Block | None) -> _Part:
    text = "\n".join(block.text for block in _blocks(content) if block.text)
    return {"type": "tool_call_response", "id": id, "response": text[:_CONTENT_MOST]}


def _blocks(content: str | list[_Block] | _Block | None) -> list[_Block]:
    if isinstance(content, str):
        return [_Block("text", content)] if content else []
    return [content] if isinstance(content, _Block) else content or []


def _value(text: str) -> object:
    """The arguments as they were sent: embedded where they are JSON, else as a string."""
    if len(text) > _CONTENT_MOST:
        return text[:_CONTENT_MOST]
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return Raw(text.encode())


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
