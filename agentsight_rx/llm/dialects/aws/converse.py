"""The Converse API of Amazon Bedrock (docs.aws.amazon.com/bedrock/latest/APIReference, Converse and ConverseStream)."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, get_args

from msgspec import Raw, Struct, field

from ....events import SseEvent, Usage
from ...aws import exception_of, take_exception
from ...lenient import Fields
from ...prompt import take_usage as usage_of_event
from ...provider import IdentifyingFields, Provider
from ...reader import Draft, Place
from ...resent import Count
from .converse_prompt import Block, Reasoning, ToolUse, part_of, request

_Kind: TypeAlias = Literal[
    "messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"
]
_KINDS = frozenset[str](get_args(_Kind))


class _Usage(Struct, rename="camel"):
    """Of an answer, or of the invocation metrics, which have other names for the same."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_write_input_tokens: Count | None = None
    input_token_count: Count | None = None
    output_token_count: Count | None = None
    cache_read_input_token_count: Count | None = None
    cache_write_input_token_count: Count | None = None

    def normal(self) -> Usage | None:
        """`inputTokens` excludes the cached ones."""
        asked, said = self.input_tokens, self.output_tokens
        if (asked, said, self.input_token_count, self.output_token_count) == (None,) * 4:
            return None
        return Usage(
            input=(self.input_token_count if asked is None else asked) or 0,
            output=(self.output_token_count if said is None else said) or 0,
            cache_creation=self.cache_write_input_tokens or self.cache_write_input_token_count or 0,
            cache_read=self.cache_read_input_tokens or self.cache_read_input_token_count or 0,
        )


class _Text(Struct, gc=False):
    text: str | None = None


class _ToolInput(Struct, gc=False):
    input: str | None = None


class _Delta(Struct, rename="camel", gc=False):
    text: str | None = None
    tool_use: _ToolInput | None = None
    tool_result: list[_Text] | None = None
    reasoning_content: Reasoning | None = None


class _ToolOf(Struct, rename="camel", gc=False):
    tool_use_id: str | None = None
    status: str | None = None


class _Start(Struct, rename="camel", gc=False):
    tool_use: ToolUse | None = None
    tool_result: _ToolOf | None = None


class _Payload(Struct, rename="camel"):
    """Of an event of any kind."""

    content_block_index: Count | None = None
    start: _Start | None = None
    delta: _Delta | None = None
    stop_reason: str | None = None
    usage: Raw = Raw()


class _Wrapped(Struct, rename="camel"):
    """An event whose kind is a name in its data, as the Nova models send them where they are invoked directly."""

    message_start: _Payload | None = None
    content_block_start: _Payload | None = None
    content_block_delta: _Payload | None = None
    content_block_stop: _Payload | None = None
    message_stop: _Payload | None = None
    metadata: _Payload | None = None

    def found(self) -> tuple[_Kind, _Payload] | None:
        each: list[tuple[_Kind, _Payload | None]] = [
            ("messageStart", self.message_start),
            ("contentBlockStart", self.content_block_start),
            ("contentBlockDelta", self.content_block_delta),
            ("contentBlockStop", self.content_block_stop),
            ("messageStop", self.message_stop),
            ("metadata", self.metadata),
        ]
        return next(((kind, payload) for kind, payload in each if payload is not None), None)


class _Message(Struct):
    content: list[Block] | None = None


class _Output(Struct):
    message: _Message | None = None


class _Answer(Struct, rename="camel"):
    output: _Output | None = None
    stop_reason: str | None = None
    usage: Raw = Raw()
    request_id: str | None = field(default=None, name="requestId")


_PAYLOAD = Fields(_Payload)
_WRAPPED = Fields(_Wrapped)
_ANSWER = Fields(_Answer)
_USAGE = Fields(_Usage)


def _take(draft: Draft, event: SseEvent) -> bool | None:
    if event.event in _KINDS:
        found = _PAYLOAD.read(event.data)
        if found is None:
            return None
        draft.note(found.unknown)
        return _take_payload(draft, event.event, found.value)
    if take_exception(draft, event):
        return False
    wrapped = _WRAPPED.read(event.data)
    inner = wrapped.value.found() if wrapped else None
    if wrapped is None or inner is None:
        return None
    draft.note(wrapped.unknown)
    return _take_payload(draft, *inner)


def _take_payload(draft: Draft, kind: str, said: _Payload) -> bool:
    place = max(draft.blocks, default=(0, 0, 0)) if said.content_block_index is None else (said.content_block_index, 0, 0)
    if kind == "contentBlockDelta" and said.delta:
        return _take_delta(draft, place, said.delta)
    if kind == "contentBlockStart" and said.start:
        _take_start(draft, place, said.start)
    elif kind == "messageStart":
        draft.choices.setdefault(0, None)
    elif kind == "messageStop":
        draft.choices[0] = said.stop_reason or draft.choices.get(0)
    elif kind == "metadata":  # the last event
        take_usage(draft, said.usage)
        draft.ended = True
    return False


def _take_start(draft: Draft, place: Place, start: _Start) -> None:
    if start.tool_use is not None:
        call = draft.block(place, "call")
        call.id, call.name = start.tool_use.tool_use_id or "", start.tool_use.name or ""
        call.server = start.tool_use.type == "server_tool_use"
    elif start.tool_result is not None:
        result = draft.block(place, "result")
        result.id, result.failed = start.tool_result.tool_use_id or "", start.tool_result.status == "error"


def _take_delta(draft: Draft, place: Place, delta: _Delta) -> bool:
    if delta.text:
        draft.block(place, "text").parts.append(delta.text)
    elif delta.tool_use and delta.tool_use.input:
        draft.block(place, "call").parts.append(delta.tool_use.input)
    elif delta.reasoning_content:
        thought = delta.reasoning_content
        block = draft.block(place, "reasoning")
        if not thought.text:
            return False  # a signature, or what is encrypted
        block.parts.append(thought.text)
    elif delta.tool_result:
        draft.block(place, "result").parts.extend(each.text for each in delta.tool_result if each.text)
    else:
        return False
    return True


def take_usage(draft: Draft, usage: Raw, /) -> None:
    """Take counts of Amazon Bedrock."""
    usage_of_event(draft, usage, _USAGE, _Usage.normal)


def _answer(body: bytes) -> Draft:
    draft = Draft()
    found = _ANSWER.read(body)
    if found is None:
        return draft
    draft.note(found.unknown)
    answer = found.value
    message = (answer.output and answer.output.message) or _Message()
    for index, block in enumerate(message.content or ()):
        part = part_of(block)
        if part is not None:
            draft.put((index, 0, 0), part)
    take_usage(draft, answer.usage)
    if answer.output is None:
        draft.error = exception_of(body)
    if draft.error is None:
        draft.choices[0] = answer.stop_reason
    return draft


def _speaks(fields: IdentifyingFields) -> bool:
    return False  # the types of its events do


BEDROCK_CONVERSE = Provider(
    name="bedrock_converse",
    label="aws.bedrock",
    hosts=(("bedrock", "aws.bedrock"),),
    path=re.compile(r"/model/(?P<model>[^/]+)/converse(?P<stream>-stream)?$"),
    speaks=_speaks,
    asks=request,
    answers=_answer,
    take=_take,
    events=_KINDS - {"metadata"},
)
