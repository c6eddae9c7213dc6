"""Events as short calls, and what the view makes of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from agentsight_rx.events import (
    Connection,
    Event,
    HttpRequest,
    HttpResponse,
    Origin,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    Reply,
    SseMessage,
)
from agentsight_rx.operators import materialize
from agentsight_rx.view import (
    AuditRow,
    CallRow,
    HttpRow,
    NetworkRow,
    ProcessRow,
    Row,
    SessionRow,
    TokenRow,
    ToolRow,
    UnknownRow,
)
from tests.operators import CONNECTION, MS, run

R = TypeVar("R", CallRow, TokenRow, ToolRow, ProcessRow, AuditRow, SessionRow, HttpRow, NetworkRow, UnknownRow)

AGENT = CONNECTION.pid
HOST = ("host", "api.anthropic.com")
SERVER = 99
TICK = 10 * MS  # a process start is known to 10 ms
OTHER = Connection(AGENT, 700, "/lib/libssl.so.3", 0x7F01)


def emitted(*events: Event) -> list[Event | Row]:
    return run(materialize(), events)


def last(kind: type[R], made: Sequence[Event | Row]) -> list[R]:
    """What is known in the end: the last row of each id, in the order in which the ids came."""
    rows = {row.id: row for row in made if isinstance(row, kind)}
    return list(rows.values())


def origin(ms: int, pid: int = AGENT, connection: Connection | None = CONNECTION) -> Origin:
    return Origin(ms * MS, pid, pid, 1000, "agent", ms * MS, connection)


def served(ms: int) -> Origin:
    """At the server's end of a connection."""
    return Origin(ms * MS, SERVER, SERVER, 1000, "server", ms * MS, Connection(SERVER, 1, "/lib/libssl.so.3", 5), "in")


def asks(
    ms: int, exchange: int = 1, *, connection: Connection = CONNECTION, target: str = "/v1/messages", **fields: Any
) -> HttpRequest:
    messages: list[Any] = fields.pop("messages", [{"role": "user", "content": "hello summary"}])
    body = json.dumps({"model": "claude-x", "messages": messages}).encode()
    return HttpRequest(origin(ms, connection=connection), exchange, "POST", target, "HTTP/1.1", (HOST,), body, **fields)


def answers(
    ms: int, exchange: int = 1, *, status: int = 200, connection: Connection = CONNECTION, text: str = "hi", **fields: Any
) -> HttpResponse:
    body = {
        "id": "msg_1",
        "model": "claude-y",
        "content": [{"type": "text", "text": text}],
        "usage": {"input_tokens": 10, "output_tokens": 5},
    }
    failure = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    raw = json.dumps(body if status < 400 else failure).encode()
    return HttpResponse(
        origin(ms, connection=connection), exchange, status, "", "HTTP/1.1", (), raw, end_ns=(ms + 1) * MS, **fields
    )


def streams(ms: int, reply: Reply, exchange: int = 1, *, end_ms: int = 0, **fields: Any) -> SseMessage:
    return SseMessage(origin(ms), exchange, "anthropic", reply, (), (end_ms or ms) * MS, status=200, **fields)


def forks(ms: int, pid: int, ppid: int = AGENT) -> ProcessFork:
    return ProcessFork(origin(ms, pid, None), ppid, ms * TICK)


def execs(ms: int, pid: int, *argv: str, ppid: int = AGENT, start: int = 0, filename: str = "/bin/sh") -> ProcessExec:
    return ProcessExec(origin(ms, pid, None), ppid, start * TICK, filename, argv, "/src")


def exits(ms: int, pid: int, code: int | None = 0, *, ppid: int = AGENT, start: int = 0, signal: int = 0) -> ProcessExit:
    return ProcessExit(origin(ms, pid, None), ppid, start * TICK, code, signal, duration_ns=5 * MS)
