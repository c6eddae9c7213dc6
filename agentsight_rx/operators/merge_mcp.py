"""HttpRequest and its answer, where they speak JSON-RPC 2.0 -> the same, and RpcMessage: MCP over streamable HTTP."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from ..core.machine import Bounded, Checkpointed
from ..core.per_key import per_key
from ..core.stream import Operator
from ..events import Channel, Connection, HttpEvent, HttpRequest, HttpResponse, Origin, RpcMessage, SseMessage, TlsClose
from ..wire.lines import Line
from ..wire.mcp import RpcText, decode_line, outcome_of, read_server, read_tool

_ASKED_MOST = 256  # requests without an answer on one connection
_MARK = b'"jsonrpc"'


def merge_mcp(*, text_limit: int = 1 << 20) -> Operator[HttpEvent, HttpEvent | RpcMessage]:
    """
    Emit JSON-RPC over HTTP as it comes over pipes: each request with its answer, each notification (modelcontextprotocol.io,
    transports). The HTTP messages themselves pass unchanged.

        --Request(tools/call)--Response or SseMessage--------------|
        [                   merge_mcp()                            ]
        --Request--------------Response or SseMessage--RpcMessage--|

    Of `params` and `result` the first `text_limit` characters are kept. In a recording that has both, the HTTP messages and
    their requests, the requests are not made a second time.
    """
    return per_key(
        _connection, lambda: _Calls(text_limit), name="merge_mcp", key_type=Connection, options=f"text_limit={text_limit}"
    )


def _connection(event: HttpEvent | RpcMessage) -> Connection | None:
    kind = type(event)
    if kind is HttpRequest or kind is HttpResponse or kind is SseMessage or kind is TlsClose:
        return event.origin.connection
    return event.origin.connection if isinstance(event, RpcMessage) and event.channel.kind == "http" else None


class _Asked(Struct):
    """A request that waits for its answer."""

    exchange: int
    origin: Origin
    message: RpcText


class _State(Struct, array_like=True):
    server: str
    asked: list[_Asked]
    made: list[str]


class _Calls(Bounded[HttpEvent, HttpEvent | RpcMessage], Checkpointed[_State]):
    """The open requests of one connection. The server is known by what it answered to `initialize` there."""

    def __init__(self, text_limit: int) -> None:
        self._most = text_limit
        self._server = ""
        self._asked: list[_Asked] = []
        self._made: deque[str] = deque(maxlen=_ASKED_MOST)

    def feed(self, event: HttpEvent | RpcMessage, /) -> Iterable[HttpEvent | RpcMessage]:
        if type(event) is HttpRequest:
            return [event, *self._request(event)]
        if type(event) is HttpResponse:
            ended = not event.streaming and event.status >= 200
            return [event, *self._answer(event, [event.body], event.status, event.complete)] if ended else (event,)
        if type(event) is SseMessage:
            if event.reason == "timeout":  # it may go on
                return (event,)
            return [event, *self._answer(event, [each.data.encode() for each in event.events], event.status, event.complete)]
        if isinstance(event, RpcMessage):
            return () if _name(event) in self._made else (event,)
        return [*self._stop("closed"), event]

    def _request(self, event: HttpRequest) -> list[RpcMessage]:
        if event.method != "POST" or _MARK not in event.body:
            return []
        made: list[RpcMessage] = []
        for message in _messages(event.body):
            if message.kind == "request":
                self._asked.append(_Asked(event.exchange, event.origin, message))
            elif message.kind == "notification":
                made.append(self._notification(event.origin, message, event.complete, event.reason))
        while len(self._asked) > _ASKED_MOST:
            made.append(self._end(self._asked.pop(0), None, outcome="no_answer", end_ns=0, reason="pending_limit"))
        return made

    def _answer(
        self, event: HttpResponse | SseMessage, bodies: Iterable[bytes], status: int, complete: bool
    ) -> list[RpcMessage]:
        """An answer may say more than one thing: notifications of progress, requests of the server, and the results."""
        waiting = [asked for asked in self._asked if asked.exchange == event.exchange]
        if not waiting and not (isinstance(event, SseMessage) and event.dialect == "mcp"):
            return []
        made: list[RpcMessage] = []
        for message in (message for body in bodies if _MARK in body for message in _messages(body)):
            if message.kind in ("request", "notification"):
                made.append(self._notification(event.origin, message, complete=True, reason=None))
                continue
            asked = next((asked for asked in waiting if asked.message.id == message.id), None)
            if asked is not None:
                waiting.remove(asked)
                self._asked.remove(asked)
                outcome = outcome_of(asked.message.method, message)
                made.append(self._end(asked, message, outcome=outcome, end_ns=event.end_ns, reason=None))
        for asked in waiting:
            self._asked.remove(asked)
            reason = event.reason or (f"http_{status}" if status >= 400 else "no_answer")
            made.append(
                self._end(
                    asked, None, outcome="rpc_error" if status >= 400 else "no_answer", end_ns=event.end_ns, reason=reason
                )
            )
        return made

    def _notification(self, origin: Origin, message: RpcText, complete: bool, reason: str | None) -> RpcMessage:
        return self._noted(
            RpcMessage(
                origin,
                _channel(origin),
                kind=message.kind,
                method=message.method,
                id=message.id,
                params=message.body[: self._most],
                server=self._server,
                complete=complete,
                reason=reason,
                lost=max(0, len(message.body) - self._most),
            )
        )

    def _end(self, asked: _Asked, answer: RpcText | None, outcome: str, end_ns: int, reason: str | None) -> RpcMessage:
        message, origin = asked.message, asked.origin
        result = answer.body if answer else ""
        if message.method == "initialize":
            self._server = read_server(result) or self._server
        return self._noted(
            RpcMessage(
                origin,
                _channel(origin),
                kind="request",
                method=message.method,
                id=message.id,
                tool=read_tool(message.body) if message.method == "tools/call" else "",
                params=message.body[: self._most],
                result=result[: self._most],
                outcome=outcome,
                writer_pid=origin.pid if origin.direction == "out" else 0,
                reader_pid=origin.pid if origin.direction == "in" else 0,
                server=self._server,
                end_ns=end_ns if answer else 0,
                complete=reason is None,
                reason=reason,
                latency_ns=max(0, end_ns - origin.time_ns) if answer else 0,
                lost=max(0, len(message.body) - self._most) + max(0, len(result) - self._most),
            )
        )

    def _noted(self, made: RpcMessage) -> RpcMessage:
        self._made.append(_name(made))
        return made

    def _stop(self, reason: str) -> list[RpcMessage]:
        asked, self._asked = self._asked, []
        return [self._end(each, None, outcome="no_answer", end_ns=0, reason=reason) for each in asked]

    def finish(self) -> Iterable[HttpEvent | RpcMessage]:
        return self._stop("capture_end")

    def evict(self) -> Iterable[HttpEvent | RpcMessage]:
        return self._stop("evicted")

    def idle(self) -> bool:
        return not (self._asked or self._made or self._server)

    def snapshot(self) -> _State:
        return _State(self._server, self._asked, list(self._made))

    def restore(self, state: _State, /) -> None:
        self._server, self._asked = state.server, state.asked
        self._made.extend(state.made)


def _messages(body: bytes) -> list[RpcText]:
    """What a body says in JSON-RPC; nothing where it is something else."""
    return [message for message in decode_line(Line(body)) if message.kind != "text" and message.reason is None]


def _channel(origin: Origin) -> Channel:
    return Channel("http", origin.connection.handle if origin.connection else 0)


def _name(message: RpcMessage) -> str:
    return f"{message.origin.time_ns}-{message.kind}-{message.method}-{message.id}"
