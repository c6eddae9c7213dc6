"""Rows made by hand, in a store in memory: a call, its tool, the processes that ran it, and what they did."""

from __future__ import annotations

from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view import AuditRow, CallRow, HttpRow, ProcessRow, Row, SessionRow, ToolRow
from agentsight_rx.view.queries.effects.causes import Causes

__all__ = ["AGENT", "BASE", "SHELL", "TOOL", "causes", "did", "http", "reached", "stored"]

AGENT, SHELL, TOOL = "process-1-0", "process-2-0", "tool-llm-1-t"
BASE: tuple[Row, ...] = (
    ProcessRow(AGENT, 1, 0, start_timestamp_ms=100, comm="claude", command="claude", argv=("claude",), agent="claude"),
    SessionRow("s", 1000, agent="claude", process_id=AGENT),
    CallRow("llm-1", 1000, 2000, model="m", session_id="s", turn=3, prompt="fix it", status="complete", text="I run it"),
    ToolRow(TOOL, 2000, "llm-1", "t", "Bash", input="make", session_id="s", status="completed", end_timestamp_ms=2600),
    ProcessRow(
        SHELL,
        2,
        1,
        start_timestamp_ms=2100,
        end_timestamp_ms=2500,
        comm="sh",
        command="/bin/sh",
        argv=("sh", "-c", "make"),
        exit_code=2,
        status="failure",
        tool_call_id=TOOL,
    ),
    ProcessRow(
        "process-3-0", 3, 2, start_timestamp_ms=2200, end_timestamp_ms=2400, comm="make", tool_call_id=TOOL, exit_code=2
    ),
)


def stored(*rows: Row) -> MemoryStore:
    store = MemoryStore()
    store.commit([put(row) for row in rows])
    return store


def causes(*rows: Row) -> Causes:
    return Causes(stored(*(rows or BASE)))


def did(action: str, path: str, ms: int = 2300, *, process: str = SHELL, **details: str | int | bool | None) -> AuditRow:
    """A line of the audit trail about a file."""
    status = "failure" if details.get("errno") else "success"
    return AuditRow(
        f"audit-file-{action}-{path}-{ms}", ms, "file", 2, "sh", action=action, target=path, status=status, details=details,
        process_id=process, session_id="s",
    )  # fmt: skip


def reached(action: str, peer: str, ms: int = 2300, *, process: str = SHELL, **details: str | int | bool | None) -> AuditRow:
    """A line of the audit trail about a connection."""
    return AuditRow(
        f"audit-network-{action}-{peer}-{ms}", ms, "network", 2, "sh", action=action, target=peer, details=details,
        process_id=process,
    )  # fmt: skip


def http(number: int, host: str, path: str, *, process: str = SHELL, status: int = 200, call: str | None = None) -> HttpRow:
    return HttpRow(
        f"http-{number}", number, 2, "sh", method="GET", host=host, path=path, status_code=status, status="complete",
        end_timestamp_ms=number + 7, request_bytes=10, response_bytes=20, process_id=process, call_id=call,
    )  # fmt: skip
