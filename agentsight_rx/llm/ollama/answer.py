"""The own API of Ollama (github.com/ollama/ollama, docs/api.md): /api/chat and /api/generate; streams are lines of JSON."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from ...events import SseEvent, Usage
from ..by_order import made_up_id
from ..canonical import MediaPart
from ..decode import Count
from ..lenient import Fields
from ..provider import IdentifyingFields, Provider
from ..reader import Draft, read_values
from ..request_fields import text_of
from ..usage import take_usage
from .prompt import request

__all__ = ["OLLAMA"]


class _Function(Struct, gc=False):
    name: str | None = None
    arguments: Raw = Raw()


class _Call(Struct, gc=False):
    id: str | None = None
    function: _Function | None = None


class _Message(Struct, gc=False):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None
    images: list[str] | None = None


class _Answer(Struct, gc=False):
    """A whole answer or a chunk of a streamed one."""

    model: str | None = None
    message: _Message | None = None
    response: str | None = None  # of /api/generate
    thinking: str | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: Count | None = None
    eval_count: Count | None = None
    error: str | None = None


class _Counts(Struct, omit_defaults=True, gc=False):
    prompt_eval_count: int | None = None
    eval_count: int | None = None


_ANSWER = Fields(_Answer)
_COUNTS = Fields(_Counts)


def _take(draft: Draft, event: SseEvent) -> bool | None:
    found = _ANSWER.read(event.data)
    if found is None:
        return None
    answer = found.value
    if answer.error is None and (answer.done is None or (answer.message is None and answer.response is None)):
        return None
    draft.note(found.unknown)
    draft.model = draft.model or answer.model or ""
    draft.choices.setdefault(0, None)
    content = _take_message(draft, answer.message or _Message(answer.response, answer.thinking))
    if answer.done:
        draft.choices[0] = answer.done_reason or "stop"
        draft.ended = True
        _take_usage(draft, answer)
    if answer.error is not None:
        draft.error = answer.error or "error"
        draft.ended = True
    return content


def _take_usage(draft: Draft, answer: _Answer) -> None:
    asked, said = answer.prompt_eval_count, answer.eval_count
    if asked is not None or said is not None:
        take_usage(draft, Raw(msgspec.json.encode(_Counts(asked, said))), _COUNTS, _normal)


def _normal(counts: _Counts) -> Usage:
    return Usage(input=counts.prompt_eval_count or 0, output=counts.eval_count or 0)


def _take_message(draft: Draft, message: _Message) -> bool:
    if message.thinking:
        draft.add("reasoning", message.thinking)
    if message.content:
        draft.add("text", message.content)
    for image in message.images or ():
        draft.put((len(draft.blocks), 0, 0), MediaPart("image", size=len(image)))
    for said in message.tool_calls or ():
        function = said.function or _Function()
        position, name = sum(block.kind == "call" for block in draft.blocks.values()), function.name or ""
        call = draft.call(len(draft.blocks))
        call.id, call.name, call.whole = said.id or made_up_id(name, position), name, text_of(function.arguments)
    return bool(message.thinking or message.content or message.images or message.tool_calls)


def _answer(body: bytes) -> Draft:
    """One answer, or the chunks of a stream in a row."""
    return read_values(body, _take)


def _speaks(fields: IdentifyingFields) -> bool:
    return isinstance(fields.done, bool) and isinstance(fields.created_at, str)


OLLAMA = Provider(
    name="ollama",
    label="ollama",
    hosts=(("ollama", "ollama"),),
    path=re.compile(r"/api/(?:chat|generate)/?$"),
    speaks=_speaks,
    asks=request,
    answers=_answer,
    take=_take,
    system_in_messages=True,
)
