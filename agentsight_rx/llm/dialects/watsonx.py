"""Text generation of IBM's watsonx.ai (cloud.ibm.com/apidocs/watsonx-ai); its chats are Chat Completions."""

from __future__ import annotations

import re

from msgspec import Struct

from ...events import SseEvent
from ..canonical import Asked
from ..lenient import Fields
from ..prompt import take_counts
from ..provider import IdentifyingFields, Provider
from ..reader import Draft
from ..request_fields import RequestFields, said_by
from ..request_table import Requests
from ..resent import Count, failure_text

# -- prompt --------------------------------------------------------------------------------------------------------
# Body of a request for text of watsonx.ai -> Asked.


class _Request(RequestFields):
    model_id: str = ""
    input: str | None = None


def _said(asked: _Request) -> Asked:
    return Asked(model=asked.model_id, messages=said_by("user", asked.input))


request = Requests(
    _Request,
    _said,
    {
        "max_tokens": "parameters.max_new_tokens",
        "temperature": "parameters.temperature",
        "top_p": "parameters.top_p",
        "top_k": "parameters.top_k",
        "seed": "parameters.random_seed",
        "stop": "parameters.stop_sequences",
    },
)


# ------------------------------------------------------------------------------------------------------------------------


class _Result(Struct, gc=False):
    generated_text: str | None = None
    generated_token_count: Count | None = None  # so far
    input_token_count: Count | None = None  # in the first event only: 0 in others
    stop_reason: str | None = None


class _Failure(Struct, gc=False):
    code: str | None = None
    message: str | None = None


class _Answer(Struct, gc=False):
    """A whole answer or an event of a streamed one."""

    model_id: str | None = None
    results: list[_Result] | None = None
    errors: list[_Failure] | None = None


_ANSWER = Fields(_Answer)


def _take(draft: Draft, event: SseEvent) -> bool | None:
    found = _ANSWER.read(event.data)
    if found is None:
        return None
    answer = found.value
    if answer.results is None and answer.errors is None:
        return False if event.data == "{}" else None  # an empty event is the first or the last
    draft.note(found.unknown)
    return _take_answer(draft, answer)


def _take_answer(draft: Draft, answer: _Answer) -> bool:
    draft.model = draft.model or answer.model_id or ""
    content = False
    for result in (answer.results or ())[:1]:
        asked, said = result.input_token_count or None, result.generated_token_count
        take_counts(draft, ("input_token_count", asked), ("generated_token_count", said), name="results[]")
        reason = (result.stop_reason or "").lower()
        draft.choices[0] = draft.choices.get(0) if reason in ("", "not_finished") else reason
        if result.generated_text:
            draft.add("text", result.generated_text)
            content = True
    for failure in (answer.errors or ())[:1]:
        draft.error = ": ".join(part for part in (failure.code, failure.message) if part) or failure_text("error")
        draft.ended = True
    return content


def _answer(body: bytes) -> Draft:
    draft = Draft()
    found = _ANSWER.read(body)
    if found:
        draft.note(found.unknown)
        _take_answer(draft, found.value)
    return draft


def _speaks(fields: IdentifyingFields) -> bool:
    return bool(fields.results) and fields.type == "" and fields.jsonrpc is None


WATSONX = Provider(
    name="watsonx",
    label="ibm.watsonx.ai",
    hosts=(("ml.cloud.ibm.com", "ibm.watsonx.ai"),),
    path=re.compile(r"/ml/v1/(?:deployments/[^/]+/)?text/generation(?:_(?P<stream>stream))?$"),
    speaks=_speaks,
    asks=request,
    answers=_answer,
    take=_take,
    operation="text_completion",
    has_mark=False,
)
