"""A request of a model, as it begins -> what it says of the agent that makes it: its task, its instructions, its tools."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from hashlib import blake2b
from typing import TypeAlias

from ..rows.kinds import CallRow
from .requests import Said

__all__ = ["Asking", "Frame", "is_alike"]

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
        return f"{self.session} {_digest(texts).hex()}" if texts else ""

    @cached_property
    def frame(self) -> Frame:
        instructions = ""
        for message in self.asked.messages:
            if message.role not in ("system", "developer") or len(instructions) >= _ROLE:
                break
            instructions += "\n".join(message.texts())[:_ROLE]
        names = sorted([tool.name for tool in self.asked.tools])
        return _digest([instructions]) if instructions else b"", _digest(names) if names else b""

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


def _digest(texts: Iterable[str]) -> bytes:
    """Of long texts the ends and the lengths say enough."""
    digest = blake2b(digest_size=_ID)
    for text in texts:
        ends = text if len(text) <= 2 * _COMPARED else text[:_COMPARED] + text[-_COMPARED:]
        digest.update(f"{len(text)} {ends}".encode("utf-8", "surrogatepass"))
    return digest.digest()
