"""The Model Context Protocol over streamable HTTP (modelcontextprotocol.io, transports): JSON-RPC 2.0, without a model."""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct, field

from ...events import SseEvent
from ..canonical import Asked
from ..lenient import Fields
from ..provider import IdentifyingFields, Provider
from ..reader import Draft, read_beside
from ..resent import Failure, failure_text


class _Block(Struct, gc=False):
    text: str | None = None


class _Result(Struct, gc=False):
    is_error: bool | None = field(default=None, name="isError")
    content: list[_Block] | None = None


class _Message(Struct, gc=False):
    jsonrpc: Literal["2.0"]
    result: Raw = Raw()
    error: Failure | str | None = None


_MESSAGE = Fields(_Message)
_RESULT = Fields(_Result)
_CHOICE = 1  # not the reported choice 0: a stream has no finish reason, and any message may be its last


def _take(draft: Draft, event: SseEvent) -> bool | None:
    found = _MESSAGE.read(event.data)
    if found is None:
        return None
    draft.choices[_CHOICE] = "message"
    draft.note(found.unknown)
    _take_message(draft, found.value)
    return False


def _take_message(draft: Draft, message: _Message) -> None:
    """Errors of the protocol and errors of tools, which are results."""
    if message.error is not None:
        draft.error = failure_text(message.error)
        draft.ended = True
    elif message.result:
        draft.ended = True
        result = read_beside(_RESULT, message.result, "result", draft) if bytes(message.result)[:1] == b"{" else None
        if result is not None and result.is_error:
            draft.error = "\n".join(block.text for block in result.content or () if block.text) or "error"


def _answer(body: bytes) -> Draft:
    draft = Draft()
    found = _MESSAGE.read(body)
    if found is not None:
        draft.note(found.unknown)
        _take_message(draft, found.value)
    return draft


def _request(_: bytes) -> Asked:
    return Asked()


def _speaks(fields: IdentifyingFields) -> bool:
    return fields.jsonrpc == "2.0"


MCP = Provider(
    name="mcp",
    label="mcp",
    hosts=(),
    path=None,
    speaks=_speaks,
    asks=_request,
    answers=_answer,
    take=_take,
)
