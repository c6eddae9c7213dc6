"""Text Generation Inference of Hugging Face (huggingface.co/docs/text-generation-inference); its chats are Chat Completions."""

from __future__ import annotations

import re

from msgspec import Raw, Struct

from ...events import SseEvent
from ..canonical import Asked
from ..lenient import Fields
from ..prompt import take_counts
from ..provider import IdentifyingFields, Provider
from ..reader import Draft
from ..request_fields import RequestFields, said_by
from ..request_table import Requests
from ..resent import Count

# -- prompt --------------------------------------------------------------------------------------------------------
# Body of a request to Text Generation Inference -> Asked.


class _Request(RequestFields):
    inputs: str | None = None


def _said(asked: _Request) -> Asked:
    return Asked(messages=said_by("user", asked.inputs))


request = Requests(
    _Request,
    _said,
    {
        "max_tokens": "parameters.max_new_tokens",
        "temperature": "parameters.temperature",
        "top_p": "parameters.top_p",
        "top_k": "parameters.top_k",
        "frequency_penalty": "parameters.frequency_penalty",
        "seed": "parameters.seed",
        "stop": "parameters.stop",
    },
)


# ------------------------------------------------------------------------------------------------------------------------


class _Token(Struct, gc=False):
    text: str | None = None
    special: bool | None = None  # not a part of the text, as the end mark


class _Details(Struct, gc=False):
    finish_reason: str | None = None
    generated_tokens: Count | None = None
    input_length: Count | None = None  # in streams
    prefill: list[Raw] | None = None  # the tokens of the input, where `decoder_input_details` asked for them


class _Answer(Struct, gc=False):
    """A whole answer or an event of a streamed one, a token."""

    token: _Token | None = None
    generated_text: str | None = None
    details: _Details | None = None
    error: str | None = None
    error_type: str | None = None


_ANSWER = Fields(_Answer)
_ANSWERS = Fields(list[_Answer])


def _take(draft: Draft, event: SseEvent) -> bool | None:
    found = _ANSWER.read(event.data)
    if found is None:
        return None
    answer = found.value
    if answer.token is None and answer.generated_text is None and answer.error is None:
        return None
    draft.note(found.unknown)
    return _take_answer(draft, answer)


def _take_answer(draft: Draft, answer: _Answer) -> bool:
    """The last event has the whole text too, without the stop sequence that was cut off."""
    draft.choices.setdefault(0, None)
    if answer.error:
        draft.error, draft.ended = ": ".join(part for part in (answer.error_type, answer.error) if part), True
    token = answer.token
    content = bool(token and token.text and not token.special)
    if token and token.text and not token.special:
        draft.add("text", token.text)
    if answer.generated_text is not None:
        parts = draft.block((0, 0, 0), "text").parts
        content |= bool(answer.generated_text) and not parts
        parts[:] = [answer.generated_text]
    if answer.details:
        _take_details(draft, answer.details)
    return content


def _take_details(draft: Draft, details: _Details) -> None:
    draft.choices[0] = details.finish_reason or draft.choices.get(0)
    read = len(details.prefill or ()) or None if details.input_length is None else details.input_length
    take_counts(draft, ("input_length", read), ("generated_tokens", details.generated_tokens), name="details")


def _answer(body: bytes) -> Draft:
    """One answer, or a list with one."""
    draft = Draft()
    if body.lstrip()[:1] == b"[":
        found = _ANSWERS.read(body)
        answers, unknown = (found.value, found.unknown) if found else ([], ())
    else:
        one = _ANSWER.read(body)
        answers, unknown = ([one.value], one.unknown) if one else ([], ())
    draft.note(unknown)
    for answer in answers[:1]:
        if answer != _Answer():
            _take_answer(draft, answer)
    return draft


def _speaks(fields: IdentifyingFields) -> bool:
    return bool(fields.token)


TGI = Provider(
    name="tgi",
    label="hugging_face",
    hosts=(("huggingface.co", "hugging_face"), ("huggingface.cloud", "hugging_face")),
    path=re.compile(r"^(?:https?://[^/]+)?/generate(?:_(?P<stream>stream))?$"),  # /api/generate is Ollama's
    speaks=_speaks,
    asks=request,
    answers=_answer,
    take=_take,
    operation="text_completion",
    has_mark=False,
)
