"""ProcessRow -> the span of a process that a tool ran, with its argv as the kernel saw it, its exit code and its time."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from ...view import ProcessRow
from .effects import EventList
from .names import SPANS, attributes_of
from .planned import Planned, span_id

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

__all__ = ["PROCESSES_MOST", "OpenProcess", "exit_error", "planned_process", "process_span_id"]

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
