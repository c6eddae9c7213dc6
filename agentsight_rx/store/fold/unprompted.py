"""Calls of a session, each as it begins -> which are not a prompt of a person: retries, and what an agent asks for itself."""

from __future__ import annotations

from zlib import crc32

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...llm.agents.said import is_grown
from ..rows.kinds import CallRow

__all__ = ["Asides", "AsidesState"]

_TALKS_MOST = 4096  # sessions
_TYPED_MOST = 8  # prompts of a session that a later request is compared with
_COMPARED, _LEAST = 200, 12  # characters of a prompt; a shorter one is found in others by chance
_MAYBE_MOST, _MAYBE_LONG = 256, 16_384  # calls that may turn out to be asides, and characters of their prompts


class _Talk(Struct, array_like=True, frozen=True):
    """The main agent of a session: the model that may use its tools, and what was typed, the newest last."""

    model: str | None = None
    typed: tuple[str, ...] = ()
    last: tuple[str, ...] = ()  # what a retry has in common with the request before it
    prompt: tuple[int, int] = (0, 0)  # of that request: characters, and their CRC-32


class AsidesState(Struct, array_like=True):
    """What `Asides.snapshot` keeps."""

    talks: tuple[list[str], list[_Talk]] = ([], [])
    maybe: list[CallRow] = []


class Asides:
    """
    The requests of an agent with tools are its main ones. A request of its session without tools is for the agent itself where
    it has an earlier prompt in it, or asks another model; one that came first is known as such by the main one behind it.
    """

    def __init__(self) -> None:
        self._talks: Recent[str, _Talk] = Recent(_TALKS_MOST)
        self._maybe: Recent[str, CallRow] = Recent(_MAYBE_MOST)

    def begin(self, row: CallRow, tools: int) -> tuple[CallRow, list[CallRow]]:
        """The row of a call, and rows of earlier ones that are asides. `tools`: so many the model may use."""
        session = row.session_id
        if session is None or row.agent_id is not None or not row.prompt or row.repeat or row.aside:
            return row, []
        talk = self._talks.get(session) or _Talk()
        begin = row.prompt[:_COMPARED]
        last = (str(row.messages), "tools" if tools else row.model or "")
        prompt = len(row.prompt), _crc(row.prompt)
        if talk.last == last:
            if talk.prompt == prompt:
                return replace(row, aside="retry"), []
            length, crc = talk.prompt
            if length < len(row.prompt) and _crc(row.prompt[:length]) == crc and is_grown(row.prompt[length:]):
                self._talks.put(session, replace(talk, prompt=prompt))
                return replace(row, prompt=""), []
        if not tools:
            self._talks.put(session, replace(talk, last=last, prompt=prompt))
            return self._without_tools(row, talk), []
        self._talks.put(session, _Talk(row.model, (*talk.typed, begin)[-_TYPED_MOST:], last, prompt))
        return row, [] if talk.typed else self._wrapping(session, begin)

    def _without_tools(self, row: CallRow, talk: _Talk) -> CallRow:
        if talk.typed:
            wraps = any(_is_in(each, row.prompt) for each in talk.typed)
            return replace(row, aside="other") if wraps or row.model != talk.model else row
        if len(row.prompt) <= _MAYBE_LONG:
            self._maybe.put(row.id, row)
        return row

    def _wrapping(self, session: str, typed: str) -> list[CallRow]:
        """Calls that came before the first main one: asides if its prompt is in theirs; else it is a prompt of a person."""
        mine = [row for row in self._maybe.values() if row.session_id == session]
        for row in mine:
            del self._maybe[row.id]
        return [replace(row, aside="other") for row in mine if _is_in(typed, row.prompt)]

    def seen(self, row: CallRow) -> None:
        """More is known of a call."""
        if row.id in self._maybe:
            self._maybe[row.id] = row

    def forget(self, id: str) -> None:
        """A call is no call of its own."""
        self._maybe.pop(id, None)

    def get(self, id: str) -> CallRow | None:
        return self._maybe.get(id)

    def snapshot(self) -> AsidesState:
        return AsidesState(self._talks.columns, list(self._maybe.values()))

    def restore(self, state: AsidesState) -> None:
        self._talks.fill(state.talks)
        self._maybe.clear()
        self._maybe.update({row.id: row for row in state.maybe})


def _crc(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"))


def _is_in(typed: str, prompt: str) -> bool:
    return typed == prompt or (len(typed) >= _LEAST and typed in prompt)
