"""
Event, CallRow -> the line that shows it to a person: who, what, and as much as fits.

Longer than 300 lines because each kind of event has a line of its own, and one table names them all.
"""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from ..core.bounded import Recent
from ..events import (
    BlindSpot,
    FileEvent,
    HostsKnown,
    HttpRequest,
    HttpResponse,
    Loss,
    NetEvent,
    Origin,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    ProcessSeen,
    Readline,
    RpcMessage,
    RulesLoaded,
    SessionEntry,
    SseMessage,
    StdioChunk,
    SystemSample,
    SystemWide,
    TcpTraffic,
    TlsChunk,
    TlsHandshake,
    TlsUse,
    WebSocketMessage,
    Witness,
)
from ..llm import find, provider_named
from ..llm.agents.answers import finds_nothing
from ..store import words
from ..store.reasons import SEEN_BY
from ..store.rows.gaps import connections_of
from ..store.words import amount, data_size, exit_failed, signal_name
from ..view import CallRow
from ..wire.http1_head import field

State: TypeAlias = Literal["", "failed", "missing"]

_REQUESTS_MOST = 4096  # without an answer, whose time is kept
_PREVIEW_MOST = 2000  # characters or bytes: more than any line shows


class Line(Struct, frozen=True):
    """`sign` and `what` are short; `text` is cut to fit: where it `is_path` in the middle, else at the end; `tail` never is."""

    wall_ns: int
    who: str
    sign: str
    what: str
    text: str = ""
    tail: str = ""
    state: State = ""
    is_path: bool = False


class EventLines:
    """
    The messages of a call of a model are shown by its rows; one that is amended and says the same is not shown again. Keeps
    when other requests began, to say how long they took.
    """

    def __init__(self) -> None:
        self._begun: Recent[tuple[object, int, int], int] = Recent(_REQUESTS_MOST)
        self._calls: Recent[str, Line] = Recent(_REQUESTS_MOST)  # the newest line of each

    def of(self, item: object) -> Line | None:
        """None for other rows, and for events that are of use to programs alone."""
        match item:
            case CallRow():
                return self._new(item.id, _call(item))
            case HttpRequest():
                if _is_call(item.method, field(item.headers, "host"), item.target):
                    return None
                self._begun.put(_key(item.origin, item.exchange), item.origin.time_ns)
                return _request(item)
            case HttpResponse():
                if _is_call(item.method, item.host, item.target):
                    return None
                begun_ns = self._begun.pop(_key(item.origin, item.exchange), None)
                return _response(item, None if begun_ns is None else item.origin.time_ns - begun_ns)
            case SseMessage():
                return None if _is_call(item.method, item.host, item.target) or _has_calls(item.dialect) else _sse(item)
            case _:
                make = _LINES.get(type(item))
                return make(item) if make is not None else None

    def _new(self, call: str, line: Line) -> Line | None:
        is_new = self._calls.get(call) != line
        self._calls.put(call, line)
        return line if is_new else None


def _has_calls(dialect: str) -> bool:
    """As in store/fold/calls.py."""
    provider = provider_named(dialect)
    return provider is not None and provider.path is not None


def _is_call(method: str | None, host: str | None, target: str | None) -> bool:
    return method == "POST" and target is not None and find(host or "", target) is not None


def _key(origin: Origin, exchange: int) -> tuple[object, int, int]:
    return origin.connection, 0 if origin.connection else origin.pid, exchange


def _line(origin: Origin, sign: str, what: str, text: str = "", **more: Any) -> Line:
    return Line(origin.wall_ns, f"{origin.comm} {origin.pid}" if origin.pid else origin.comm, sign, what, text, **more)


# -- calls of models, HTTP ---------------------------------------------------------------------------------------------


def _call(row: CallRow) -> Line:
    who = f"{row.comm} {row.pid}"
    if row.status == "pending":
        said = [row.model or "", quoted(row.prompt)]
        text = f"POST {row.path}  {', '.join(part for part in said if part)}"
        return Line(row.start_ns, who, "→", row.host or row.provider or "", text)
    cached = row.cache_read_tokens  # what was written to the cache was not cached
    took = duration(row.end_ns - row.start_ns) if row.end_ns else ""
    parts = [
        row.error_type or "",
        f"{row.reason or row.status}" if row.status in ("partial", "aborted") else "",
        f"{amount(row.asked_tokens)} in" + (f" ({amount(cached)} cached)" if cached else "") if row.total_tokens else "",
        f"{amount(row.output_tokens)} out" if row.total_tokens else "",
        f"{row.tools} tool{'s' if row.tools > 1 else ''}"
        if row.tools
        else "tools"
        if "tool" in (row.finish_reason or "")
        else "",
        quoted(row.text),
    ]
    what = f"{row.status_code or 'no answer'}{f' in {took}' if took else ''}"
    state: State = "failed" if row.status == "error" else "" if row.status == "complete" else "missing"
    return Line(row.end_ns or row.start_ns, who, "←", what, ", ".join(part for part in parts if part), state=state)


