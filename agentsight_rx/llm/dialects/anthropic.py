"""The Messages API of Anthropic (docs.claude.com/en/api/messages and …/messages-streaming)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

from msgspec import Raw, Struct

from ...events import SseEvent, Usage
from ..canonical import ReasoningPart, TextPart
from ..lenient import SHORT, Fields
from ..prompt import take_usage
from ..provider import IdentifyingFields, Provider
from ..reader import Draft, Place
from ..resent import BROKEN, Count, Failure, decoded_all, failure_text
from .anthropic_prompt import Block, part_of, request


class _Details(Struct, gc=False):
    thinking_tokens: Count | None = None


class _Created(Struct, gc=False):
    ephemeral_1h_input_tokens: Count | None = None


class _Iteration(Struct, gc=False):
    """One of several requests that were answered in one stream, as where the conversation was compacted first."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation: _Created | None = None

    @property
    def for_an_hour(self) -> int:
        return (self.cache_creation.ephemeral_1h_input_tokens if self.cache_creation else None) or 0


class _Usage(_Iteration, gc=False):
    cache_creation_tokens: Count | None = None  # names of other vendors
    cache_read_tokens: Count | None = None
    output_tokens_details: _Details | None = None
    iterations: list[_Iteration] | None = None


def _counted(before: Usage | None, usage: _Usage) -> Usage | None:
    """
    The counts of a whole answer, or those so far in a stream: a later event states again what it has, and leaves out the rest.

    `input_tokens` excludes cached ones. With `iterations`, the fields above them leave out the tokens of a compaction, so their
    sum is the answer's. A 0 in place of an earlier count of the request is how some vendors leave it out: a request is never
    empty.
    """
    old = before or Usage()
    details = usage.output_tokens_details or _Details()
    thought = old.reasoning if details.thinking_tokens is None else details.thinking_tokens
    if usage.iterations:
        each = usage.iterations
        return Usage(
            input=sum(one.input_tokens or 0 for one in each),
            output=sum(one.output_tokens or 0 for one in each),
            cache_creation=sum(one.cache_creation_input_tokens or 0 for one in each),
            cache_read=sum(one.cache_read_input_tokens or 0 for one in each),
            reasoning=thought,
            cache_creation_1h=sum(one.for_an_hour for one in each),
        )
    created = usage.cache_creation_input_tokens or usage.cache_creation_tokens
    read = usage.cache_read_input_tokens or usage.cache_read_tokens
    if before is None and (usage.input_tokens, usage.output_tokens, created, read) == (None,) * 4:
        return None
    return Usage(
        input=usage.input_tokens or old.input,
        output=old.output if usage.output_tokens is None else usage.output_tokens,
        cache_creation=created or old.cache_creation,
        cache_read=read or old.cache_read,
        reasoning=thought,
        cache_creation_1h=usage.for_an_hour or old.cache_creation_1h,
    )


class _Message(Struct, gc=False):
    id: str | None = None
    model: str | None = None
    content: list[Block] | None = None
    stop_reason: str | None = None
    usage: Raw = Raw()
    error: Failure | str | None = None


class _Delta(Struct, gc=False):
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    content: str | None = None  # of a compaction
    stop_reason: str | None = None


_OfMessage: TypeAlias = Literal["message_start", "message_delta", "message_stop"]
_OfBlock: TypeAlias = Literal["content_block_start", "content_block_delta", "content_block_stop"]


class _Event(Struct, gc=False):
    type: _OfMessage | _OfBlock | Literal["ping", "error"]
    index: Count | None = None
    delta: _Delta | None = None
    content_block: Block | None = None
    message: _Message | None = None
    usage: Raw = Raw()
    error: Failure | str | None = None


_EVENT = Fields(_Event)
_decode = _EVENT.strict.decode
_MESSAGE = Fields(_Message)
_USAGE = Fields(_Usage)


