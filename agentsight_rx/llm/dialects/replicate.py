"""
Predictions of language models on Replicate (replicate.com/docs/reference/http, …/topics/predictions/streaming).

The output of an answer is text, or a list of pieces of it; the events of a stream are plain text.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from ...events import SseEvent, Usage
from ..canonical import Asked
from ..lenient import Fields
from ..prompt import take_usage
from ..provider import Provider, never_speaks
from ..reader import Draft
from ..request_fields import RequestFields, medium, said_by
from ..request_table import Requests
from ..resent import Count, decoded


class _Input(Struct):
    """Each model has its own names; these are the names of most language models."""

    prompt: str | None = None
    system_prompt: str | None = None
    image: str | None = None
    image_input: list[str] | None = None


class _Request(RequestFields):
    version: str | None = None
    input: _Input | None = None


def _said(asked: _Request) -> Asked:
    given = asked.input or _Input()
    images = [*([given.image] if given.image else []), *(given.image_input or ())]
    user = said_by("user", given.prompt, *(medium("image", url) for url in images))
    return Asked(model=asked.version or "", messages=(*said_by("system", given.system_prompt), *user))


_asks = Requests(
    _Request,
    _said,
    {
        "max_tokens": ("input.max_tokens", "input.max_new_tokens", "input.max_completion_tokens"),
        "temperature": "input.temperature",
        "top_p": "input.top_p",
        "top_k": "input.top_k",
        "seed": "input.seed",
        "reasoning": "input.reasoning_effort",
    },
)


class _Metrics(Struct):
    input_token_count: Count | None = None
    output_token_count: Count | None = None

    def normal(self) -> Usage | None:
        if (self.input_token_count, self.output_token_count) == (None, None):
            return None
        return Usage(input=self.input_token_count or 0, output=self.output_token_count or 0)


class _Answer(Struct):
    """`detail` comes from an answer that is no prediction."""

    id: str | None = None
    model: str | None = None
    output: Raw = Raw()
    error: str | None = None
    detail: str | None = None
    status: str | int | None = None
    metrics: Raw = Raw()


class _Done(Struct):
    reason: str | None = None


_ANSWER = Fields(_Answer)
_METRICS = Fields(_Metrics)
_DONE = Fields(_Done)
_TEXTS = msgspec.json.Decoder(str | list[str])
_UNFINISHED = ("starting", "processing")
_ENDS = {"": "succeeded", "error": "failed"}


def _take(draft: Draft, event: SseEvent) -> bool | None:
    if event.event == "output":
        draft.block((0, 0, 0), "text").parts.append(event.data)
        draft.choices.setdefault(0, None)
        return bool(event.data)
    if event.event != "done":
        return None
    said = _DONE.value(event.data) or _Done()
    draft.choices[0] = _ENDS.get(said.reason or "", said.reason)
    draft.ended = True
    return False


def _answer(body: bytes) -> Draft:
    draft = Draft()
    found = _ANSWER.read(body)
    if found is None:
        return draft
    answer = found.value
    draft.note(found.unknown)
    draft.id, draft.model = answer.id or "", answer.model or ""
    said = decoded(_TEXTS, answer.output) if answer.output else None  # of other models: URLs and objects
    if said:
        draft.block((0, 0, 0), "text").parts.extend([said] if isinstance(said, str) else said)
    draft.pending = answer.status in _UNFINISHED
    draft.choices[0] = answer.status if isinstance(answer.status, str) and not draft.pending else None
    draft.error = answer.error or (answer.detail if answer.output == Raw() else None) or None
    take_usage(draft, answer.metrics, _METRICS, _Metrics.normal, name="metrics")
    return draft


REPLICATE = Provider(
    name="replicate",
    label="replicate",
    hosts=(("replicate.com", "replicate"),),
    path=re.compile(r"/v1/(?:models/(?P<model>[^/]+/[^/]+)/|deployments/[^/]+/[^/]+/)?predictions/?$"),
    speaks=never_speaks,  # its events are plain text
    asks=_asks,
    answers=_answer,
    take=_take,
    poll=re.compile(r"/v1/predictions/(?P<id>[^/]+)$"),
)
