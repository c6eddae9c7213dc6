"""ToolRow -> the `execute_tool` span: from the answer that asked for the tool, or the start of its program, to its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...store.rows.tool_outcome import outcome_of
from ...view import ToolRow
from .effects import EventList
from .names import SPANS, attributes_of
from .planned import Planned, span_id
from .processes import PROCESSES_MOST

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

__all__ = ["OpenTool", "planned_tool"]

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