def _request(event: HttpRequest) -> Line:
    host = field(event.headers, "host") or ""
    size = f"  {data_size(len(event.body) + event.body_lost)}" if event.body or event.body_lost else ""
    state: State = "" if event.complete else "missing"
    return _line(event.origin, "→", host, f"{event.method} {event.target}{size}", state=state)


def _response(event: HttpResponse, took_ns: int | None) -> Line:
    what = f"{event.status or 'no answer'}{'' if took_ns is None else f' in {duration(took_ns)}'}"
    about = f"{event.method} {event.host or ''}{event.target}" if event.target else ""
    size = "a stream" if event.streaming else data_size(len(event.body) + event.body_lost)
    state: State = "failed" if event.status >= 400 else "" if event.complete else "missing"
    return _line(event.origin, "←", what, f"{size}  {about}", state=state)


def _sse(event: SseMessage) -> Line:
    state: State = "" if event.complete else "missing"
    return _line(
        event.origin, "←", "stream", f"{len(event.events)} events  {event.host or ''}{event.target or ''}", state=state
    )


def _websocket(event: WebSocketMessage) -> Line:
    return _line(event.origin, _arrow(event.origin), f"websocket {event.kind}", preview(event.data))


def _tls(event: TlsChunk) -> Line:
    return _line(
        event.origin,
        _arrow(event.origin),
        f"{_wire(event.origin)} {data_size(len(event.data) + event.lost)}",
        preview(event.data),
    )


def _wire(origin: Origin) -> str:
    return "TCP" if origin.connection is not None and origin.connection.plain else "TLS"


def _handshake(event: TlsHandshake) -> Line:
    return _line(event.origin, "·", "TLS handshake", duration(event.latency_ns))


def _arrow(origin: Origin) -> str:
    return "→" if origin.direction == "out" else "←"


# -- processes ---------------------------------------------------------------------------------------------------------


def _fork(event: ProcessFork) -> Line:
    return _line(event.origin, "▸", "fork", f"child of {event.ppid}")


def _exec(event: ProcessExec) -> Line:
    return _line(event.origin, "▸", "exec", shlex.join(event.argv) or event.filename)


def _seen(event: ProcessSeen) -> Line:
    return _line(event.origin, "▸", "runs already", shlex.join(event.argv) or event.filename)


def _exit(event: ProcessExit) -> Line:
    what = signal_name(event.signal) if event.signal else f"exit {event.exit_code}"
    state: State = "failed" if exit_failed(event) else ""
    return _line(event.origin, "■", what, duration(event.duration_ns) if event.duration_ns else "", state=state)


def _readline(event: Readline) -> Line:
    return _line(event.origin, "$", "typed", event.command)


# -- files, network, stdio ---------------------------------------------------------------------------------------------

_REMOVES = ("unlink", "rmdir")
_LOOKS = ("chdir",)


def _file(event: FileEvent) -> Line:
    action = event.action
    changes = action not in (*_REMOVES, *_LOOKS, "open", "close")
    if action == "open":
        changes = event.flags & os.O_ACCMODE != os.O_RDONLY
    if action == "close":
        action, changes = ("write", True) if event.written_bytes else ("read", False)
    moved = [f"{data_size(size)}" for size in (event.written_bytes, event.read_bytes) if size]
    tail = "  ".join((*moved, *([f"×{event.count:,}"] if event.count > 1 else []), *_error(event.error)))
    path = f"{event.path} → {event.target}" if event.target else event.path
    sign = "−" if action in _REMOVES else "+" if changes else "·"
    failed = event.error and not finds_nothing(event.action, event.flags, event.error)
    return _line(event.origin, sign, action, path, tail=tail, state="failed" if failed else "", is_path=True)


def _net(event: NetEvent) -> Line:
    where = event.peer or event.local
    place = f"[{where}]:{event.port}" if ":" in where and event.port else f"{where}:{event.port}" if event.port else where
    took = [duration(event.latency_ns)] if event.latency_ns else []
    tail = "  ".join((*took, *([f"×{event.count:,}"] if event.count > 1 else []), *_error(event.error)))
    sign = {"connect": "→", "send": "→", "accept": "←"}.get(event.action, "·")
    return _line(
        event.origin, sign, event.action, f"{event.protocol} {place}", tail=tail, state="failed" if event.error else ""
    )


