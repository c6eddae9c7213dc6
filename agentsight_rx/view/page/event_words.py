"""Event -> the line of the log that shows it: its kind, and as much of it as says what happened."""

from __future__ import annotations

import os
import shlex
from typing import Any

from msgspec.structs import fields

from ...events import (
    BlindSpot,
    Event,
    FileEvent,
    HostsKnown,
    HttpRequest,
    HttpResponse,
    Loss,
    NetEvent,
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
    TcpTraffic,
    TlsChunk,
    TlsUse,
    WebSocketMessage,
    Witness,
)
from ...llm.agents.answers import finds_nothing
from ...store.reasons import SEEN_BY
from ...store.rows.gaps import connections_of
from ...store.words import cut, data_size, exit_failed, plural, signal_name
from ...wire.http1_head import field

_TEXT = 220  # characters
_BODY = 120

# What the box above the log offers as source=NAME
SOURCES: dict[str, tuple[type[Any], ...]] = {
    "http": (HttpRequest, HttpResponse, SseMessage, WebSocketMessage),
    "process": (ProcessFork, ProcessExec, ProcessExit, ProcessSeen, Readline),
    "file": (FileEvent,),
    "net": (NetEvent, TcpTraffic),
    "mcp": (RpcMessage,),
    "stdio": (StdioChunk,),
    "tls": (TlsChunk, TlsUse, BlindSpot),
    "system": (SystemSample,),
    "guard": (RulesLoaded, HostsKnown),
    "session": (SessionEntry,),
    "loss": (Loss,),
}
_BY_TYPE = {kind: name for name, kinds in SOURCES.items() for kind in kinds}


def source_of(event: Event, /) -> str:
    return _BY_TYPE.get(type(event), "other")


def line_of(event: Event, /) -> tuple[str, bool]:
    """(text, whether it failed)."""
    text, bad = _line(event)
    return cut(" ".join(text.split()), _TEXT), bad


def _line(event: Event) -> tuple[str, bool]:
    match event:
        case HttpRequest():
            return (
                f"{event.method} {field(event.headers, 'host') or ''}{event.target} "
                f"{data_size(len(event.body) + event.body_lost)}",
                False,
            )
        case HttpResponse():
            return (
                f"{event.status} {event.phrase} {event.host or ''}{event.target or ''} "
                f"{data_size(len(event.body))}{_part(event)}",
                event.status >= 400,
            )
        case SseMessage():
            said = event.reply.text or ", ".join(call.name for call in event.reply.tool_calls)
            return (
                f"{event.status or ''} stream of {event.host or event.dialect}, "
                f"{plural(event.chunks, 'piece')}: {said[:_BODY]}{_part(event)}",
                event.status >= 400,
            )
        case WebSocketMessage():
            return f"{event.sender} {event.kind} {event.host or ''}{event.target or ''}: {_shown(event.data)}", False
        case ProcessExec():
            return shlex.join(event.argv) or event.filename, False
        case ProcessFork():
            return f"forked by {event.ppid}", False
        case ProcessExit():
            return f"killed by {signal_name(event.signal)}" if event.signal else f"exit {event.exit_code}", exit_failed(event)
        case ProcessSeen():
            return f"runs already: {shlex.join(event.argv) or event.filename}", False
        case Readline():
            return f"typed {event.command}", False
        case FileEvent():
            moved = f" to {event.target}" if event.target else ""
            size = f", {event.written_bytes:,} bytes written" if event.written_bytes else ""
            failed = f": {os.strerror(event.error)}" if event.error else ""
            return f"{event.action} {event.path}{moved}{size}{failed}", bool(event.error) and not finds_nothing(
                event.action, event.flags, event.error
            )
        case NetEvent():
            where = f"{event.peer or event.local}:{event.port}" if event.port else event.peer or event.local
            return f"{event.action} {event.protocol} {where}{f': {os.strerror(event.error)}' if event.error else ''}", bool(
                event.error
            )
        case TcpTraffic():
            return f"tcp {event.peer}:{event.port} sent {data_size(event.sent)}, received {data_size(event.received)}", False
        case RpcMessage():
            return f"{event.method} {event.tool} {event.outcome}: {event.params[:_BODY]}", event.outcome in (
                "tool_error",
                "rpc_error",
            )
        case StdioChunk():
            return f"descriptor {event.fd}: {_shown(event.data)}", False
        case TlsChunk():
            return f"{event.origin.direction} {data_size(len(event.data))}: {_shown(event.data)}", False
        case TlsUse():
            return f"{event.stack} in {event.path}, {'proven' if event.proven else 'not proven'}", False
        case BlindSpot():
            return f"could not be read: {connections_of(event)} to {', '.join(event.peers[:3])}", True
        case SystemSample():
            cpu = "" if event.cpu_percent is None else f"{event.cpu_percent:.0f} % of a core, "
            return f"{cpu}{event.rss_bytes >> 20} MB, {plural(event.processes, 'process', 'processes')}", event.alert
        case Loss():
            return f"{event.count:,} lost at {event.stage}: {event.reason.value} {event.note}", not event.reason.intended
        case RulesLoaded():
            error = f"the rules of {event.file} were not loaded: {event.error}"
            return (error, True) if event.error else (f"the rules of {event.file} were loaded ({event.sha256[:8]})", False)
        case SessionEntry():
            asked = ", ".join(call.name for call in event.tools)
            return f"{event.kind} of {event.agent} {event.session}: {event.text[:_BODY] or asked}", event.is_error
        case Witness():
            return f"seen {SEEN_BY.get(event.seen_by, event.seen_by)}", False
        case HostsKnown():
            return f"{plural(len(event.pairs), 'host')} of earlier recordings", False
        case _:
            shown = (f"{each.name} {getattr(event, each.name)}" for each in fields(event) if each.name != "origin")
            return ", ".join(shown), False


def _part(event: HttpResponse | SseMessage) -> str:
    return "" if event.complete or (isinstance(event, HttpResponse) and event.streaming) else f", incomplete ({event.reason})"


def _shown(data: bytes) -> str:
    return data[:_BODY].decode("utf-8", "replace")
