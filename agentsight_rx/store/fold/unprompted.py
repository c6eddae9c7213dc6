"""Calls of a session, each as it begins -> which are not a prompt of a person: retries, and what an agent asks for itself."""

from __future__ import annotations

from zlib import crc32

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import HttpRequest, HttpResponse, Reply, SseMessage
from ...llm import Provider, provider_named, providers
from ...llm.agents.said import is_grown
from ..rows.ids import call_id
from ..rows.kinds import CallRow

# -- background ----------------------------------------------------------------------------------------------------
# Calls whose answer is made in the background: the answer to the request says only that, and a later GET has it.


_MOST = 256


class OpenCall(Struct, frozen=True):
    """A call that has no answer yet, or a part of one."""

    row: CallRow
    start_ns: int
    connection: str
    asked: bytes = b""  # a digest of what was asked
    stream: int = 0  # of HTTP/2
    received: bool = False  # it was seen where a server reads it
    met: bool = False  # its server's end is known
    sent_on: str = ""  # the newest call that the server made of it, as a proxy
    partial: CallRow | None = None  # the answer so far of a stream that fell silent
    meaning: bytes = b""  # a digest of the conversation, where a server may send it on


class BackgroundState(Struct, array_like=True):
    """What `Background.snapshot` keeps."""

    calls: list[tuple[str, OpenCall]]
    polls: list[tuple[str, str]]
    ended: list[tuple[str, OpenCall]] = []


def is_background(provider: Provider | None, /) -> bool:
    """Can its answers be made in the background?"""
    return provider is not None and provider.poll is not None


class Background:
    """The calls by dialect and id of the answer, and the requests that ask how far it is."""

    def __init__(self) -> None:
        self._calls: Recent[str, OpenCall] = Recent(_MOST)
        self._polls: Recent[str, str] = Recent(_MOST)
        self._ended: Recent[str, OpenCall] = Recent(_MOST)  # their answers, which may be fetched again

    def ended(self, call: OpenCall, row: CallRow) -> None:
        """The call has this answer, or the part of it that came before its connection broke."""
        if row.response_id and is_background(provider_named(row.call_kind)):
            self._ended.put(f"{row.call_kind} {row.response_id}", replace(call, partial=row))

    def put(self, call: OpenCall, id: str) -> None:
        """Keep a call until its answer comes, whatever becomes of its connection. The oldest makes room, and stays pending."""
        self._calls.put(f"{call.row.call_kind} {id}", call)

    def asks(self, event: HttpRequest) -> None:
        """A GET: perhaps it asks for one of the answers."""
        if not self._calls and not self._ended:
            return
        for provider in providers():
            id = provider.polled(event.target)
            if id is not None and ((key := f"{provider.name} {id}") in self._calls or key in self._ended):
                self._polls.put(call_id(event.origin, event.exchange), key)

    def __contains__(self, exchange: str) -> bool:
        """Does the exchange with that id of a call ask for one of the answers?"""
        return exchange in self._polls

    def answered(self, exchange: str, event: HttpResponse | SseMessage) -> tuple[OpenCall, Reply] | None:
        """The call that has ended, with its answer; None while that is still being made, and where it is known already."""
        name = self._polls.pop(exchange)
        call = self._calls.get(name) or self._ended.get(name)
        if call is not None and call.partial is not None and call.partial.complete:
            return None
        provider = provider_named(call.row.call_kind) if call else None
        if call is None or provider is None:
            return None
        reply = event.reply if isinstance(event, SseMessage) else Reply()
        if isinstance(event, HttpResponse):
            draft = provider.read(event.body, event.headers)
            if draft.pending or event.status >= 400:  # a GET that failed does not end the call
                return None
            reply = draft.reply()
        elif not event.complete and call.partial is not None:  # it went on behind the part that is known, and broke again
            reply = replace(reply, text=call.partial.text + reply.text)
        self._calls.pop(name, None)
        return call, reply

    def snapshot(self) -> BackgroundState:
        return BackgroundState(list(self._calls.items()), list(self._polls.items()), list(self._ended.items()))

    def restore(self, state: BackgroundState) -> None:
        self._calls.clear()
        self._calls.update(state.calls)
        self._polls.clear()
        self._polls.update(state.polls)
        self._ended.clear()
        self._ended.update(state.ended)


# ------------------------------------------------------------------------------------------------------------------------


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
