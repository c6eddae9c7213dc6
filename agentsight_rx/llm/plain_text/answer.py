"""Answers that are one text, whole or streamed -> the Draft of the answer: those to requests that prompt.py reads."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from ...events import SseEvent, Usage
from ..decode import Count, Failure, failure_text
from ..lenient import Fields
from ..reader import Draft, read_values

__all__ = ["answers", "take"]


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
    completion_reason: str | None = None
    count: Count | None = None


class _Answer(_Piece):
    id: str | None = None
    generation: str | None = None  # Llama
    prompt_token_count: Count | None = None
    generation_token_count: Count | None = None
    completion: str | None = None
    outputs: list[_Piece] | None = None  # Mistral
    results: list[_Piece] | None = None  # Titan
    titan_asked: Count | None = field(default=None, name="inputTextTokenCount")
    titan_said: Count | None = field(default=None, name="totalOutputTextTokenCount")
    generations: list[_Piece] | None = None  # Cohere
    is_finished: bool | None = None
    completions: list[_Piece] | None = None  # AI21
    error: Failure | str | None = None

    def pieces(self) -> list[_Piece]:
        return [*(self.outputs or ()), *(self.results or ()), *(self.generations or ()), *(self.completions or ())]

    def text_said(self) -> str | None:
        """None if the body is of another API."""
        pieces = self.pieces()
        if pieces:
            return _text_of(pieces[0]) or ""
        for text in (self.generation, self.completion, _text_of(self)):
            if text is not None:
                return text
        return "" if self.is_finished is not None else None

    def reason(self) -> str | None:
        for piece in (self, *self.pieces()[:1]):
            reason = piece.finish_reason.reason if isinstance(piece.finish_reason, _Reason) else piece.finish_reason
            if piece.stop_reason or reason or piece.completion_reason:
                return piece.stop_reason or reason or piece.completion_reason
        return None

    def usage(self) -> Usage | None:
        said = [self.generation_token_count, self.titan_said]
        said += [piece.count for piece in self.results or ()]
        asked = (self.prompt_token_count, self.titan_asked)
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
    draft.id = draft.id or answer.id or ""
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
    return piece.output_text if piece.text is None else piece.text


def _first(counts: Iterable[int | None]) -> int:
    return next((count for count in counts if count is not None), 0)