def _carried(event: TcpTraffic) -> Line:
    place = f"[{event.peer}]:{event.port}" if ":" in event.peer else f"{event.peer}:{event.port}"
    tail = f"{data_size(event.sent)} out, {data_size(event.received)} in"
    return _line(event.origin, "·", "carried" if event.ended else "so far", f"tcp {place}", tail=tail)


def _error(number: int) -> list[str]:
    return [errno.errorcode.get(number, f"errno {number}")] if number else []


_FAILED = ("tool_error", "rpc_error")


def _rpc(event: RpcMessage) -> Line:
    if event.kind == "text":
        return _line(event.origin, _arrow(event.origin), "line", event.params, state="" if event.complete else "missing")
    took = f" in {duration(event.latency_ns)}" if event.latency_ns else ""
    state: State = "failed" if event.outcome in _FAILED else "" if event.complete else "missing"
    text = f"{event.method} {event.tool}".strip()
    return _line(event.origin, "⇄", f"{event.outcome}{took}", f"{text}  {event.params}", state=state)


_ROLES = {0: "stdin", 1: "stdout", 2: "stderr"}


def _stdio(event: StdioChunk) -> Line:
    role = _ROLES.get(event.fd, f"fd {event.fd}")
    return _line(event.origin, _arrow(event.origin), f"{role} {data_size(len(event.data) + event.lost)}", preview(event.data))


# -- resources, what is missing ----------------------------------------------------------------------------------------


def _sample(event: SystemSample) -> Line:
    cpu = "" if event.cpu_percent is None else f"{event.cpu_percent:.1f} % CPU, "
    text = f"{cpu}{data_size(event.rss_bytes)}, {event.processes} processes, {event.threads} threads"
    return _line(event.origin, "~", "alert" if event.alert else "uses", text, state="failed" if event.alert else "")


def _wide(event: SystemWide) -> Line:
    used = event.total_bytes - event.available_bytes
    text = f"load {event.load_1:.2f}, {data_size(used)} of {data_size(event.total_bytes)} used"
    return _line(event.origin, "~", "machine", text)


def _loss(event: Loss) -> Line:
    size = f", {data_size(event.size)}" if event.size else ""
    note = f"  {event.note}" if event.note else ""
    what = event.reason.value if event.reason.intended else "lost"
    return _line(event.origin, "!", what, f"{event.count:,} at {event.stage}{size}{note}", state="missing")


def _rules(event: RulesLoaded) -> Line:
    if event.error:
        return _line(event.origin, "!", "rules", event.error, state="failed")
    return _line(event.origin, "·", "rules", f"{event.file}  sha256 {event.sha256[:8]}")


def _hosts(event: HostsKnown) -> Line:
    return _line(event.origin, "·", "hosts", f"{len(event.pairs):,} of earlier recordings are known")


def _entry(event: SessionEntry) -> Line:
    said = event.text or ", ".join(call.name for call in event.tools)
    return _line(event.origin, "·", event.kind, f"{event.session}  {preview(said.encode(errors='replace'))}")


def _witness(event: Witness) -> Line:
    return _line(event.origin, "·", "seen", SEEN_BY.get(event.seen_by, event.seen_by))


def _blind(event: BlindSpot) -> Line:
    looks = f"  looks like {', '.join(event.looks_like)}" if event.looks_like else ""
    text = f"{connections_of(event)}, {data_size(event.size)}, to {', '.join(event.peers)}{looks}"
    return _line(event.origin, "!", "not read", text, state="missing")


def _use(event: TlsUse) -> Line:
    certain = "proven" if event.proven else "not proven"
    text = f"{event.stack} in {event.path}  {certain}, found by {event.method}"
    return _line(event.origin, "~", "TLS read", text)


_LINES: dict[type, Callable[[Any], Line]] = {
    WebSocketMessage: _websocket,
    TlsChunk: _tls,
    TlsHandshake: _handshake,
    ProcessFork: _fork,
    ProcessExec: _exec,
    ProcessSeen: _seen,
    ProcessExit: _exit,
    Readline: _readline,
    FileEvent: _file,
    NetEvent: _net,
    TcpTraffic: _carried,
    RpcMessage: _rpc,
    StdioChunk: _stdio,
    SystemSample: _sample,
    SystemWide: _wide,
    Loss: _loss,
    BlindSpot: _blind,
    RulesLoaded: _rules,
    HostsKnown: _hosts,
    Witness: _witness,
    SessionEntry: _entry,
    TlsUse: _use,
}


# -- quantities --------------------------------------------------------------------------------------------------------


def quoted(text: str) -> str:
    return f'"{text[:_PREVIEW_MOST]}"' if text else ""


def preview(data: bytes) -> str:
    return data[:_PREVIEW_MOST].decode(errors="replace")


def duration(ns: int) -> str:
    seconds = ns / 1e9
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
    return words.took(round(ns / 1e6))
