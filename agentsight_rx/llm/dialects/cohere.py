"""The Chat API of Cohere, version 2 (docs.cohere.com/reference/chat and …/chat-stream)."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, get_args

from msgspec import Raw, Struct, field

from ...events import SseEvent, Usage
from ..canonical import Asked
from ..lenient import Fields
from ..prompt import counted, take_usage
from ..provider import IdentifyingFields, Provider
from ..reader import Draft
from ..request_fields import RequestFields
from ..request_table import Place, Requests
from ..resent import Count, Whole
from .openai.chat_prompt import ChatMessage, ChatTool

# -- prompt --------------------------------------------------------------------------------------------------------
# Body of a request -> Asked.


class _Asked(ChatMessage):
    reasoning: str | None = field(default=None, name="tool_plan")


class _Request(RequestFields):
    messages: list[_Asked] | None = None
    tools: list[ChatTool] | None = None


def _said(asked: _Request) -> Asked:
    return Asked(
        messages=tuple([message.message() for message in asked.messages or ()]),
        tools=tuple(tool.definition() for tool in asked.tools or ()),
    )


COHERE_PARAMETERS = {
    "max_tokens": "max_tokens",
    "top_p": "p",
    "top_k": "k",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "stop": "stop_sequences",
}
request = Requests(
    _Request,
    _said,
    {
        **COHERE_PARAMETERS,
        "reasoning": (Place("thinking.token_budget", Whole), "thinking.type"),
        "output_type": "response_format.type",
    },
)


# -- answer --------------------------------------------------------------------------------------------------------


class _Tokens(Struct, gc=False):
    input_tokens: float | None = None  # sent as 11.0
    output_tokens: float | None = None


class CohereUsage(Struct, gc=False):
    """Counts of tokens. The billed counts leave out the tokens that Cohere adds to a request."""

    tokens: _Tokens | None = None
    billed_units: _Tokens | None = None
    cached_tokens: Count | None = None

    def normal(self) -> Usage | None:
        """`input_tokens` includes the cached ones."""
        counts = self.tokens or self.billed_units
        if counts is None or (counts.input_tokens, counts.output_tokens) == (None, None):
            return None
        cached = self.cached_tokens or 0
        return counted(_whole(counts.input_tokens), _whole(counts.output_tokens), read=cached)


class _Function(Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _Call(Struct, gc=False):
    id: str | None = None
    function: _Function | None = None


class _Block(Struct, gc=False):
    text: str | None = None
    thinking: str | None = None


class _Message(Struct, gc=False):
    """Of an answer, or the part of it in an event: there one block and one call stand without their lists."""

    content: list[_Block] | _Block | None = None
    tool_plan: str | None = None
    tool_calls: list[_Call] | _Call | None = None


class _Delta(Struct, gc=False):
    message: _Message | None = None
    finish_reason: str | None = None
    usage: Raw = Raw()
    error: str | None = None


_Kind: TypeAlias = Literal[
    "message-start",
    "content-start",
    "content-delta",
    "content-end",
    "tool-plan-delta",
    "tool-call-start",
    "tool-call-delta",
    "tool-call-end",
    "citation-start",
    "citation-end",
    "message-end",
    "debug",
]
_KINDS = frozenset[str](get_args(_Kind)) - {"debug"}


class _Event(Struct, gc=False):
    type: _Kind
    id: str | None = None
    index: Count | None = None
    delta: _Delta | None = None


class _Answer(Struct, gc=False):
    id: str | None = None
    message: _Message | str | None = None  # a string in an error
    finish_reason: str | None = None
    usage: Raw = Raw()


_EVENT = Fields(_Event)
_ANSWER = Fields(_Answer)
_USAGE = Fields(CohereUsage)
_PLAN, _BLOCKS, _CALLS = 0, 1, 2  # places: a plan stands before what is said, and calls behind it


def _take(draft: Draft, event: SseEvent) -> bool | None:
    said = _EVENT.noting(event.data, draft.note)
    if said is None:
        return None
    delta = said.delta or _Delta()
    draft.id = draft.id or said.id or ""
    if said.type == "message-start":
        draft.choices.setdefault(0, None)
    elif said.type == "message-end":
        draft.choices[0] = delta.finish_reason or draft.choices.get(0)
        draft.error = delta.error or draft.error
        draft.ended = True
        take_usage(draft, delta.usage, _USAGE, CohereUsage.normal)
    return _take_message(draft, said.index or 0, delta.message or _Message())


def _take_message(draft: Draft, index: int, message: _Message) -> bool:
    content = False
    if message.tool_plan:
        draft.block((_PLAN, 0, 0), "reasoning").parts.append(message.tool_plan)
        content = True
    blocks = [message.content] if isinstance(message.content, _Block) else message.content or []
    for position, block in enumerate(blocks, start=index):
        text = block.text or block.thinking
        if text:
            draft.block((_BLOCKS, position, 0), "text" if block.text else "reasoning").parts.append(text)
            content = True
    calls = [message.tool_calls] if isinstance(message.tool_calls, _Call) else message.tool_calls or []
    for position, call in enumerate(calls, start=index):
        content |= _take_call(draft, position, call)
    return content


def _take_call(draft: Draft, position: int, said: _Call) -> bool:
    call, function = draft.block((_CALLS, position, 0), "call"), said.function or _Function()
    call.id = said.id or call.id
    call.name = function.name or call.name
    if function.arguments:
        call.parts.append(function.arguments)
    return bool(function.arguments)


def _answer(body: bytes) -> Draft:
    draft = Draft()
    found = _ANSWER.read(body)
    if found is None:
        return draft
    answer = found.value
    draft.note(found.unknown)
    draft.id = answer.id or ""
    if isinstance(answer.message, str):
        if answer.finish_reason is None and not answer.usage:
            draft.error = answer.message
        else:
            draft.note(["message"])
    elif answer.message is not None:
        _take_message(draft, 0, answer.message)
        draft.choices[0] = answer.finish_reason
    take_usage(draft, answer.usage, _USAGE, CohereUsage.normal)
    return draft


def _whole(count: float | None) -> int:
    return max(0, min(int(count or 0), 2**63 - 1)) if count is None or abs(count) < 2**63 else 0


def _speaks(fields: IdentifyingFields) -> bool:
    return fields.type in _KINDS


COHERE = Provider(
    name="cohere",
    label="cohere",
    hosts=(("cohere", "cohere"),),
    path=re.compile(r"/v2/chat/?$"),
    speaks=_speaks,
    asks=request,
    answers=_answer,
    take=_take,
    system_in_messages=True,
)
