"""
APIs that complete one text: Anthropic's Text Completions, Cohere's Generate, Aleph Alpha, and endpoints of Hugging Face.

Sources: docs.anthropic.com/en/api/complete, docs.cohere.com/v1/reference/generate, docs.aleph-alpha.com/api/complete,
huggingface.co/docs/inference-endpoints.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Raw, Struct, field
from msgspec.structs import replace

from ...events import SseEvent, Usage
from ..aws import exception_of
from ..canonical import Asked
from ..lenient import Fields
from ..provider import IdentifyingFields, Provider, never_speaks
from ..reader import Draft, read_values
from ..request_fields import RequestFields, said_by
from ..request_table import Requests
from ..resent import Count, Failure, failure_text
from .cohere import CohereUsage
from .tgi import TGI

# -- answer --------------------------------------------------------------------------------------------------------
# Answers that are one text, whole or streamed -> the Draft of the answer: those to requests that prompt.py reads.


class _Reason(Struct, gc=False):
    reason: str | None = None


class _Data(Struct, gc=False):
    text: str | None = None


class _Piece(Struct, rename={"output_text": "outputText", "completion_reason": "completionReason", "count": "tokenCount"}):
    """An answer of several that were asked for."""

    text: str | None = None
    output_text: str | None = None
    data: _Data | None = None
    stop_reason: str | None = None
    finish_reason: str | _Reason | None = None
    ai21_reason: str | _Reason | None = field(default=None, name="finishReason")
    completion: str | None = None
    completion_reason: str | None = None
    count: Count | None = None


_INTERVENED = "INTERVENED"


class _Answer(_Piece):
    id: str | int | None = None
    model: str | None = None
    model_version: str | None = None  # Aleph Alpha
    generation: str | None = None  # Llama
    prompt_token_count: Count | None = None
    generation_token_count: Count | None = None
    outputs: list[_Piece] | None = None  # Mistral
    results: list[_Piece] | None = None  # Titan
    titan_asked: Count | None = field(default=None, name="inputTextTokenCount")
    titan_said: Count | None = field(default=None, name="totalOutputTextTokenCount")
    generations: list[_Piece] | None = None  # Cohere
    is_finished: bool | None = None
    response: Raw = Raw()  # Cohere's whole answer behind its pieces
    meta: CohereUsage | None = None
    completions: list[_Piece] | None = None  # AI21, Aleph Alpha
    aleph_asked: Count | None = field(default=None, name="num_tokens_prompt_total")
    aleph_said: Count | None = field(default=None, name="num_tokens_generated")
    guardrail: str | None = field(default=None, name="amazon-bedrock-guardrailAction")
    error: Failure | str | None = None

    def pieces(self) -> list[_Piece]:
        return [*(self.outputs or ()), *(self.results or ()), *(self.generations or ()), *(self.completions or ())]

    def text_said(self) -> str | None:
        """None if the body is of another API."""
        pieces = self.pieces()
        if pieces:
            return _text_of(pieces[0]) or ""
        for text in (self.generation, _text_of(self)):
            if text is not None:
                return text
        return "" if self.is_finished is not None or self.guardrail == _INTERVENED else None

    def reason(self) -> str | None:
        for piece in (self, *self.pieces()[:1]):
            given = piece.finish_reason or piece.ai21_reason
            reason = given.reason if isinstance(given, _Reason) else given
            if piece.stop_reason or reason or piece.completion_reason:
                return piece.stop_reason or reason or piece.completion_reason
        return "guardrail_intervened" if self.guardrail == _INTERVENED else None

    def usage(self) -> Usage | None:
        if self.meta is not None:
            return self.meta.normal()
        said = [self.generation_token_count, self.titan_said, self.aleph_said]
        said += [piece.count for piece in self.results or ()]
        asked = (self.prompt_token_count, self.titan_asked, self.aleph_asked)
        if all(count is None for count in (*asked, *said)):
            return None
        return Usage(input=_first(asked), output=_first(said))


_ANSWER = Fields(_Answer)


def take(draft: Draft, event: SseEvent, /) -> bool | None:
    """Add a whole answer or a chunk of a streamed one. True if it carried content; None if it is not an event of this API."""
    found = _ANSWER.read(event.data)
    if found is None:
        return None
    answer = found.value
    text = answer.text_said()
    if text is None and answer.error is None:
        return None
    draft.note(found.unknown)
    draft.id = draft.id or ("" if answer.id is None else str(answer.id))
    draft.model = draft.model or answer.model or answer.model_version or ""
    whole = _ANSWER.value(answer.response) if answer.response else None
    if whole is not None:  # it repeats the pieces, and has the counts
        draft.id = draft.id or ("" if whole.id is None else str(whole.id))
        answer.meta = whole.meta
    draft.choices[0] = answer.reason() or draft.choices.get(0)
    usage = answer.usage()
    if usage is not None:
        before = draft.usage or Usage()
        draft.usage = Usage(input=usage.input or before.input, output=usage.output)
    if answer.error is not None:
        draft.error = failure_text(answer.error)
        draft.ended = True
    if text:
        draft.block((0, 0, 0), "text").parts.append(text)
    return bool(text)


def answers(body: bytes, /) -> Draft:
    """One answer, a list with one, or the chunks of a stream in a row. Never raises."""
    return read_values(body, take)


def _text_of(piece: _Piece) -> str | None:
    if piece.data is not None:
        return piece.data.text
    return next((text for text in (piece.text, piece.output_text, piece.completion) if text is not None), None)


def _first(counts: Iterable[int | None]) -> int:
    return next((count for count in counts if count is not None), 0)


# -- prompt --------------------------------------------------------------------------------------------------------
# Body of a request that is one text -> Asked: Llama, Mistral, Titan and Cohere's generate.


class _Item(Struct):
    """A piece of a prompt of Aleph Alpha."""

    data: str | None = None


class _Request(RequestFields):
    prompt: str | list[str | _Item] | None = None
    input_text: str | None = field(default=None, name="inputText")


def _said(asked: _Request) -> Asked:
    given = asked.prompt or asked.input_text or []
    texts = [given] if isinstance(given, str) else [each if isinstance(each, str) else each.data for each in given]
    return Asked(messages=said_by("user", *texts))


_MOST = ("max_tokens", "max_gen_len", "max_tokens_to_sample", "maximum_tokens", "maxTokens", "maxTokenCount")
request = Requests(  # each vendor has some of these names
    _Request,
    _said,
    {
        "max_tokens": ("textGenerationConfig.maxTokenCount", *_MOST),
        "temperature": ("textGenerationConfig.temperature", "temperature"),
        "top_p": ("textGenerationConfig.topP", "top_p", "topP", "p"),
        "top_k": ("top_k", "k"),
        "seed": "seed",
        "stop": ("textGenerationConfig.stopSequences", "stop", "stop_sequences", "stopSequences"),
    },
)


# ------------------------------------------------------------------------------------------------------------------------


def _is_completion(fields: IdentifyingFields) -> bool:
    return fields.type == "completion"


def _of_cohere(body: bytes) -> Draft:
    """Its errors are a `message` alone."""
    draft = answers(body)
    draft.error = draft.error if draft.understood else exception_of(body)
    return draft


ANTHROPIC_COMPLETE = Provider(
    name="anthropic_complete",
    label="anthropic",
    hosts=(("anthropic", "anthropic"),),
    path=re.compile(r"/v1/complete/?$"),
    speaks=_is_completion,
    asks=request,
    answers=answers,
    take=take,
    operation="text_completion",
    has_mark=False,
)
COHERE_GENERATE = replace(
    ANTHROPIC_COMPLETE,
    name="cohere_generate",
    label="cohere",
    hosts=(("cohere", "cohere"),),
    path=re.compile(r"/v1/generate/?$"),
    speaks=never_speaks,
    answers=_of_cohere,
)
ALEPH_ALPHA = replace(
    ANTHROPIC_COMPLETE,
    name="aleph_alpha",
    label="aleph_alpha",
    hosts=(("aleph-alpha", "aleph_alpha"),),
    path=re.compile(r"^(?:https?://[^/]+)?/complete/?$"),
    speaks=never_speaks,
)
# An endpoint has one model, and its address is its root: elsewhere that is no call
HUGGING_FACE = replace(
    TGI, name="hugging_face", path=re.compile(r"^(?:https?://[^/]+)?/$"), speaks=never_speaks, anywhere=False
)
