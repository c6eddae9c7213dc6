"""The Chat API of Cohere, version 1 (docs.cohere.com/v1/reference/chat): calls have no ids; streams may be lines of JSON."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, get_args

from msgspec import Raw, Struct

from ...events import SseEvent
from ..by_order import CallOrder, made_up_id
from ..canonical import Asked, Message, Part, TextPart, ToolCallPart, ToolDefinition, ToolResultPart
from ..lenient import Fields
from ..prompt import take_usage
from ..provider import IdentifyingFields, Provider
from ..reader import Draft
from ..request_fields import RequestFields, text_of
from ..request_table import Requests
from ..resent import Count
from .cohere import COHERE_PARAMETERS, CohereUsage

# -- prompt --------------------------------------------------------------------------------------------------------
# Body of a request to Cohere's Chat API, version 1 -> Asked.


_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}


class _Call(Struct):
    name: str | None = None
    parameters: Raw = Raw()


class _Result(Struct):
    call: _Call | None = None
    outputs: Raw = Raw()


class _Message(Struct):
    role: str | None = None
    message: str | None = None
    tool_calls: list[_Call] | None = None
    tool_results: list[_Result] | None = None


class _Tool(Struct):
    name: str | None = None
    description: str | None = None
    parameter_definitions: Raw = Raw()


class _Request(RequestFields):
    message: str | None = None
    chat_history: list[_Message] | None = None
    preamble: str | None = None
    tools: list[_Tool] | None = None
    tool_results: list[_Result] | None = None


def _said(asked: _Request) -> Asked:
    said = [_Message("SYSTEM", asked.preamble), *(asked.chat_history or ())]
    said += [_Message("USER", asked.message), _Message("TOOL", tool_results=asked.tool_results)]
    tools = [
        ToolDefinition(each.name or "", each.description or "", text_of(each.parameter_definitions))
        for each in asked.tools or ()
    ]
    return Asked(messages=tuple(_messages(said)), tools=tuple(tools))


request = Requests(_Request, _said, COHERE_PARAMETERS)


def _messages(said: list[_Message]) -> list[Message]:
    messages: list[Message] = []
    calls = CallOrder()
    for each in said:
        if each.tool_calls:
            calls = CallOrder((None, call.name) for call in each.tool_calls)
        parts: list[Part] = [TextPart(each.message)] if each.message else []
        parts += [
            ToolCallPart(made_up_id(call.name or "", position), call.name or "", text_of(call.parameters))
            for position, call in enumerate(each.tool_calls or ())
        ]
        parts += [ToolResultPart(calls.answered(None), text_of(result.outputs)) for result in each.tool_results or ()]
        if parts:
            messages.append(Message(_ROLES.get(each.role or "", (each.role or "user").lower()), tuple(parts)))
    return messages


# ------------------------------------------------------------------------------------------------------------------------


class _AnswerCall(Struct, gc=False):
    name: str | None = None
    parameters: Raw = Raw()


class _Answer(Struct, gc=False):
    """`message` is the message of an error."""

    response_id: str | None = None
    generation_id: str | None = None
    text: str | None = None
    tool_calls: list[_AnswerCall] | None = None
    finish_reason: str | None = None
    meta: Raw = Raw()
    message: str | None = None


class _CallDelta(Struct, gc=False):
    index: Count | None = None
    name: str | None = None
    parameters: str | None = None
    text: str | None = None


_Kind: TypeAlias = Literal[
    "stream-start",
    "text-generation",
    "search-queries-generation",
    "search-results",
    "citation-generation",
    "tool-calls-chunk",
    "tool-calls-generation",
    "stream-end",
    "debug",
]
_KINDS = frozenset[str](get_args(_Kind)) - {"debug"}


class _Event(Struct, gc=False):
    event_type: _Kind
    generation_id: str | None = None
    text: str | None = None
    tool_call_delta: _CallDelta | None = None
    tool_calls: list[_AnswerCall] | None = None
    finish_reason: str | None = None
    response: _Answer | None = None
    error: str | None = None


_EVENT = Fields(_Event)
_ANSWER = Fields(_Answer)
_USAGE = Fields(CohereUsage)
_PLAN, _TEXT, _CALLS = 0, 1, 2  # places: a plan stands before what is said, and calls behind it


def _take(draft: Draft, event: SseEvent) -> bool | None:
    said = _EVENT.noting(event.data, draft.note)
    if said is None:
        return None
    draft.id = draft.id or said.generation_id or ""
    if said.event_type == "stream-start":
        draft.choices.setdefault(0, None)
    elif said.event_type == "text-generation" and said.text:
        draft.block((_TEXT, 0, 0), "text").parts.append(said.text)
        return True
    elif said.event_type == "tool-calls-chunk":
        return _take_delta(draft, said.tool_call_delta or _CallDelta(text=said.text))
    elif said.event_type == "tool-calls-generation":
        _take_calls(draft, said.tool_calls or [])
        return bool(said.tool_calls)
    elif said.event_type == "stream-end":
        _take_end(draft, said)
    return False


def _take_delta(draft: Draft, delta: _CallDelta) -> bool:
    if delta.text:
        draft.block((_PLAN, 0, 0), "reasoning").parts.append(delta.text)
    if delta.index is not None:
        call = draft.block((_CALLS, delta.index, 0), "call")
        call.name = delta.name or call.name
        call.id = made_up_id(call.name, delta.index)
        call.parts += [delta.parameters] if delta.parameters else []
    return bool(delta.text or delta.parameters)


def _take_calls(draft: Draft, calls: list[_AnswerCall]) -> None:
    """All calls, whole; pieces of them may have come before, and say the same."""
    for position, said in enumerate(calls):
        call = draft.block((_CALLS, position, 0), "call")
        call.name = said.name or call.name
        call.id, call.whole = made_up_id(call.name, position), text_of(said.parameters)
        call.parts = [] if call.whole else call.parts


def _take_end(draft: Draft, said: _Event) -> None:
    """The end repeats the whole answer."""
    answer = said.response or _Answer()
    if not draft.blocks:
        _take_answer(draft, answer)
    draft.choices[0] = said.finish_reason or answer.finish_reason or draft.choices.get(0)
    draft.error = said.error or draft.error
    draft.ended = True
    take_usage(draft, answer.meta, _USAGE, CohereUsage.normal, name="meta")


def _take_answer(draft: Draft, answer: _Answer) -> None:
    draft.id = draft.id or answer.generation_id or answer.response_id or ""
    if answer.text:
        draft.block((_TEXT, 0, 0), "text").parts.append(answer.text)
    _take_calls(draft, answer.tool_calls or [])


def _answer(body: bytes) -> Draft:
    draft = Draft()
    found = _ANSWER.read(body)
    if found is None:
        return draft
    answer = found.value
    draft.note(found.unknown)
    _take_answer(draft, answer)
    take_usage(draft, answer.meta, _USAGE, CohereUsage.normal, name="meta")
    draft.choices[0] = answer.finish_reason
    draft.error = answer.message
    return draft


def _speaks(fields: IdentifyingFields) -> bool:
    return fields.event_type in _KINDS


COHERE_V1 = Provider(
    name="cohere_v1",
    label="cohere",
    hosts=(("cohere", "cohere"),),
    path=re.compile(r"/v1/chat/?$"),
    speaks=_speaks,
    asks=request,
    answers=_answer,
    take=_take,
)
