"""WebSocketMessage -> the same, and HttpRequest and SseMessage where messages are a call of a model."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from ..core.bounded import Recent
from ..core.machine import Bounded, Checkpointed
from ..core.per_key import per_key
from ..core.stream import Operator
from ..events import Connection, Headers, HttpEvent, HttpRequest, SseEvent, TlsClose, WebSocketMessage
from .sessions.event_stream import About, EventStream, EventStreamState, restored
from .sessions.message import progress_of
from .sessions.websocket_dialects import talk_at
from .sessions.websocket_talk import NO_ANSWER, Question, ServerEvent, Talk

_VERSION = "WebSocket"  # where HTTP has its version
_OPEN_MOST = 64  # calls without an answer on one WebSocket; the API takes one at a time


def merge_websocket(*, timeout: float = 30.0, progress: bool = False) -> Operator[HttpEvent, HttpEvent]:
    """
    Emit the calls that are made over a WebSocket as they come over HTTP: what completes a question is a request, the events of
    its answer are one message. `sessions/websocket_dialects.py` has the dialects. The messages that make a request or are part
    of an answer do not pass, like the parts of an event stream; all others pass unchanged.

        --create---event--event--completed--ping--|
        [            merge_websocket()            ]
        --Request----------------Message----ping--|

    A call that gets no more events for `timeout` seconds is emitted as partial, and once more if it goes on. `progress` has the
    same meaning as in `merge_sse`.
    """
    silence_ns = round(timeout * 1e9)
    return per_key(
        _connection,
        lambda: _Calls(silence_ns, progress),
        name="merge_websocket",
        key_type=Connection,
        options=f"timeout={timeout}{', progress' if progress else ''}",
    )


def _connection(event: HttpEvent) -> Connection | None:
    kind = type(event)
    if kind is WebSocketMessage or kind is TlsClose or kind is HttpRequest:
        return event.origin.connection
    return None


class _State(Struct, array_like=True):
    headers: Headers
    upgrade: int
    missed: bool
    unheard: bool
    streams: list[EventStreamState]
    keys: dict[int, str]
    path: tuple[str, str]
    talk: bytes
    merged: bool


class _Calls(Bounded[HttpEvent, HttpEvent], Checkpointed[_State]):
    """The calls on one WebSocket."""

    def __init__(self, silence_ns: int, progress: bool) -> None:
        self._silence_ns = silence_ns
        self._progress = progress
        self._headers: Headers = ()
        self._upgrade = 0
        self._missed = False  # of what the server said something may be missing since its message before
        self._unheard = False  # and of what the client said, since its request before
        self._open: Recent[int, EventStream] = Recent(_OPEN_MOST)
        self._keys: dict[int, str] = {}  # of the answers that have begun, where the dialect gives them keys
        self._path = ("", "")  # host and target of this WebSocket
        self._talk: Talk | None = None
        self._merged = False  # this is a recording of what was merged already

    def feed(self, event: HttpEvent, /) -> Iterable[HttpEvent]:
        if type(event) is WebSocketMessage:
            return self._message(event)
        if type(event) is TlsClose:
            return [*self._stop("closed"), event]
        if type(event) is HttpRequest and event.version != _VERSION and any(name == "upgrade" for name, _ in event.headers):
            self._headers, self._upgrade = event.headers, event.exchange
            return [*self._stop("closed"), event]  # the close of the earlier WebSocket was not captured
        self._merged = self._merged or (type(event) is HttpRequest and event.version == _VERSION)
        return (event,)

    def _message(self, message: WebSocketMessage) -> list[HttpEvent]:
        from_server = message.sender == "server"
        self._missed = self._missed or (from_server and message.missed > 0)
        self._unheard = self._unheard or (not from_server and (message.missed > 0 or not message.complete))
        if message.kind == "close":
            return [*self._stop("closed"), message]
        talk = self._talk_on(message)
        if talk is None or self._merged or message.kind not in talk.kinds:
            return [message]
        if not from_server:
            question = talk.take_client(message.data)
            return [message] if question is None else [*self._make_room(), self._request(message, talk, question)]
        event = talk.take_server(message.data) if message.complete else NO_ANSWER
        made = self._next(message, event) if talk.in_order else self._begun(message, talk, event)
        stream = self._first() if talk.in_order else self._named(event)
        if self._missed or not message.complete:
            self._damage([stream] if talk.in_order and stream else list(self._open.values()), message.reason)
        if event.kind and stream is not None:
            return [*made, *self._event(stream, message, event)]
        return [*made, message]

    def _talk_on(self, message: WebSocketMessage) -> Talk | None:
        path = (message.host or "", message.target or "")
        if path != self._path:
            kind = talk_at(*path) if path[1] else None
            self._path, self._talk = path, kind() if kind else None
        return self._talk

    def _damage(self, streams: list[EventStream], reason: str | None) -> None:
        """Missing messages may have been part of these answers."""
        for stream in streams:
            stream.damage = stream.damage or reason or "lost"
        self._missed = self._missed and not streams

    def _begun(self, message: WebSocketMessage, talk: Talk, event: ServerEvent) -> list[HttpEvent]:
        """Where an answer with a key begins: it answers the call that waits for longest, or no call."""
        if not event.begins or self._named(event) is not None:
            return []
        made: list[HttpEvent] = []
        waiting = self._waiting()
        if waiting is None:
            question = talk.unasked() if event.begins == "unasked" else None
            if question is None:
                return []
            made = [*self._make_room(), self._request(message, talk, question)]
            waiting = self._open[message.exchange]
        self._keys[waiting.about.exchange] = event.key
        if event.late:
            waiting.damage = waiting.damage or "lost"
        return made

    def _named(self, event: ServerEvent) -> EventStream | None:
        """The answer that the message is part of, by its key."""
        return next((self._open[number] for number, key in self._keys.items() if event.kind and key == event.key), None)

    def _waiting(self) -> EventStream | None:
        return next((stream for number, stream in self._open.items() if number not in self._keys), None)

    def _close(self, stream: EventStream) -> None:
        del self._open[stream.about.exchange]
        self._keys.pop(stream.about.exchange, None)

    def _next(self, message: WebSocketMessage, event: ServerEvent) -> list[HttpEvent]:
        """Calls are answered in order: where the next answer begins, the one before is over, whatever of it was seen."""
        made: list[HttpEvent] = []
        while event.begins and not event.late and (stream := self._first()) is not None:
            unsure = len(self._open) > 1 and (self._missed or stream.damage)
            if not stream.heard and not unsure:
                break
            self._close(stream)
            if stream.heard:
                made += stream.cut(stream.damage or ("lost" if self._missed else "no_end_mark"))
            else:  # unknown which of the calls is answered
                for later in self._open.values():
                    later.damage = later.damage or "lost"
        if event.begins and not self._open:  # the beginning was not seen
            self._begin(message)
        return made

    def _request(self, message: WebSocketMessage, talk: Talk, question: Question) -> HttpRequest:
        """The request that `message` completes, or that stands before the answer which begins with it."""
        origin, end_ns, size = message.origin, message.end_ns, message.size
        lost, reason = question.lost + message.lost, message.reason
        if talk.one_at_a_time and (waiting := self._waiting()) is not None:
            self._close(waiting)
        if message.sender == "server":
            origin = msgspec.structs.replace(origin, direction="out" if origin.direction == "in" else "in")
            end_ns, size = origin.time_ns, 0
        if not talk.in_order:
            reason = reason or ("lost" if self._unheard else "body_limit" if lost else None)
        self._unheard = False
        self._begin(message)
        return HttpRequest(
            origin,
            message.exchange,
            method="POST",
            target=message.target or "",
            version=_VERSION,
            headers=self._headers if message.upgrade == self._upgrade else (("host", message.host or ""),),
            body=question.body,
            complete=reason is None,
            reason=reason,
            end_ns=end_ns,
            body_lost=lost,
            size=size,
        )

    def _begin(self, message: WebSocketMessage) -> None:
        about = About(message.origin, message.exchange, status=0, method="POST", target=message.target, host=message.host)
        self._open[message.exchange] = EventStream(about)

    def _make_room(self) -> list[HttpEvent]:
        if len(self._open) < _OPEN_MOST:
            return []
        number, stream = self._open.pop_oldest()
        self._keys.pop(number, None)
        return stream.cut("evicted")

    def _first(self) -> EventStream | None:
        """The call that is answered next."""
        return self._open.oldest

    def _event(self, stream: EventStream, message: WebSocketMessage, event: ServerEvent) -> list[HttpEvent]:
        if not stream.events and not stream.emitted:
            stream.about = msgspec.structs.replace(stream.about, origin=message.origin)
        if isinstance(event.status, int) and 100 <= event.status < 1000:
            stream.status = event.status
        made = SseEvent(event.kind, message.data.decode("utf-8", "replace"))
        stream.hear(made, message.end_ns or message.origin.time_ns, message.size)
        in_order = stream.about.exchange not in self._keys
        if not (event.ends or (in_order and stream.reader is not None and stream.reader.ended)):
            return []
        self._close(stream)
        return [stream.message(stream.damage)]

    def tick(self, now_ns: int, /) -> Iterable[HttpEvent]:
        if not self._open:
            return ()
        over = [
            stream
            for stream in self._open.values()
            if stream.heard and not stream.emitted and now_ns - stream.last_ns > self._silence_ns
        ]
        over.sort(key=lambda stream: stream.last_ns)  # as finer ticks would have found them
        silent: list[HttpEvent] = [stream.message("timeout") for stream in over]
        return [*progress_of(self._open.values(), now_ns), *silent] if self._progress else silent

    def finish(self) -> Iterable[HttpEvent]:
        return self._stop("capture_end")

    def evict(self) -> Iterable[HttpEvent]:
        begun = self._talk is not None
        out = self._stop("evicted")
        self._unheard = begun
        return out

    def legacy(self) -> bytes:
        return b"unheard" if self._unheard else b""

    def inherit(self, legacy: bytes, /) -> None:
        self._unheard = legacy == b"unheard"

    def _stop(self, reason: str) -> list[HttpEvent]:
        """Emit calls that were answered in part; one without any answer stays a request alone."""
        open_calls = list(self._open.values())
        self._open.clear()
        self._keys.clear()
        self._missed = self._unheard = self._merged = False
        self._path, self._talk = ("", ""), None
        return [event for stream in open_calls if stream.heard for event in stream.cut(reason)]

    def idle(self) -> bool:
        return not (self._open or self._headers or self._missed or self._talk or self._merged)

    def kept(self) -> int:
        return sum(stream.kept() for stream in self._open.values()) + (self._talk.kept() if self._talk else 0)

    def held(self) -> int:
        return sum(stream.size for stream in self._open.values())

    def snapshot(self) -> _State:
        return _State(
            headers=self._headers,
            upgrade=self._upgrade,
            missed=self._missed,
            unheard=self._unheard,
            streams=[stream.snapshot() for stream in self._open.values()],
            keys=self._keys,
            path=self._path,
            talk=self._talk.snapshot() if self._talk else b"",
            merged=self._merged,
        )

    def restore(self, state: _State, /) -> None:
        self._headers, self._upgrade, self._missed, self._unheard = state.headers, state.upgrade, state.missed, state.unheard
        for stream in map(restored, state.streams):
            self._open[stream.about.exchange] = stream
        self._keys, self._path, self._merged = state.keys, state.path, state.merged
        kind = talk_at(*state.path) if state.path[1] else None
        self._talk = kind() if kind else None
        if self._talk is not None:
            self._talk.restore(state.talk)
