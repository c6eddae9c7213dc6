"""WebSocketMessage -> the same, and HttpRequest and SseMessage where what is said is a call of a model."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from ..core.bounded import Recent
from ..core.machine import Bounded, Checkpointed
from ..core.per_key import per_key
from ..core.stream import Operator
from ..events import Connection, Headers, HttpEvent, HttpRequest, SseEvent, TlsClose, WebSocketMessage
from ..llm import find
from ..sessions.event_stream import About, EventStream, EventStreamState, restored

__all__ = ["merge_websocket"]

_VERSION = "WebSocket"  # where HTTP has its version
_OPEN_MOST = 64  # calls without an answer on one WebSocket; the API takes one at a time


def merge_websocket(*, timeout: float = 30.0) -> Operator[HttpEvent, HttpEvent]:
    """
    Emit the calls that are made over a WebSocket as they come over HTTP: each `response.create` is a request, the events
    after it one message (platform.openai.com/docs/guides/websocket-mode). The messages they are made of do not pass, like the
    parts of an event stream; all others pass unchanged.

        --create---event--event--completed--ping--|
        [            merge_websocket()            ]
        --Request----------------Message----ping--|

    A call that gets no more events for `timeout` seconds is emitted as partial, and once more if it goes on.
    """
    silence_ns = round(timeout * 1e9)
    return per_key(
        _connection, lambda: _Calls(silence_ns), name="merge_websocket", key_type=Connection, options=f"timeout={timeout}"
    )


def _connection(event: HttpEvent) -> Connection | None:
    kind = type(event)
    if kind is WebSocketMessage or kind is TlsClose or kind is HttpRequest:
        return event.origin.connection
    return None


class _Said(Struct):
    """The fields that identify a message. A peer may send any value in them."""

    type: object = None
    status: object = None


_SAID = msgspec.json.Decoder(_Said)


class _State(Struct, array_like=True):
    headers: Headers
    upgrade: int
    missed: bool
    streams: list[EventStreamState]


class _Calls(Bounded[HttpEvent, HttpEvent], Checkpointed[_State]):
    """The calls on one WebSocket. They are answered in order, one at a time."""

    def __init__(self, silence_ns: int) -> None:
        self._silence_ns = silence_ns
        self._headers: Headers = ()
        self._upgrade = 0
        self._missed = False  # of what the server said something may be missing since its message before
        self._open: Recent[int, EventStream] = Recent(_OPEN_MOST)

    def feed(self, event: HttpEvent, /) -> Iterable[HttpEvent]:
        if type(event) is WebSocketMessage:
            return self._message(event)
        if type(event) is TlsClose:
            return [*self._stop("closed"), event]
        if type(event) is HttpRequest and event.version != _VERSION and any(name == "upgrade" for name, _ in event.headers):
            self._headers, self._upgrade = event.headers, event.exchange
            return [*self._stop("closed"), event]  # the close of the earlier WebSocket was not captured
        return (event,)

    def _message(self, message: WebSocketMessage) -> list[HttpEvent]:
        from_server = message.sender == "server"
        self._missed = self._missed or (from_server and message.missed > 0)
        if message.kind == "close":
            return [*self._stop("closed"), message]
        if message.kind != "text" or message.target is None or find(message.host or "", message.target) is None:
            return [message]
        try:
            said = _SAID.decode(message.data)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            said = _Said()
        if not from_server:
            return [*self._make_room(), self._request(message)] if said.type == "response.create" else [message]
        made = self._next(message, said) if message.complete else []
        stream = self._first()
        if stream is not None and (self._missed or not message.complete):
            stream.damage = stream.damage or message.reason or "lost"
            self._missed = False
        if message.complete and isinstance(said.type, str) and stream is not None:
            return [*made, *self._event(stream, message, said.type, said.status)]
        return [*made, message]

    def _next(self, message: WebSocketMessage, said: _Said) -> list[HttpEvent]:
        """Calls are answered in order: where the next answer begins, the one before is over, whatever of it was seen."""
        made: list[HttpEvent] = []
        while said.type == "response.created" and (stream := self._first()) is not None:
            unsure = len(self._open) > 1 and (self._missed or stream.damage)
            if not stream.heard and not unsure:
                break
            del self._open[stream.about.exchange]
            if stream.heard:
                made += stream.cut(stream.damage or ("lost" if self._missed else "no_end_mark"))
            else:  # unknown which of the calls is answered
                for later in self._open.values():
                    later.damage = later.damage or "lost"
        known = isinstance(said.type, str) and (said.type == "error" or said.type.startswith("response."))
        if known and not self._open:  # the beginning was not seen
            self._begin(message)
        return made

    def _request(self, message: WebSocketMessage) -> HttpRequest:
        origin, target = message.origin, message.target or ""
        self._begin(message)
        return HttpRequest(
            origin,
            message.exchange,
            method="POST",
            target=target,
            version=_VERSION,
            headers=self._headers if message.upgrade == self._upgrade else (("host", message.host or ""),),
            body=message.data,
            complete=message.complete,
            reason=message.reason,
            end_ns=message.end_ns,
            body_lost=message.lost,
            size=message.size,
        )

    def _begin(self, message: WebSocketMessage) -> None:
        about = About(message.origin, message.exchange, status=0, method="POST", target=message.target, host=message.host)
        self._open[message.exchange] = EventStream(about)

    def _make_room(self) -> list[HttpEvent]:
        if len(self._open) < _OPEN_MOST:
            return []
        return self._open.pop_oldest()[1].cut("evicted")

    def _first(self) -> EventStream | None:
        """The call that is answered next."""
        return self._open.oldest

    def _event(self, stream: EventStream, message: WebSocketMessage, kind: str, status: object) -> list[HttpEvent]:
        if not stream.events and not stream.emitted:
            stream.about = msgspec.structs.replace(stream.about, origin=message.origin)
        if isinstance(status, int) and 100 <= status < 1000:
            stream.status = status
        stream.hear(
            SseEvent(kind, message.data.decode("utf-8", "replace")), message.end_ns or message.origin.time_ns, message.size
        )
        if stream.reader is None or not stream.reader.ended:
            return []
        del self._open[stream.about.exchange]
        return [stream.message(stream.damage)]

    def tick(self, now_ns: int, /) -> Iterable[HttpEvent]:
        if not self._open:
            return ()
        return [
            stream.message("timeout")
            for stream in self._open.values()
            if stream.heard and not stream.emitted and now_ns - stream.last_ns > self._silence_ns
        ]

    def finish(self) -> Iterable[HttpEvent]:
        return self._stop("capture_end")

    def evict(self) -> Iterable[HttpEvent]:
        return self._stop("evicted")

    def _stop(self, reason: str) -> list[HttpEvent]:
        """Emit calls that were answered in part; one without any answer stays a request alone."""
        open_calls = list(self._open.values())
        self._open.clear()
        self._missed = False
        return [event for stream in open_calls if stream.heard for event in stream.cut(reason)]

    def idle(self) -> bool:
        return not (self._open or self._headers or self._missed)

    def kept(self) -> int:
        return sum(stream.kept() for stream in self._open.values())

    def held(self) -> int:
        return sum(stream.size for stream in self._open.values())

    def snapshot(self) -> _State:
        return _State(self._headers, self._upgrade, self._missed, [stream.snapshot() for stream in self._open.values()])

    def restore(self, state: _State, /) -> None:
        self._headers, self._upgrade, self._missed = state.headers, state.upgrade, state.missed
        for stream in map(restored, state.streams):
            self._open[stream.about.exchange] = stream
