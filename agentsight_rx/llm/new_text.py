"""An unfinished answer, what of it was reported -> the text that is new since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from ..events import AnswerPiece
from .reader import Block, Draft, Place

_NONE = ("", "{}")  # some begin the input of a tool by an empty one, and its pieces follow
_BLOCKS_MOST = 256  # parts of one answer that are reported
_TEXT_MOST = 65_536  # characters of a part at a time; the rest is said at the end of the answer
_Kind: TypeAlias = Literal["text", "reasoning", "call"]
_KINDS: dict[str, _Kind] = {"text": "text", "reasoning": "reasoning", "call": "call"}


class _Block(Struct, array_like=True):
    """The reported amount of one part: pieces and characters. `number` is its place among the parts."""

    number: int
    pieces: int = 0
    size: int = 0
    named: bool = False


class Reported(Struct, array_like=True):
    """The reported amount of an answer."""

    blocks: dict[Place, _Block] = {}


def news(draft: Draft, reported: Reported, /) -> tuple[AnswerPiece, ...]:
    """What `draft` says besides the reported text. From here on all of it is reported."""
    return tuple(_of_parts(draft, reported))


def _of_parts(draft: Draft, reported: Reported) -> Iterator[AnswerPiece]:
    known = reported.blocks
    for place, block in draft.blocks.items():
        kind = _KINDS.get(block.kind)
        if kind is None:
            continue
        seen = known.get(place)
        if seen is None:
            if len(known) >= _BLOCKS_MOST:
                continue
            seen = known[place] = _Block(len(known))
        text = _new_text(block, seen)
        name = "" if seen.named else block.name
        if text or name:
            seen.named = seen.named or bool(name)
            yield AnswerPiece(seen.number, kind, text[:_TEXT_MOST], name)


def _new_text(block: Block, seen: _Block) -> str:
    if block.paths:  # its text is made of all pieces, and only at the end
        return ""
    parts = block.parts
    if seen.pieces > len(parts) or (not parts and block.whole not in _NONE):  # all of it came at once, or replaced its pieces
        text = block.text()[seen.size :]
    elif seen.pieces == len(parts):
        return ""
    else:
        text = "".join(parts[seen.pieces :])
    seen.pieces = len(parts)
    seen.size += len(text)
    return text
