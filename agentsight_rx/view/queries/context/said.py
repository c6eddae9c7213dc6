"""
The calls that an agent's own file tells of, in order -> what of each request the file has: prompts, answers, results of tools.

System prompt and definitions of tools are one part of unknown length, which gets what the provider counted beyond the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import assert_never

import msgspec
from msgspec import Raw

from ....llm.canonical import MediaPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from ....llm.context import Anatomy, Piece
from ....llm.context.anatomy import SAID, Field
from ....llm.context.anatomy import Part as Element
from ....llm.context.pieces import pieces_of
from ....llm.context.places import place_at
from ....llm.context.thread import UNWRITTEN
from ....store.log.whole import SaidTurn
from ....store.rows.kinds import CallRow

_REST = Field("system", "system", 0, 0, (Element(0, 0, (Piece(0, 0, UNWRITTEN, b"rest"),)),))


class SaidRequests:
    """Of one agent of a session, call by call."""

    def __init__(self) -> None:
        self._body = b""
        self._parts: list[Element] = []
        self._turns = 0  # that are in it, but for the answer of the newest one
        self._counted = False

    def copy(self) -> SaidRequests:
        """Goes on by itself."""
        found = SaidRequests()
        found._body, found._parts = self._body, [*self._parts]
        found._turns, found._counted = self._turns, self._counted
        return found

    def of(self, call: CallRow, turns: Sequence[SaidTurn], /) -> Anatomy | None:
        """
        The request of a call behind the earlier ones. None where it is not in the file, or where nothing was counted so far:
        how much the file leaves out is not known then.
        """
        self._counted = self._counted or call.asked_tokens > 0
        place = next((at for at in range(self._turns, len(turns)) if turns[at].call == call.id), None)
        if place is None:
            return None
        for at in range(self._turns, place + 1):
            if turns[at].compacted:
                self._body, self._parts = b"", []
            elif at:
                self._add(Message("assistant", turns[at - 1].answer))
            for message in turns[at].news:
                self._add(message)
        self._turns = place + 1
        conversation = Field("messages", SAID, 0, len(self._body), tuple(self._parts))
        return Anatomy(self._body, (_REST, conversation)) if self._counted else None

    def _add(self, message: Message) -> None:
        element = msgspec.json.encode({"role": message.role, "content": list(_blocks(message.parts))})
        place = place_at(element, 0)
        if message.parts and place is not None:
            start = len(self._body)
            self._parts.append(Element(start, start + len(element), pieces_of(element, place, SAID)))
            self._body += element


def _blocks(parts: Iterable[Part]) -> Iterator[Mapping[str, object]]:
    """In the form of the Messages API (platform.claude.com/docs/en/api/messages), whichever API it was."""
    for part in parts:
        match part:
            case TextPart(text):
                yield {"type": "text", "text": text}
            case ReasoningPart(text):
                yield {"type": "thinking", "thinking": text}
            case ToolCallPart(id, name, given):
                yield {"type": "tool_use", "id": id, "name": name, "input": _input(given)}
            case ToolResultPart(id, output):
                yield {"type": "tool_result", "tool_use_id": id, "content": output}
            case MediaPart():
                pass
            case _:
                assert_never(part)


def _input(text: str) -> Raw | str:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return Raw(text.encode())
