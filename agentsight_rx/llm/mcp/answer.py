"""The Model Context Protocol over streamable HTTP (modelcontextprotocol.io, transports): JSON-RPC 2.0, without a model."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw, Struct, field

from ...events import Reply, SseEvent
from ..decode import Failure, decoded, failure_text
from ..prompt import Prompt
from ..provider import IdentifyingFields, Provider
from ..reader import Draft

__all__ = ["MCP"]


class _Block(Struct, gc=False):
    text: str | None = None


class _Result(Struct, gc=False):
    is_error: bool = field(default=False, name="isError")
    content: list[_Block] | None = None


class _Message(Struct, gc=False):
    jsonrpc: Literal["2.0"]
    result: Raw = Raw()
    error: Failure | None = None


_MESSAGE = msgspec.json.Decoder(_Message)
_RESULT = msgspec.json.Decoder(_Result)
_CHOICE = 1  # not the reported choice 0: a stream has no finish reason, and any message may be its last


def _take(draft: Draft, event: SseEvent) -> bool | None:
    message = decoded(_MESSAGE, event.data)
    if message is None:
        return None
    draft.choices[_CHOICE] = "message"
    _take_message(draft, message)
    return False


def _take_message(draft: Draft, message: _Message) -> None:
    """Errors of the protocol and errors of tools, which are results."""
    if message.error is not None:
        draft.error = failure_text(message.error)
        draft.ended = True
    elif message.result:
        draft.ended = True
        result = decoded(_RESULT, message.result)
        if result is not None and result.is_error:
            draft.error = "\n".join(block.text for block in result.content or () if block.text) or "error"


def _response(body: bytes) -> Reply:
    draft = Draft()
    message = decoded(_MESSAGE, body)
    if message:
        _take_message(draft, message)
    return draft.reply()


def _request(_: bytes) -> Prompt:
    return Prompt()


def _speaks(fields: IdentifyingFields) -> bool:
    return fields.jsonrpc == "2.0"


MCP = Provider(
    name="mcp",
    label="mcp",
    hosts=(),
    path=None,
    speaks=_speaks,
    request=_request,
    response=_response,
    take=_take,
)