def _take(draft: Draft, event: SseEvent) -> bool | None:
    data = event.data
    if len(data) > SHORT:
        return _take_other(draft, data)
    try:
        said = _decode(data)
    except BROKEN:
        return _take_other(draft, data)
    delta = said.delta
    if delta is not None and said.type == "content_block_delta":  # nearly all events
        block = draft.blocks.get((said.index or 0, 0, 0))
        if block is not None:
            if text := delta.text:
                if block.kind == "text":
                    block.parts.append(text)
                    return True
            elif (text := delta.partial_json) and block.kind == "call":
                block.parts.append(text)
                return True
    return _take_event(draft, said)


def _take_other(draft: Draft, data: str) -> bool | None:
    """An event that is long, or does not fit."""
    said = _EVENT.noting_odd(data, draft.note)
    return None if said is None else _take_event(draft, said)


def _take_all(draft: Draft, events: Sequence[SseEvent]) -> int | None:
    said = decoded_all(_EVENT.strict, [event.data for event in events])
    if said is None:
        return None
    content, index, text = 0, -1, [""]
    for one in said:
        delta = one.delta
        # nearly all events
        if delta is not None and delta.text and one.index is not None and one.type == "content_block_delta":
            if one.index != index:
                index, text = one.index, draft.block((one.index, 0, 0), "text").parts
            text.append(delta.text)
            content += 1
        elif _take_event(draft, one):
            content += 1
    return content


def _take_event(draft: Draft, said: _Event) -> bool:
    if said.type == "content_block_delta" and said.delta:
        return _take_delta(draft, _place(draft, said.index), said.delta)
    if said.type == "content_block_start" and said.content_block:
        return _take_block(draft, _place(draft, said.index), said.content_block)
    if said.type == "message_start" and said.message:
        _take_message(draft, said.message)
    elif said.type == "message_delta":
        _take_end(draft, said.delta or _Delta(), said.usage)
    elif said.type in ("message_stop", "error"):
        draft.ended = True
        if said.type == "error":
            draft.error = failure_text(said.error) or "error"
    return False


def _place(draft: Draft, index: int | None) -> Place:
    """Where a block is; what has no number that can be read goes on with the newest block."""
    return max(draft.blocks, default=(0, 0, 0)) if index is None else (index, 0, 0)


def _take_delta(draft: Draft, place: Place, delta: _Delta) -> bool:
    if delta.text:
        draft.block(place, "text").parts.append(delta.text)
    elif delta.partial_json:
        draft.block(place, "call").parts.append(delta.partial_json)
    elif delta.thinking or delta.content:
        draft.block(place, "reasoning").parts.append(delta.thinking or delta.content or "")
    else:
        return False
    return True


def _take_block(draft: Draft, place: Place, block: Block) -> bool:
    """A block of a whole answer, or the beginning of one in a stream: there the input of a tool is `{}`, and parts follow."""
    part = part_of(block)
    if part is None:
        return False
    draft.put(place, part)
    return isinstance(part, TextPart | ReasoningPart) and bool(part.text)


def _take_message(draft: Draft, message: _Message) -> None:
    draft.id, draft.model = message.id or "", message.model or ""
    for index, block in enumerate(message.content or ()):
        _take_block(draft, (index, 0, 0), block)
    _take_end(draft, message, message.usage)


def _take_end(draft: Draft, end: _Message | _Delta, usage: Raw) -> None:
    draft.choices[0] = end.stop_reason or draft.choices.get(0)
    take_usage(draft, usage, _USAGE, lambda counts: _counted(draft.usage, counts))


def _answer(body: bytes) -> Draft:
    draft = Draft()
    found = _MESSAGE.read(body)
    if found:
        draft.note(found.unknown)
        _take_message(draft, found.value)
        draft.error = failure_text(found.value.error)
    return draft


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
    asks=request,
    asks_again=request.again,
    answers=_answer,
    take=_take,
    take_all=_take_all,
    end_marks=(b"message_stop", b"error"),
)
