"""One event of each kind as a line, and lines of the original's probes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from agentsight_rx.events import (
    BodyPart,
    Channel,
    Connection,
    Event,
    FileEvent,
    HttpRequest,
    HttpResponse,
    Loss,
    NetEvent,
    Origin,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    Readline,
    Reply,
    RpcMessage,
    SessionEntry,
    SseEvent,
    SseMessage,
    StdioChunk,
    StdioClose,
    SystemSample,
    SystemWide,
    Tick,
    TlsChunk,
    TlsClose,
    TlsHandshake,
    ToolCall,
    Usage,
    WebSocketMessage,
)
from agentsight_rx.events.envelope import encode_line
from agentsight_rx.events.loss import Reason

__all__ = ["FOREIGN_LINES", "LINES"]

_ORIGIN = Origin(5, 6, 7, 8, "claude", 9_000_000, Connection(6, 1, "/lib/libssl.so.3", 0x7F00), "in")
_PIPE = Channel("pipe", 3)
_EVENTS: tuple[Event, ...] = (
    TlsChunk(_ORIGIN, b"\xff\x00", 0, 0, 1, 2, True),
    TlsHandshake(_ORIGIN, 1),
    TlsClose(_ORIGIN, 1, 2),
    HttpRequest(_ORIGIN, 1, "POST", "/v1", "HTTP/1.1", (("host", "a"),), b'{"a":1}', trailers=(("x", "y"),)),
    HttpResponse(_ORIGIN, 1, 200, "OK", "HTTP/1.1", (), b"\xff", complete=False, reason="lost"),
    BodyPart(_ORIGIN, 1, b"data: a\n\n", True),
    WebSocketMessage(_ORIGIN, 2, 1, "text", b"Hello", target="/a"),
    SseMessage(_ORIGIN, 1, "x", Reply(usage=Usage(1, 2), tool_calls=(ToolCall("t", "Bash", "{}"),)), (SseEvent("a", "b"),), 9),
    ProcessFork(_ORIGIN, 1, 2),
    ProcessExec(_ORIGIN, 1, 2, "/bin/ls", ("ls", "-l"), "/"),
    ProcessExit(_ORIGIN, 1, 2, None, 9),
    FileEvent(_ORIGIN, 1, "open", "/a"),
    NetEvent(_ORIGIN, 1, "connect", "ipv4", "tcp", peer="10.0.0.1", port=443),
    Readline(_ORIGIN, "ls"),
    StdioChunk(_ORIGIN, _PIPE, 1, b"{}\n", 0, 0),
    StdioClose(_ORIGIN, _PIPE, 3),
    RpcMessage(_ORIGIN, _PIPE, "request", "tools/call", "1"),
    SystemSample(_ORIGIN, 1.5, 2, 0.5, 1, 2, 3, 4, 5, 6, 7),
    SystemWide(_ORIGIN, 2, 0.1, 0.2, 0.3, 1, 2, 3),
    Loss(_ORIGIN, "read:tls", Reason.KERNEL_LOST, 3),
    SessionEntry(_ORIGIN, "claude", "s", "answer", "msg", text="a", usage=Usage(1, 2), tools=(ToolCall("t", "Bash", "{}"),)),
    Tick(_ORIGIN),
)
LINES = tuple(map(encode_line, _EVENTS))
_FOREIGN: tuple[Mapping[str, Any], ...] = (
    {"function": "WRITE/SEND", "timestamp_ns": 1, "pid": 2, "comm": "a", "data": "GET \u00ff", "len": 9, "truncated": True},
    {"function": "READ/RECV", "timestamp_ns": 1, "pid": 2, "comm": "a", "data_hex": "00ff", "transport_handle": "0x7f"},
    {"function": "HANDSHAKE", "timestamp_ns": 1, "pid": 2, "tid": 3, "comm": "a", "latency_ms": 1.5},
    {"function": "CLOSE", "timestamp_ns": 1, "pid": 2, "comm": "a"},
    {"event": "EXEC", "timestamp": 1, "pid": 2, "ppid": 1, "comm": "a", "filename": "/bin/a", "full_command": "a 'b c'"},
    {"event": "EXIT", "timestamp": 1, "pid": 2, "comm": "a", "exit_code": 1, "duration_ms": 5},
)
_WRAPPED = {"timestamp": 7, "source": "ssl", "pid": 2, "comm": "a", "data": _FOREIGN[0]}
FOREIGN_LINES = tuple(map(msgspec.json.encode, (*_FOREIGN, _WRAPPED)))
