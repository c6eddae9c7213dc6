"""HttpRequest of a model -> what it says by itself: its row, digests, the tool results in it, and how many tools it offers."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

import msgspec

from ...core.bounded import Recent
from ...events import HttpRequest
from ...llm import Asked, Provider, ToolResult
from ...llm.by_order import new_results
from ...llm.canonical import MediaPart, Part, TextPart, ToolCallPart, ToolResultPart
from ...llm.resent import Resent
from ..rows.kinds import CallRow
from .call_rows import asked_row

__all__ = ["Requests", "Said", "meaning_of"]

_END = 4096  # bytes of a body
_READ_MOST = 8  # requests that are parsed once where they are read again and again


class Said(NamedTuple):
    """What a request says. `digest` is what both ends of a call have in common."""

    row: CallRow
    digest: bytes
    results: tuple[ToolResult, ...]
    asked: Asked


class Requests:
    """No state: what is read is the same without what was read before."""

    def __init__(self) -> None:
        self.again = False  # what comes now was read before, and may be read once more
        self._resent = Resent()
        self._newest: Recent[str, tuple[HttpRequest, Said]] = Recent(_READ_MOST)

    def read(self, event: HttpRequest, provider: Provider, id: str) -> Said:
        """`id`: of the call."""
        if self.again and (known := self._newest.get(id)) is not None and known[0] is event:
            return known[1]
        asked = provider.asked(event.body, event.target, resent=self._resent)
        said = Said(asked_row(event, id, provider, asked), _digest(event.target, event.body), _results(asked), asked)
        if self.again:
            self._newest.put(id, (event, said))
        return said


def _results(asked: Asked) -> tuple[ToolResult, ...]:
    new = {id(result): made_up for result, made_up in new_results(asked.messages)}
    parts = [part for message in asked.messages for part in message.parts if type(part) is ToolResultPart]
    return tuple([ToolResult(part.id, part.output, part.is_error, new.get(id(part), "")) for part in parts])


def _digest(target: str, body: bytes) -> bytes:
    """What both ends of a call have in common. Of a long body its ends and length: all of 60 kB would take 90 us."""
    ends = body if len(body) <= 2 * _END else body[:_END] + body[-_END:]
    return blake2b(f"{target}\n{len(body)}\n".encode() + ends, digest_size=16).digest()


def meaning_of(asked: Asked, /) -> bytes:
    """
    A digest of the conversation, whatever dialect, place and spelling it has: what a proxy sends on of what it was asked. b"":
    it has none.
    """
    digest, empty = blake2b(digest_size=16), True
    for part in (part for message in asked.messages for part in message.parts):
        said = _said(part)
        digest.update(said.encode("utf-8", "surrogatepass"))
        empty &= not said
    return b"" if empty else digest.digest()


def _said(part: Part) -> str:
    match part:
        case TextPart(text):
            return text
        case ToolCallPart(_, name, given):
            return f"{name} {_spelled(given)}"
        case ToolResultPart(_, output):
            return output
        case MediaPart():
            return f"{part.kind} {part.reference} {part.size}"
        case _:  # a thought is not sent to every model
            return ""


def _spelled(given: str) -> str:
    """Arguments as JSON without spaces, its members in order."""
    try:
        return msgspec.json.encode(msgspec.json.decode(given), order="sorted").decode()
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return given
