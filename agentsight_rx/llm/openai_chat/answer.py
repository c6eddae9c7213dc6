"""The Chat Completions API of OpenAI, also used by many others (platform.openai.com/docs/api-reference/chat)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Raw, Struct

from ...events import SseEvent, Usage
from ..decode import Count, Failure, decoded_all, failure_text
from ..lenient import Fields
from ..provider import IdentifyingFields, Provider
from ..reader import Draft, read_beside
from .prompt import request

__all__ = ["OPENAI_CHAT"]


class _Details(Struct):
    cached_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class _Usage(Struct):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None

    def normal(self) -> Usage | None:
        """`prompt_tokens` includes the cached ones."""
        if self.prompt_tokens is None and self.completion_tokens is None:
            return None
        cached = (self.prompt_tokens_details and self.prompt_tokens_details.cached_tokens) or 0
        return Usage(
            input=max(0, (self.prompt_tokens or 0) - cached),
            output=self.completion_tokens or 0,
            cache_read=cached,
            reasoning=(self.completion_tokens_details and self.completion_tokens_details.reasoning_tokens) or 0,
        )


class _Part(Struct):
    text: str | None = None


class _Function(Struct, gc=False):
    name: str | None = None
    arguments: str | None = None
    input: str | None = None  # of a custom tool


class _Call(Struct, gc=False):
    index: Count | None = None
    id: str | None = None
    function: _Function | None = None
    custom: _Function | None = None


class _Message(Struct, gc=False):
    """The message of an answer, or the part of it in a chunk. Vendors have different names for the thinking."""

    content: str | list[_Part] | None = None
    refusal: str | None = None
    reasoning_content: object = None
    reasoning: object = None
    reasoning_text: object = None
    thinking: object = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None


class _Choice(Struct, gc=False):
    index: Count | None = None
    delta: _Message | None = None
    message: _Message | None = None
    text: str | None = None  # of the older /v1/completions
    finish_reason: str | None = None


class _Answer(Struct, gc=False):
    """A whole answer or a chunk of a streamed one."""

    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: Raw = Raw()
    error: Failure | str | None = None


_ANSWER = Fields(_Answer)
_USAGE = Fields(_Usage)
_THOUGHT, _TEXT, _CALLS = 0, 1, 2  # places: what was thought stands before what was said, and tools behind it


def _take(draft: Draft, event: SseEvent) -> bool | None:
    if event.data == "[DONE]":
        draft.ended = True
        return False
    found = _ANSWER.read(event.data)
    if found is None:
        return None
    known = _take_answer(draft, found.value)
    if known is not None:
        draft.note(found.unknown)
    return known


def _take_all(draft: Draft, events: Sequence[SseEvent]) -> int | None:
    answers = decoded_all(_ANSWER.strict, [event.data for event in events])
    if answers is None or not all(map(_is_known, answers)):
        return None
    return sum([_take_answer(draft, answer) or False for answer in answers])


def _is_known(answer: _Answer) -> bool:
    return answer.choices is not None or answer.usage is not None or answer.error is not None


def _take_answer(draft: Draft, answer: _Answer) -> bool | None:
    if not _is_known(answer):
        return None
    if not draft.id:
        draft.id = answer.id or ""
    if not draft.model:
        draft.model = answer.model or ""
    content = False
    for position, choice in enumerate(answer.choices or ()):
        if _take_choice(draft, position if choice.index is None else choice.index, choice):
            content = True
    if answer.usage:
        _take_usage(draft, answer.usage)
    if answer.error:
        draft.error = failure_text(answer.error)
        draft.ended = True
    return content


def _take_usage(draft: Draft, usage: Raw) -> None:
    found = read_beside(_USAGE, usage, "usage", draft)
    if found is not None:
        draft.count(found.normal(), usage)


def _take_choice(draft: Draft, index: int, choice: _Choice) -> bool:
    """Only the first of several choices is reported; for the others only their finish reasons are noted."""
    if choice.finish_reason or index not in draft.choices:
        draft.choices[index] = choice.finish_reason or None
    said = choice.delta or choice.message or _Message(choice.text)
    if index:
        draft = Draft()
    content = False
    text = said.content or said.refusal
    if text:
        said_text = text if isinstance(text, str) else "".join(part.text or "" for part in text)
        draft.block((_TEXT, 0, 0), "text").parts.append(said_text)
        content = True
    thought = said.reasoning_content or said.reasoning or said.reasoning_text or said.thinking
    if thought and isinstance(thought, str):
        draft.block((_THOUGHT, 0, 0), "reasoning").parts.append(thought)
        content = True
    if said.tool_calls:
        for position, call in enumerate(said.tool_calls):
            content |= _take_call(draft, position if call.index is None else call.index, call)
    if said.function_call:
        content |= _take_call(draft, 0, _Call(function=said.function_call))
    return content


def _take_call(draft: Draft, index: int, part: _Call) -> bool:
    call, function = draft.block((_CALLS, index, 0), "call"), part.function or part.custom or _Function()
    call.id = part.id or call.id
    call.name = function.name or call.name
    arguments = function.arguments or function.input
    if arguments:
        call.parts.append(arguments)
    return bool(arguments)


def _answer(body: bytes) -> Draft:
    draft = Draft()
    found = _ANSWER.read(body)
    if found and _take_answer(draft, found.value) is not None:
        draft.note(found.unknown)
    return draft


def _speaks(fields: IdentifyingFields) -> bool:
    error = fields.error
    return fields.choices is not None or (isinstance(error, Failure) and bool(error.type and error.message))


OPENAI_CHAT = Provider(
    name="openai",
    label="openai",
    hosts=(("openai.azure.com", "azure.ai.openai"), ("openai", "openai")),
    path=re.compile(r"(?:/deployments/(?P<model>[^/]+)(?:/chat)?|/chat|/v1)/completions/?$"),
    speaks=_speaks,
    asks=request,
    answers=_answer,
    take=_take,
    take_all=_take_all,
    system_in_messages=True,
)
