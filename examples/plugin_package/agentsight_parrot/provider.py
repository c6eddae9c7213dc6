"""The Speak API of parrots: one object, or an event a word."""

from __future__ import annotations

import re

from msgspec import Raw, Struct

from agentsight_rx.events import SseEvent, Usage
from agentsight_rx.llm import Count, Failure, Fields, IdentifyingFields, Provider, failure_text, take_usage
from agentsight_rx.llm.reader import Draft

from .prompt import request

__all__ = ["PARROT"]


class _Usage(Struct):
    heard: Count | None = None
    spoken: Count | None = None


class _Answer(Struct):
    """A plain answer, or an event of a streamed one: parrot.answer, parrot.word, parrot.end, parrot.error."""

    type: str
    id: str = ""
    model: str = ""
    words: str = ""
    usage: Raw = Raw()
    error: Failure | str | None = None


_ANSWER = Fields(_Answer)
_USAGE = Fields(_Usage)


def _normal(usage: _Usage) -> Usage | None:
    if usage.heard is None and usage.spoken is None:
        return None
    return Usage(usage.heard or 0, usage.spoken or 0)


def _take(draft: Draft, event: SseEvent) -> bool | None:
    found = _ANSWER.read(event.data)
    if found is None or not found.value.type.startswith("parrot."):
        return None
    draft.note(found.unknown)
    return _take_answer(draft, found.value)


def _take_answer(draft: Draft, answer: _Answer) -> bool:
    draft.id, draft.model = answer.id or draft.id, answer.model or draft.model
    draft.choices.setdefault(0, None)
    if answer.words:
        draft.add("text", answer.words)
    take_usage(draft, answer.usage, _USAGE, _normal)
    if answer.error:
        draft.error, draft.ended = failure_text(answer.error), True
    elif answer.type in ("parrot.answer", "parrot.end"):
        draft.choices[0], draft.ended = "stop", True
    return bool(answer.words)


def _answer(body: bytes) -> Draft:
    draft = Draft()
    _take(draft, SseEvent("message", body.decode(errors="replace")))
    return draft


def _speaks(fields: IdentifyingFields) -> bool:
    return fields.type.startswith("parrot.")


PARROT = Provider(
    name="parrot",
    label="parrot",
    hosts=(("parrot.example", "parrot"),),
    path=re.compile(r"/parrot/speak$"),
    speaks=_speaks,
    asks=request,
    answers=_answer,
    take=_take,
)
