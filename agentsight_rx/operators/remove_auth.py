"""
Any event -> the same without credentials: labels in the place of secrets, wherever an event carries text or bytes.

Longer than 300 lines because each kind of event has a cleaner of its own, and one table names them all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar, cast

import msgspec
from msgspec.structs import replace

from ..core.engine import Site
from ..core.machine import Kernel, encode_state
from ..core.stream import Operator
from ..events import (
    AnswerProgress,
    BodyPart,
    Channel,
    Connection,
    Event,
    FileEvent,
    HttpRequest,
    HttpResponse,
    NetEvent,
    ProcessExec,
    ProcessSeen,
    Readline,
    Reply,
    RpcMessage,
    RulesLoaded,
    SessionEntry,
    SseMessage,
    StdioChunk,
    StdioClose,
    TlsChunk,
    TlsClose,
    ToolCall,
    WebSocketMessage,
)
from ..policy.redaction.event_data import mask_events, without_frames
from ..policy.redaction.find import find_parameters, find_secrets
from ..policy.redaction.records.connection import ConnectionState
from ..policy.redaction.redactor import Heads, Redactor, mask_command, mask_words
from ..policy.redaction.resent import AnswerKey, Answers, Resent, SecretStream
from ..policy.redaction.streams import Connections, SecretStreams, clean_record

E = TypeVar("E", bound=Event)
S = TypeVar("S", bound=msgspec.Struct)
K = TypeVar("K", bound=Hashable)

_TlsKey = tuple[int, str]  # of records without a connection
_StdioKey = tuple[Channel, int, str]
_BodyKey = tuple[Connection | None, int, int]


def remove_auth(*, key: bytes | None = None) -> Operator[E, E]:
    """
    Put `[redacted:KIND:HMAC]` into the place of every secret: fields of heads, cookies, parameters and passwords of URLs,
    arguments of commands, and any text in the shape of a known key, wherever it stands and also where it is cut.

    The HMAC is made with `key`, so that equal secrets have equal labels; without a key it is another one each time. Raw records
    and cut secrets are overwritten by `*`, so that lengths and offsets stay true.

    An event at which this fails goes no further: it is counted as a bug and not shown with what it may hold.
    """
    secret = os.urandom(32) if key is None else key
    return cast("Operator[E, E]", Operator("remove_auth", lambda site: _RemoveAuth(site, Redactor(secret))))


class _State(msgspec.Struct, array_like=True):
    connections: list[tuple[Connection, ConnectionState]]
    tls: list[tuple[_TlsKey, bytes]]
    stdio: list[tuple[_StdioKey, bytes]]
    lines: list[tuple[_StdioKey, bytes]]
    bodies: list[tuple[_BodyKey, bytes]]
    answers: list[tuple[AnswerKey, list[tuple[int, bytes]]]]


class _RemoveAuth(Kernel[Event, Event]):
    def __init__(self, site: Site, redactor: Redactor) -> None:
        self._site = site
        self._redactor = redactor
        self._text = redactor.short
        self._heads = Heads(redactor)  # no state either
        self._resent = Resent()  # no state: without it the same secrets are found
        self._connections = Connections()
        self._tls = SecretStreams[_TlsKey]()
        self._stdio = SecretStreams[_StdioKey]()
        self._lines = SecretStreams[_StdioKey]()
        self._bodies = SecretStreams[_BodyKey]()
        self._answers = Answers()
        self._cleaners: dict[type, Callable[[Any], Event]] = {
            HttpRequest: self._request,
            HttpResponse: self._response,
            BodyPart: self._part,
            SseMessage: self._sse,
            AnswerProgress: self._progress,
            WebSocketMessage: self._websocket,
            TlsChunk: self._record,
            TlsClose: self._close,
            StdioChunk: self._chunk,
            StdioClose: self._stdio_close,
            RpcMessage: self._rpc,
            ProcessExec: self._exec,
            ProcessSeen: self._seen,
            FileEvent: self._texts("path", "target", "known_as"),
            NetEvent: self._net,
            Readline: self._readline,
            RulesLoaded: self._texts("file", "error"),
            SessionEntry: self._entry,
        }

    def feed(self, batch: Sequence[Event], /) -> Sequence[Event]:
        out: list[Event] = []
        for event in batch:
            clean = self._cleaners.get(type(event))
            if clean is None:
                out.append(event)
                continue
            try:
                out.append(clean(event))
            except Exception as error:
                self._site.bug(error)
        return out

    def snapshot(self) -> bytes:
        return encode_state(
            _State(
                connections=self._connections.snapshot(),
                tls=self._tls.snapshot(),
                stdio=self._stdio.snapshot(),
                lines=self._lines.snapshot(),
                bodies=self._bodies.snapshot(),
                answers=self._answers.snapshot(),
            )
        )

    def restore(self, state: bytes, /) -> None:
        saved = msgspec.msgpack.decode(state, type=_State)
        self._connections.restore(saved.connections)
        self._tls.restore(saved.tls)
        self._stdio.restore(saved.stdio)
        self._lines.restore(saved.lines)
        self._bodies.restore(saved.bodies)
        self._answers.restore(saved.answers)

    # -- HTTP ----------------------------------------------------------------------------------------------------------

    def _request(self, event: HttpRequest) -> HttpRequest:
        body, tail = self._body(event)
        fields = self._heads.without_secret_fields(event.headers, event.trailers, event.method, event.target)
        if fields is not None:
            return _with(event, headers=fields[0], trailers=fields[1], body=body, tail=tail)
        return _with(
            event,
            headers=self._heads.clean(event.headers),
            trailers=self._heads.clean(event.trailers),
            target=self._text(event.target),
            method=self._text(event.method),
            body=body,
            tail=tail,
        )

    def _response(self, event: HttpResponse) -> HttpResponse:
        body, tail = self._body(event)
        texts = event.target or "", event.phrase, event.host or ""
        fields = self._heads.without_secret_fields(event.headers, event.trailers, *texts)
        if fields is not None:
            return _with(event, headers=fields[0], trailers=fields[1], body=body, tail=tail)
        return _with(
            event,
            headers=self._heads.clean(event.headers),
            trailers=self._heads.clean(event.trailers),
            target=self._optional(event.target),
            phrase=self._text(event.phrase),
            host=self._optional(event.host),
            body=body,
            tail=tail,
        )

    def _body(self, event: HttpRequest | HttpResponse) -> tuple[bytes, int]:
        """The body, and its bytes after the first gap."""
        body, tail = event.body, event.tail
        if not body:
            return body, tail
        if tail:
            stream = SecretStream()
            head = stream.feed(body[:-tail], labels=self._redactor)
            stream.gap()
            rest = stream.feed(body[-tail:], labels=self._redactor, last=event.complete)
            made = head + rest
            return (body, tail) if made == body else (made, len(rest))
        cut = not event.complete or event.body_lost > 0
        if any(name == "content-type" and value.startswith(_FORM) for name, value in event.headers):
            return self._redactor.replaced(body, [*find_secrets(body, cut=cut), *find_parameters(body, cut=cut)]), tail
        if cut or type(event) is not HttpRequest:
            return self._redactor.data(body, cut=cut), tail
        found = self._resent.find(body)
        return self._redactor.replaced(body, found) if found else body, tail

    def _part(self, event: BodyPart) -> BodyPart:
        origin = event.origin
        key = (origin.connection, 0 if origin.connection else origin.pid, event.exchange)
        stream = self._bodies.of(key)
        if event.lost:
            stream.gap()
        data = stream.feed(event.data, labels=self._redactor, last=event.last and event.complete)
        if event.last:
            self._bodies.discard(key)
        cuts = event.cuts if data is event.data else ()  # a label has another length
        return _with(event, data=data, trailers=self._heads.clean(event.trailers), cuts=cuts)

    def _websocket(self, event: WebSocketMessage) -> WebSocketMessage:
        data = self._redactor.data(event.data, cut=not event.complete)
        return _with(event, data=data, target=self._optional(event.target), host=self._optional(event.host))

    def _progress(self, event: AnswerProgress) -> AnswerProgress:
        return _with(event, pieces=self._answers.clean(event, self._redactor))

    def _sse(self, event: SseMessage) -> SseMessage:
        if event.reason != "timeout":  # after one of these the answer may go on, in the middle of a secret
            self._answers.ended(event.origin, event.exchange)
        cut = not event.complete or event.events_lost > 0
        reply, events = event.reply, event.events
        datas = [each.data for each in events]
        if not cut and (event.dialect or len(events) < 2):
            fields = self._heads.without_secret_fields((), event.trailers, said=_texts(event, datas))
            if fields is not None:
                return _with(event, trailers=fields[1])
        masked = mask_events(datas, self._redactor, cut=cut)
        made = tuple(
            _with(each, data=data, event=self._text(each.event), id=self._optional(each.id))
            for each, data in zip(events, masked, strict=True)
        )
        return _with(
            event,
            reply=self._reply(reply, cut),
            events=events if all(new is old for new, old in zip(made, events, strict=True)) else made,
            target=self._optional(event.target),
            host=self._optional(event.host),
            trailers=self._heads.clean(event.trailers),
        )

    def _reply(self, reply: Reply, cut: bool) -> Reply:
        calls = tuple(self._call(call, cut) for call in reply.tool_calls)
        return _with(
            reply,
            id=self._text(reply.id),
            model=self._text(reply.model),
            text=self._redactor.text(reply.text, cut=cut),
            thinking=self._redactor.text(reply.thinking, cut=cut),
            tool_calls=reply.tool_calls if calls == reply.tool_calls else calls,
            unknown=tuple(map(self._text, reply.unknown)),
            finish_reason=self._optional(reply.finish_reason),
            error=self._optional(reply.error),
        )

    def _call(self, call: ToolCall, cut: bool) -> ToolCall:
        return ToolCall(self._text(call.id), self._text(call.name), self._redactor.text(call.input, cut=cut))

    # -- raw records ---------------------------------------------------------------------------------------------------

    def _record(self, event: TlsChunk) -> TlsChunk:
        origin = event.origin
        if origin.connection is not None:
            return _with(event, data=self._connections.of(origin.connection).masked(event))
        return _with(event, data=clean_record(self._tls.of((origin.pid, origin.direction or "")), event))

    def _close(self, event: TlsClose) -> TlsClose:
        if event.origin.connection is not None:
            self._connections.discard(event.origin.connection)
        for direction in ("in", "out"):
            self._tls.discard((event.origin.pid, direction))
        return event

    def _chunk(self, event: StdioChunk) -> StdioChunk:
        stream = self._stdio.of((event.channel, event.origin.pid, event.origin.direction or ""))
        return _with(event, data=clean_record(stream, event))

    def _stdio_close(self, event: StdioClose) -> StdioClose:
        channel, pid = event.channel, event.origin.pid
        self._stdio.drop(lambda key: key[0] == channel if channel else key[1] == pid)
        self._lines.drop(lambda key: key[0] == channel)  # what an ended process wrote may still be read
        return event

    # -- processes -----------------------------------------------------------------------------------------------------

    def _rpc(self, event: RpcMessage) -> RpcMessage:
        cut = not event.complete or event.lost > 0
        made = {name: self._text(getattr(event, name)) for name in ("method", "id", "tool", "server")}
        made |= {name: self._redactor.text(getattr(event, name), cut=cut) for name in ("params", "result")}
        if event.kind == "text":
            made["params"] = self._line(event)
        return _with(event, **made)

    def _line(self, event: RpcMessage) -> str:
        """A key may go over several lines, such as a private key that is printed."""
        stream = self._lines.of((event.channel, event.writer_pid, ""))
        line = event.params.encode("utf-8", "surrogatepass") + b"\n"
        made = stream.feed(line, labels=self._redactor)
        if event.lost:
            stream.gap()
        return event.params if made is line else made.decode("utf-8", "replace").removesuffix("\n")

    def _exec(self, event: ProcessExec) -> ProcessExec:
        argv = mask_words(event.argv, self._redactor, cut=event.argv_lost > 0)
        return _with(event, argv=argv, **self._named(event))

    def _seen(self, event: ProcessSeen) -> ProcessSeen:
        return _with(event, argv=mask_words(event.argv, self._redactor), **self._named(event))

    def _named(self, event: ProcessExec | ProcessSeen) -> dict[str, str]:
        return {name: self._text(getattr(event, name)) for name in ("filename", "cwd", "container", "home")}

    def _texts(self, *names: str) -> Callable[[Any], Event]:
        """Replace secrets in these fields, which hold text that no other event continues."""
        return lambda event: _with(event, **{name: self._text(getattr(event, name)) for name in names})

    def _net(self, event: NetEvent) -> NetEvent:
        if event.family != "unix":
            return event
        return _with(event, local=self._text(event.local), peer=self._text(event.peer))

    def _readline(self, event: Readline) -> Readline:
        return _with(event, command=mask_command(event.command, self._redactor))

    def _entry(self, event: SessionEntry) -> SessionEntry:
        made: dict[str, Any] = {name: self._text(getattr(event, name)) for name in _SHORT}
        made["text"], made["thinking"] = self._redactor.text(event.text), self._redactor.text(event.thinking)
        if event.tools:
            tools = tuple(self._call(call, cut=False) for call in event.tools)
            made["tools"] = event.tools if tools == event.tools else tools
        if event.paths:
            made["paths"] = tuple(map(self._text, event.paths))
        return _with(event, **made)

    def _optional(self, text: str | None) -> str | None:
        return self._text(text) if text else text


# Of a SessionEntry
_SHORT = ("agent", "session", "id", "request_id", "thread", "model", "provider", "folder", "branch", "version", "project")


def _texts(event: SseMessage, datas: Sequence[str]) -> str:
    """All that an event stream said, to search for secrets."""
    reply = event.reply
    texts = [reply.id, reply.model, reply.text, reply.thinking, reply.finish_reason or "", reply.error or ""]
    texts += [text for call in reply.tool_calls for text in (call.id, call.name, call.input)]
    texts += {each.event for each in event.events}
    texts += [name for name in {each.id for each in event.events} if name]
    return "\n".join([*texts, event.target or "", event.host or "", without_frames(datas)])


_FORM = "application/x-www-form-urlencoded"


def _with(value: S, /, **fields: Any) -> S:
    """The value with these fields; itself where each is what it has."""
    for name, field in fields.items():
        if field is not getattr(value, name):
            return replace(value, **fields)
    return value
