"""generateContent of Google's Gemini API, Vertex AI and Code Assist (ai.google.dev/api/generate-content)."""

from __future__ import annotations

import re

from msgspec import Raw, Struct, field

from ....events import SseEvent, Usage
from ...lenient import Fields
from ...prompt import counted
from ...prompt import take_usage as usage_of_event
from ...provider import IdentifyingFields, Provider
from ...reader import Draft, read_values
from ...resent import Count, Failure, failure_text
from .gemini_parts import Content, take_parts
from .gemini_prompt import request

# -- counts --------------------------------------------------------------------------------------------------------
# `usageMetadata` of Google's Gemini API -> Usage.


class _Usage(Struct, rename="camel"):
    prompt_token_count: Count | None = None
    candidates_token_count: Count | None = None
    response_token_count: Count | None = None  # of the Live API
    thoughts_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    snake_prompt: Count | None = field(default=None, name="prompt_token_count")
    snake_candidates: Count | None = field(default=None, name="candidates_token_count")
    snake_thoughts: Count | None = field(default=None, name="thoughts_token_count")
    snake_tools: Count | None = field(default=None, name="tool_use_prompt_token_count")
    snake_cached: Count | None = field(default=None, name="cached_content_token_count")

    def normal(self) -> Usage | None:
        """`promptTokenCount` includes the cached ones, `candidatesTokenCount` does not include the thoughts."""
        prompt = _first(self.prompt_token_count, self.snake_prompt)
        said = _first(self.candidates_token_count, _first(self.response_token_count, self.snake_candidates))
        thoughts = _first(self.thoughts_token_count, self.snake_thoughts)
        if prompt is None and said is None and thoughts is None:
            return None
        tools = _first(self.tool_use_prompt_token_count, self.snake_tools) or 0
        cached = _first(self.cached_content_token_count, self.snake_cached) or 0
        return counted((prompt or 0) + tools, (said or 0) + (thoughts or 0), read=cached, reasoning=thoughts or 0)


_USAGE = Fields(_Usage)


def take_usage(draft: Draft, usage: Raw, /) -> None:
    """Take the counts of a chunk: counts that it leaves out stay as they were."""
    usage_of_event(draft, usage, _USAGE, _Usage.normal, name="usageMetadata")


def _first(first: int | None, second: int | None) -> int | None:
    return second if first is None else first


# ------------------------------------------------------------------------------------------------------------------------


# Numbers of the enum that come in place of its names where `enum-encoding=int` is asked for, as Vertex AI counts them
# (google/cloud/aiplatform/v1/prediction_service.proto, content.proto)
_REASONS = (
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "MODEL_ARMOR",
)
_BLOCKED = ("BLOCKED_REASON_UNSPECIFIED", "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "MODEL_ARMOR")


class _Candidate(Struct, rename="camel"):
    index: Count | None = None
    content: Content | None = None
    finish_reason: str | int | None = None
    snake_reason: str | int | None = field(default=None, name="finish_reason")

    @property
    def reason(self) -> str | None:
        return _named(self.finish_reason or self.snake_reason, _REASONS)


class _Feedback(Struct, gc=False, rename="camel"):
    block_reason: str | int | None = None
    snake_reason: str | int | None = field(default=None, name="block_reason")
    block_reason_message: str | None = None

    @property
    def reason(self) -> str | None:
        return _named(self.block_reason or self.snake_reason, _BLOCKED)


class _Failure(Struct, gc=False):
    code: int | None = None
    message: str | None = None
    status: str | None = None


class _Answer(Struct, rename="camel"):
    """A whole answer or a chunk of a streamed one."""

    response_id: str | None = None
    model_version: str | None = None
    candidates: list[_Candidate] | None = None
    usage_metadata: Raw = Raw()
    prompt_feedback: _Feedback | None = None
    error: _Failure | str | None = None
    snake_id: str | None = field(default=None, name="response_id")
    snake_version: str | None = field(default=None, name="model_version")
    snake_usage: Raw = field(default=Raw(), name="usage_metadata")
    snake_feedback: _Feedback | None = field(default=None, name="prompt_feedback")
    response: _Answer | None = None  # Code Assist wraps each answer


_ANSWER = Fields(_Answer)


def _take(draft: Draft, event: SseEvent) -> bool | None:
    unknown: list[str] = []
    answer = _ANSWER.noting(event.data, unknown.extend)
    known = None if answer is None else _take_answer(draft, answer.response or answer)
    if known is not None and unknown:
        draft.note(unknown)
    return known


def _take_answer(draft: Draft, answer: _Answer) -> bool | None:
    usage, feedback = answer.usage_metadata or answer.snake_usage, answer.prompt_feedback or answer.snake_feedback
    model = answer.model_version or answer.snake_version
    if (answer.candidates, feedback, answer.error, model) == (None,) * 4 and not usage:
        return None
    draft.id = draft.id or answer.response_id or answer.snake_id or ""
    draft.model = draft.model or model or ""
    take_usage(draft, usage)
    if answer.error:
        draft.error = _error(answer.error)
        draft.ended = True
    if feedback and feedback.reason:  # then there are no candidates
        draft.choices[0] = feedback.reason
        draft.error = failure_text(Failure(feedback.reason, feedback.block_reason_message))
    content = False
    for position, candidate in enumerate(answer.candidates or ()):
        content |= _take_candidate(draft, position if candidate.index is None else candidate.index, candidate)
    return content


def _take_candidate(draft: Draft, index: int, candidate: _Candidate) -> bool:
    """Only the first of several candidates is reported; for the others only their finish reasons are noted."""
    if candidate.reason or index not in draft.choices:
        draft.choices[index] = candidate.reason
    parts = candidate.content.each() if candidate.content else ()
    return take_parts(Draft() if index else draft, parts)


def _named(reason: str | int | None, names: tuple[str, ...]) -> str | None:
    if isinstance(reason, int):
        reason = names[reason] if 0 <= reason < len(names) else str(reason)
    return reason or None


def _error(failure: _Failure | str) -> str | None:
    if isinstance(failure, str):
        return failure
    return failure_text(Failure(failure.status, failure.message, failure.code))


def _answer(body: bytes) -> Draft:
    """One answer, or an array with the chunks of one, perhaps cut."""
    return read_values(body, _take)


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
    has_mark=False,
)
