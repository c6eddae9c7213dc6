"""Answers that go on -> the new text of each without secrets, also secrets that are cut between two pieces."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import AnswerPiece, AnswerProgress, Connection, Origin
from .redactor import Redactor
from .stream import SecretStream

__all__ = ["AnswerKey", "Answers", "key_of_answer"]

AnswerKey: TypeAlias = tuple[Connection | None, int, int]  # connection, process where that is not known, exchange

_ANSWERS_MOST = 1024
_BLOCKS_MOST = 256  # of one answer


def key_of_answer(origin: Origin, exchange: int, /) -> AnswerKey:
    return origin.connection, 0 if origin.connection else origin.pid, exchange


class Answers:
    """A SecretStream for each part of each answer; answers that said nothing for longest are dropped."""

    def __init__(self) -> None:
        self._table: Recent[AnswerKey, Recent[int, SecretStream]] = Recent(_ANSWERS_MOST)

    def clean(self, event: AnswerProgress, labels: Redactor, /) -> tuple[AnswerPiece, ...]:
        """The pieces of the event without secrets: the event's own where there are none."""
        key = key_of_answer(event.origin, event.exchange)
        blocks = self._table.use(key)
        if blocks is None:
            blocks = Recent[int, SecretStream](_BLOCKS_MOST)
            self._table.put(key, blocks)
        made = tuple(_clean(piece, _stream_of(blocks, piece.block), labels) for piece in event.pieces)
        return event.pieces if made == event.pieces else made

    def ended(self, origin: Origin, exchange: int, /) -> None:
        """Nothing of this answer follows."""
        if self._table:
            self._table.pop(key_of_answer(origin, exchange), None)

    def snapshot(self) -> list[tuple[AnswerKey, list[tuple[int, bytes]]]]:
        return [
            (key, [(block, msgspec.msgpack.encode(stream.snapshot())) for block, stream in blocks.items()])
            for key, blocks in self._table.items()
        ]

    def restore(self, state: list[tuple[AnswerKey, list[tuple[int, bytes]]]], /) -> None:
        for key, saved in state:
            blocks = self._table[key] = Recent(_BLOCKS_MOST)
            for block, stream in saved:
                _stream_of(blocks, block).restore(*msgspec.msgpack.decode(stream))


def _stream_of(blocks: Recent[int, SecretStream], block: int) -> SecretStream:
    stream = blocks.use(block)
    if stream is None:
        stream = SecretStream()
        blocks.put(block, stream)
    return stream


def _clean(piece: AnswerPiece, stream: SecretStream, labels: Redactor) -> AnswerPiece:
    data = piece.text.encode("utf-8", "surrogatepass")
    made = stream.feed(data, labels=labels)
    name = labels.text(piece.name)
    if made is data and name is piece.name:
        return piece
    return replace(piece, text=piece.text if made is data else made.decode("utf-8", "replace"), name=name)
