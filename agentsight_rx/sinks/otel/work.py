"""ToolRow, ProcessRow, their files and connections -> the spans of tools and processes, and the events of both."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from ...store.rows.tool_words import outcome_of
from ...view import AuditRow, ProcessRow, ToolRow
from .names import SPANS, attributes_of
from .spans import Planned, PlannedEvent, span_id

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue


# -- effects -------------------------------------------------------------------------------------------------------
# AuditRow -> an event of the span of a tool or process: a file, or a connection.


KINDS = ("file", "network")
_EVENTS_MOST = 128  # of one span, as in the SDK


class EventList:
    """The first events of a span, each action on each target once."""

    def __init__(self) -> None:
        self.kept: list[PlannedEvent] = []
        self.dropped = 0
        self._seen: set[tuple[str | None, str | None, str | None]] = set()

    def add(self, row: AuditRow) -> None:
        key = row.action, row.target, row.status
        if key in self._seen:
            return
        if len(self.kept) >= _EVENTS_MOST:
            self.dropped += 1
            return
        self._seen.add(key)
        self.kept.append(_event(row))

    def remove(self, row: AuditRow) -> None:
        """It was not of this span."""
        key = row.action, row.target, row.status
        event = _event(row)
        if key in self._seen and event in self.kept:
            self._seen.remove(key)
            self.kept.remove(event)


def _event(row: AuditRow) -> PlannedEvent:
    kind = f"agentsight.{row.audit_type}"
    fields = _file(row) if row.audit_type == "file" else _connection(row)
    fields |= {"action": row.action, "status": row.status, "pid": row.pid}
    return PlannedEvent(kind, row.timestamp_ms * 1_000_000, attributes_of(SPANS[kind], fields, with_content=False))


def _file(row: AuditRow) -> dict[str, AttributeValue | None]:
    said = row.details
    return {
        "path": row.target,
        "target": said.get("target") or None,
        "read_bytes": said.get("read_bytes") or None,
        "written_bytes": said.get("written_bytes") or None,
    }


def _connection(row: AuditRow) -> dict[str, AttributeValue | None]:
    """A target is `address:port`, `[address]:port`, or the path of a Unix socket."""
    address, _, port = (row.target or "").rpartition(":")
    whole = port.isdigit()
    return {
        "address": address.strip("[]") if whole else row.target,
        "port": int(port) if whole else None,
        "transport": row.details.get("protocol"),
    }


# -- processes -----------------------------------------------------------------------------------------------------
# ProcessRow -> the span of a process that a tool ran, with its argv as the kernel saw it, its exit code and its time.


PROCESSES_MOST = 256  # spans of one tool; a build starts thousands
_ARGV_MOST = 256
_ARGV_CHARACTERS = 16_384


class OpenProcess:
    """A process of a tool that has not ended. `span`: its own; where it ran no program, the span of its parent."""

    def __init__(self, row: ProcessRow, parent: int) -> None:
        self.row = row
        self.parent = parent
        self.span = parent
        self.events = EventList()


def process_span_id(row: ProcessRow) -> int:
    return span_id(f"process {row.id}")


def planned_process(process: OpenProcess, trace: int, *, now_ms: int) -> Planned:
    """`now_ms`: the end of one that still runs."""
    row = process.row
    path = row.command or ""
    error = exit_error(row)
    end_ms = row.end_timestamp_ms if row.end_timestamp_ms is not None else now_ms
    start_ms = row.start_timestamp_ms if row.start_timestamp_ms is not None else end_ms
    if row.duration_ms and row.end_timestamp_ms is not None:  # from its program on, not from the fork
        start_ms = max(start_ms, end_ms - row.duration_ms)
    name = os.path.basename(path) or row.comm or "process"
    fields: dict[str, AttributeValue | None] = {
        "name": name,
        "exit_code": row.exit_code,
        "pid": row.pid,
        "error": error,
        "argv": _argv(row) or None,
        "path": path or None,
        "ppid": row.ppid,
        "cwd": row.cwd,
        "id": row.id,
        "signal": row.signal,
        "argv_lost": row.argv_lost or None,
        "tool": row.tool_call_id,
        "events_dropped": process.events.dropped or None,
        "complete": row.status != "running",
        "reason": "capture_end" if row.status == "running" else None,
    }
    return Planned(
        name,
        "internal",
        trace,
        process.span,
        process.parent,
        start_ns=start_ms * 1_000_000,
        end_ns=max(start_ms, end_ms) * 1_000_000,
        attributes=attributes_of(SPANS["process"], fields, with_content=False),
        failure=error,
        events=tuple(process.events.kept),
    )


def exit_error(row: ProcessRow) -> str | None:
    """`error.type` of a process that failed: the signal, or the exit code, both of few kinds."""
    if row.signal:
        try:
            return signal.Signals(row.signal).name
        except ValueError:
            return f"signal_{row.signal}"
    return f"exit_{row.exit_code}" if row.exit_code and row.has_failed else None


def _argv(row: ProcessRow) -> tuple[str, ...]:
    kept: list[str] = []
    room = _ARGV_CHARACTERS
    for each in row.argv[:_ARGV_MOST]:
        kept.append(each[:room])
        room -= len(each)
        if room <= 0:
            break
    return tuple(kept)


# ------------------------------------------------------------------------------------------------------------------------


_CONTENT_MOST = 65_536  # characters


class OpenTool:
    """The part of a tool that is kept until its span is sent."""

    def __init__(self, row: ToolRow) -> None:
        self.row = row
        self.trace = 0  # known once its span is sent
        self.events = EventList()
        self.processes = 0  # that ended


def planned_tool(tool: OpenTool, *, description: str | None, now_ms: int, with_content: bool) -> Planned:
    """`now_ms`: the end of one that has no result."""
    row = tool.row
    start_ms = row.start_timestamp_ms if row.start_timestamp_ms is not None else row.timestamp_ms
    end_ms = row.end_timestamp_ms if row.end_timestamp_ms is not None else now_ms
    answered = row.status in ("completed", "failed")
    outcome = outcome_of(row)
    error = {"failed": "tool_error", "refused": "tool_refused"}.get(outcome)
    dropped = tool.processes - PROCESSES_MOST
    fields: dict[str, AttributeValue | None] = {
        "operation": "execute_tool",
        "tool": row.tool_name,
        "error": error,
        "tool_call": row.tool_call_id or None,
        "type": "function",
        "description": description,
        "arguments": row.input[:_CONTENT_MOST] or None,
        "result": row.output[:_CONTENT_MOST] or None,
        "conversation": row.conversation_id or row.session_id,
        "id": row.id,
        "outcome": outcome,
        "call": row.llm_call_id,
        "session": row.session_id,
        "link": row.link,
        "confidence": row.confidence if row.link else None,
        "repeat": row.repeat or None,
        "loop": row.loop or None,
        "processes_dropped": dropped if dropped > 0 else None,
        "events_dropped": tool.events.dropped or None,
        "pid": row.pid,
        "complete": answered,
        "reason": None if answered else "no_result",
        "view_source": row.view_source,
    }
    return Planned(
        f"execute_tool {row.tool_name}",
        "internal",
        tool.trace,
        span_id(row.id),
        span_id(row.llm_call_id),
        start_ns=start_ms * 1_000_000,
        end_ns=max(start_ms, end_ms) * 1_000_000,
        attributes=attributes_of(SPANS["execute_tool"], fields, with_content=with_content),
        failure=error,
        events=tuple(tool.events.kept),
    )
