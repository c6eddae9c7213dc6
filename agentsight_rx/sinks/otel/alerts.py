"""AlertRow -> a span without duration, below the span of its tool, or in the trace of its session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...view import AlertRow
from .names import SPANS, attributes_of
from .planned import Planned, span_id

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

__all__ = ["planned_alert"]

_NAME = "agentsight.alert"
_NANOSECONDS = 1_000_000  # of a millisecond


def planned_alert(row: AlertRow, trace: int, *, with_content: bool) -> Planned:
    """`trace` is the trace of its session. A note is no failure."""
    fields: dict[str, AttributeValue | None] = {
        "error": None if row.do == "note" else row.rule,
        "rule": row.rule,
        "level": row.do,
        "sentence": row.sentence,
        "target": row.target,
        "count": row.count,
        "proven": row.proven,
        "links": row.links,
        "evidence": row.evidence,
        "session": row.session_id,
        "pid": row.pid,
        "complete": row.complete,
        "prompt": row.prompt or None,
        "tool": row.tool or None,
        "command": row.command or None,
    }
    return Planned(
        _NAME,
        "internal",
        trace,
        span_id(row.id),
        span_id(row.tool_id) if row.tool_id else 0,
        start_ns=row.timestamp_ms * _NANOSECONDS,
        end_ns=max(row.timestamp_ms, row.last_timestamp_ms) * _NANOSECONDS,
        attributes=attributes_of(SPANS[_NAME], fields, with_content=with_content),
        failure=None if row.do == "note" else row.sentence,
    )
