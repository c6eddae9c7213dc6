"""HttpRequest of a model -> what it says by itself: its row, digests, the tool results in it, and how many tools it offers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

import msgspec

from ...core.bounded import Recent
from ...events import HttpRequest
from ...llm import Asked, Provider, ToolResult
from ...llm.by_order import new_results
from ...llm.canonical import MediaPart, Part, TextPart, ToolCallPart, ToolResultPart
from ...llm.resent import Resent
from ..rows.kinds import CallRow
from .call_rows import asked_row

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


# -- asking --------------------------------------------------------------------------------------------------------
# A request of a model, as it begins -> what it says of the agent that makes it: its task, its instructions, its tools.


_COMPARED = 1024  # characters of each end of a text
_ROLE = 256  # characters of instructions, which say who the agent is; dates and places stand behind them
_PROMPT_MOST = 65_536  # characters of a prompt that is looked for in an input
_LEAST = 12  # characters of a prompt or an input; a shorter one is in others by chance
_SENTENCE, _SPACES = 40, 5  # characters and spaces of an input that is a task also where more stands around it
_ID = 8  # bytes of a digest

Frame: TypeAlias = tuple[bytes, bytes]  # digests of the instructions, and of the names of the tools; b"": it has none


class Asking:
    """A request: what it says of the agent that makes it."""

    def __init__(self, row: CallRow, said: Said) -> None:
        self.row, self.said, self.asked = row, said, said.asked
        self.session = row.session_id or ""

    @cached_property
    def begins(self) -> bool:
        """It has no answer of a model, and goes on from none."""
        if self.row.new_results or self.row.previous_response_id:
            return False
        return all(message.role != "assistant" for message in reversed(self.asked.messages))

    @cached_property
    def head(self) -> str:
        """What a person, or who gave the task, said before the first answer; "": nothing."""
        if self.row.previous_response_id:
            return f"response {self.row.previous_response_id}"
        texts: list[str] = []
        for message in self.asked.messages:
            if message.role == "assistant":
                break
            if message.role not in ("system", "developer"):
                texts += message.texts()
        return f"{self.session} {_text_digest(texts).hex()}" if texts else ""

    @cached_property
    def frame(self) -> Frame:
        instructions = ""
        for message in self.asked.messages:
            if message.role not in ("system", "developer") or len(instructions) >= _ROLE:
                break
            instructions += "\n".join(message.texts())[:_ROLE]
        names = sorted([tool.name for tool in self.asked.tools])
        return _text_digest([instructions]) if instructions else b"", _text_digest(names) if names else b""

    @cached_property
    def prompt(self) -> str:
        return " ".join(self.row.prompt[:_PROMPT_MOST].split())

    def is_task(self, given: str, *, wrapped: bool) -> bool:
        """Is a text of a tool's input what this request asks? It may be `wrapped` in many other words."""
        given, prompt = " ".join(given[:_PROMPT_MOST].split()), self.prompt
        if given == prompt or len(prompt) < _LEAST or len(given) < _LEAST:
            return given == prompt != ""
        is_most = 2 * len(given) >= len(prompt) or (wrapped and len(given) >= _SENTENCE and given.count(" ") >= _SPACES)
        return prompt in given or (is_most and given in prompt)


def is_alike(frame: Frame, other: Frame) -> bool:
    return any(one == another != b"" for one, another in zip(frame, other, strict=True))


def _text_digest(texts: Iterable[str]) -> bytes:
    """Of long texts the ends and the lengths say enough."""
    digest = blake2b(digest_size=_ID)
    for text in texts:
        ends = text if len(text) <= 2 * _COMPARED else text[:_COMPARED] + text[-_COMPARED:]
        digest.update(f"{len(text)} {ends}".encode("utf-8", "surrogatepass"))
    return digest.digest()
