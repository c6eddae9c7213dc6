"""generateContent of Google's Gemini API, Vertex AI and Code Assist (ai.google.dev/api/generate-content)."""

from __future__ import annotations

import re

from msgspec import Raw, Struct

from ...events import SseEvent, Usage
from ...wire.json_stream import JsonStreamDecoder
from ..decode import Count, Failure, failure_text
from ..lenient import Fields
from ..provider import IdentifyingFields, Provider
from ..reader import Draft, read_beside
from .prompt import made_up_id, request

__all__ = ["GEMINI"]


class _Usage(Struct, rename="camel"):
    prompt_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None

    def normal(self) -> Usage | None:
        """`promptTokenCount` includes the cached ones."""
        said, thoughts = self.candidates_token_count, self.thoughts_token_count
        if self.prompt_token_count is None and said is None and thoughts is None:
            return None
        cached = self.cached_content_token_count or 0
        return Usage(
            input=max(0, (self.prompt_token_count or 0) + (self.tool_use_prompt_token_count or 0) - cached),
            output=(said or 0) + (thoughts or 0),
            cache_read=cached,
            reasoning=thoughts or 0,
        )


class _Call(Struct, gc=False):
    id: str | None = None
    name: str | None = None
    args: Raw = Raw()


class _Part(Struct, gc=False, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    function_call: _Call | None = None


class _Content(Struct, gc=False):
    parts: list[_Part] | None = None


class _Candidate(Struct, gc=False, rename="camel"):
    index: Count | None = None
    content: _Content | None = None
    finish_reason: str | None = None


class _Feedback(Struct, gc=False, rename="camel"):
    block_reason: str | None = None
    block_reason_message: str | None = None


class _Failure(Struct, gc=False):
    code: int | None = None
    message: str | None = None
    status: str | None = None


class _Answer(Struct, gc=False, rename="camel"):
    """A whole answer or a chunk of a streamed one."""

    response_id: str | None = None
    model_version: str | None = None
    candidates: list[_Candidate] | None = None
    usage_metadata: Raw = Raw()
    prompt_feedback: _Feedback | None = None
    error: _Failure | str | None = None
    response: _Answer | None = None  # Code Assist wraps each answer


_ANSWER = Fields(_Answer)
_USAGE = Fields(_Usage)


def _take(draft: Draft, event: SseEvent) -> bool | None:
    found = _ANSWER.read(event.data)
    if found is None:
        return None
    known = _take_answer(draft, found.value.response or found.value)
    if known is not None:
        draft.note(found.unknown)
    return known


def _take_answer(draft: Draft, answer: _Answer) -> bool | None:
    known = (answer.candidates, answer.prompt_feedback, answer.error, answer.model_version)
    if known == (None,) * len(known) and not answer.usage_metadata:
        return None
    draft.id = draft.id or answer.response_id or ""
    draft.model = draft.model or answer.model_version or ""
    if answer.usage_metadata:
        _take_usage(draft, answer.usage_metadata)
    if answer.error:
        draft.error = _error(answer.error)
        draft.ended = True
    if answer.prompt_feedback and answer.prompt_feedback.block_reason:  # then there are no candidates
        blocked = answer.prompt_feedback
        draft.choices[0] = blocked.block_reason
        draft.error = failure_text(Failure(blocked.block_reason, blocked.block_reason_message))
    content = False
    for position, candidate in enumerate(answer.candidates or ()):
        content |= _take_candidate(draft, position if candidate.index is None else candidate.index, candidate)
    return content


def _take_usage(draft: Draft, usage: Raw) -> None:
    found = read_beside(_USAGE, usage, "usageMetadata", draft)
    if found is not None:
        draft.count(found.normal(), usage)


def _take_candidate(draft: Draft, index: int, candidate: _Candidate) -> bool:
    """Only the first of several candidates is reported; for the others only their finish reasons are noted."""
    if candidate.finish_reason or index not in draft.choices:
        draft.choices[index] = candidate.finish_reason or None
    if index:
        draft = Draft()
    content = False
    for part in (candidate.content and candidate.content.parts) or ():
        if part.text:
            draft.add("reasoning" if part.thought else "text", part.text)
        elif part.function_call:
            _take_call(draft, part.function_call)
        else:
            continue
        content = True
    return content


def _take_call(draft: Draft, call: _Call) -> None:
    position, name = sum(block.kind == "call" for block in draft.blocks.values()), call.name or ""
    made = draft.call(len(draft.blocks))
    made.id, made.name, made.whole = call.id or made_up_id(name, position), name, str(bytes(call.args), "utf-8", "replace")


def _error(failure: _Failure | str) -> str | None:
    if isinstance(failure, str):
        return failure
    return failure_text(Failure(failure.status, failure.message, failure.code))


def _answer(body: bytes) -> Draft:
    """One answer, or an array with the chunks of one, perhaps cut."""
    draft = Draft()
    decoder = JsonStreamDecoder(longest=len(body))
    for chunk in decoder.feed(body):
        _take(draft, chunk)
    return draft


def _speaks(fields: IdentifyingFields) -> bool:
    wrapped = fields.response
    if wrapped is not None and (wrapped.candidates is not None or wrapped.usage_metadata):
        return True
    return fields.candidates is not None or bool(fields.usage_metadata or fields.prompt_feedback)


GEMINI = Provider(
    name="gemini",
    label="gcp.gen_ai",
    hosts=(
        ("generativelanguage", "gcp.gen_ai"),  # most of googleapis.com are not models
        ("aiplatform.googleapis", "gcp.gen_ai"),
        ("cloudcode-pa.googleapis", "gcp.gen_ai"),
    ),
    path=re.compile(
        r"(?:/(?:models|tunedModels|endpoints)/(?P<model>[^/]+?))?(?::|%3[aA])(?:generate|(?P<stream>stream)Generate)Content$"
    ),
    speaks=_speaks,
    asks=request,
    answers=_answer,
    take=_take,
    operation="generate_content",
)
