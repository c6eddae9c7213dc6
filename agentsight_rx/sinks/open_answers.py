"""AnswerProgress and the calls they are of -> what open answers have said so far, for readers that come and go."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import islice

from msgspec import Struct

from ..core.bounded import Recent
from ..events import AnswerPiece, AnswerProgress
from ..store.rows.ids import call_id
from ..view import CallRow

__all__ = ["OpenAnswers", "Said"]

_CALLS_MOST = 1000
_TEXT_MOST = 200_000  # characters of one answer that are kept, the newest ones
_ALL_TEXT_MOST = 4_000_000


class Said(Struct, frozen=True):
    """The pieces of an answer from number `first` on, counted from 0."""

    call: str
    first: int
    pieces: tuple[AnswerPiece, ...]


class _Answer(Struct):
    pieces: deque[AnswerPiece]
    gone: int = 0
    size: int = 0


class OpenAnswers:
    """
    Calls whose answer is still to come: only their text is kept, so that a filtered text is not shown. One thread at a time may
    use it.
    """

    def __init__(self) -> None:
        self._answers: Recent[str, _Answer] = Recent(_CALLS_MOST)
        self._size = 0

    def add(self, item: AnswerProgress | CallRow, /) -> None:
        if isinstance(item, CallRow):
            self._call(item)
            return
        answer = self._answers.use(call_id(item.origin, item.exchange))
        if answer is None:
            return
        for piece in item.pieces:
            answer.pieces.append(piece)
            answer.size += len(piece.text)
            self._size += len(piece.text)
        while answer.size > _TEXT_MOST and len(answer.pieces) > 1:
            self._drop_first(answer)
        for other in self._answers.values():
            while self._size > _ALL_TEXT_MOST and other is not answer and other.pieces:
                self._drop_first(other)

    def _call(self, row: CallRow) -> None:
        if row.status == "pending" and row.twin is None:
            if row.id not in self._answers:
                evicted = self._answers.put(row.id, _Answer(deque()))
                self._size -= evicted[1].size if evicted else 0
        elif (ended := self._answers.pop(row.id, None)) is not None:
            self._size -= ended.size

    def _drop_first(self, answer: _Answer) -> None:
        size = len(answer.pieces.popleft().text)
        answer.gone += 1
        answer.size -= size
        self._size -= size

    def after(self, seen: Mapping[str, int], /) -> list[Said]:
        """The news for a reader that has seen the pieces of each call up to these numbers."""
        found: list[Said] = []
        for call, answer in self._answers.items():
            first = max(seen.get(call, 0), answer.gone)
            if first < answer.gone + len(answer.pieces):
                found.append(Said(call, first, tuple(islice(answer.pieces, first - answer.gone, None))))
        return found
