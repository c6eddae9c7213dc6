"""Calls whose answer is made in the background: the answer to the request says only that, and a later GET has it."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import HttpRequest, HttpResponse, Reply, SseMessage
from ...llm import Provider, provider_named, providers
from ..rows.ids import call_id
from ..rows.kinds import CallRow

__all__ = ["Background", "BackgroundState", "OpenCall", "is_background"]

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
