"""The Messages API of Anthropic (docs.claude.com/en/api/messages and …/messages-streaming)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import msgspec
from msgspec import Raw, Struct

from ...events import Reply, SseEvent, Usage
from ..decode import Count, Failure, decoded, decoded_all, failure_text
from ..provider import IdentifyingFields, Provider
from ..reader import Draft, largest
from .prompt import request

__all__ = ["ANTHROPIC"]


class _Usage(Struct):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_read_tokens: Count | None = None

    def normal(self) -> Usage | None:
        created = self.cache_creation_input_tokens or self.cache_creation_tokens
        read = self.cache_read_input_tokens or self.cache_read_tokens
        counts = (self.input_tokens, self.output_tokens, created, read)
        return None if counts == (None,) * 4 else Usage(*(count or 0 for count in counts))


class _Block(Struct, gc=False):
    type: str = ""
    text: str = ""
    thinking: str = ""
    id: str = ""
    name: str = ""
    input: Raw = Raw()


class _Message(Struct, gc=False):
    id: str = ""
    model: str = ""
    content: list[_Block] = []
    stop_reason: str | None = None
    usage: _Usage | None = None
    error: Failure | str | None = None


class _Delta(Struct, gc=False):
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


_OfMessage: TypeAlias = Literal["message_start", "message_delta", "message_stop"]
_OfBlock: TypeAlias = Literal["content_block_start", "content_block_delta", "content_block_stop"]


class _Event(Struct, gc=False):
    type: _OfMessage | _OfBlock | Literal["ping", "error"]
    index: Count = 0
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Message | None = None
    usage: _Usage | None = None
    error: Failure | str | None = None


_EVENT = msgspec.json.Decoder(_Event)
_MESSAGE = msgspec.json.Decoder(_Message)


def _take(draft: Draft, event: SseEvent) -> bool | None:
    said = decoded(_EVENT, event.data)
    return None if said is None else _take_event(draft, said)


def _take_all(draft: Draft, events: Sequence[SseEvent]) -> int | None:
    said = decoded_all(_EVENT, [event.data for event in events])
    if said is None:
        return None
    content, text = 0, draft.text
    for one in said:
        delta = one.delta
        if delta is not None and delta.text and one.type == "content_block_delta":  # nearly all events
            text.append(delta.text)
            content += 1
        elif _take_event(draft, one):
            content += 1
    return content


def _take_event(draft: Draft, said: _Event) -> bool:
    if said.type == "content_block_delta" and said.delta:
        return _take_delta(draft, said.index, said.delta)
    if said.type == "content_block_start" and said.content_block:
        return _take_block(draft, said.index, said.content_block)
    if said.type == "message_start" and said.message:
        _take_message(draft, said.message)
    elif said.type == "message_delta":
        _take_end(draft, said.delta or _Delta(), said.usage)
    elif said.type in ("message_stop", "error"):
        draft.ended = True
        if said.type == "error":
            draft.error = failure_text(said.error) or "error"
    return False


def _take_delta(draft: Draft, index: int, delta: _Delta) -> bool:
    if delta.text:
        draft.text.append(delta.text)
    elif delta.partial_json:
        draft.call(index).parts.append(delta.partial_json)
    elif delta.thinking:
        draft.thinking.append(delta.thinking)
    else:
        return False
    return True


def _take_block(draft: Draft, index: int, block: _Block) -> bool:
    """A block of a whole answer, or the beginning of one in a stream: there the input of a tool is `{}`, and parts follow."""
    if block.type.endswith("tool_use"):  # also server_tool_use, mcp_tool_use
        call = draft.call(index)
        call.id, call.name, call.whole = block.id, block.name, str(bytes(block.input), "utf-8", "replace")
    return _take_delta(draft, index, _Delta(block.text, block.thinking))


def _take_message(draft: Draft, message: _Message) -> None:
    draft.id, draft.model = message.id, message.model
    for index, block in enumerate(message.content):
        _take_block(draft, index, block)
    _take_end(draft, message, message.usage)


def _take_end(draft: Draft, end: _Message | _Delta, usage: _Usage | None) -> None:
    draft.choices[0] = end.stop_reason or draft.choices.get(0)
    if usage and (counts := usage.normal()):
        draft.usage = largest(draft.usage or Usage(), counts)


def _response(body: bytes) -> Reply:
    draft = Draft()
    message = decoded(_MESSAGE, body)
    if message:
        _take_message(draft, message)
        draft.error = failure_text(message.error)
    return draft.reply()


_TYPES = frozenset[str](get_args(_OfMessage) + get_args(_OfBlock))


def _speaks(fields: IdentifyingFields) -> bool:
    if fields.type == "error":  # that of OpenAI has a code or a status
        return isinstance(fields.error, Failure) and fields.error.code is None and fields.status is None
    return fields.type in _TYPES


ANTHROPIC = Provider(
    name="anthropic",
    label="anthropic",
    hosts=(("anthropic", "anthropic"),),
    path=re.compile(r"/v1/messages/?$|/publishers/anthropic/models/(?P<model>[^/]+):(?:r|(?P<stream>streamR))awPredict$"),
    speaks=_speaks,
    request=request,
    response=_response,
    take=_take,
    take_all=_take_all,
)
