"""Call, tool -> with the fields that are counted and compared alone: ten thousand whole calls are 40 MB."""

from __future__ import annotations

import sys

from ...events.tokens import counts_of
from ...llm.prices import Prices
from ...store.rows.kinds import CallRow, ToolRow
from ...store.rows.tool_words import executed, steady
from .costs import PricedCall, cost_of_call

__all__ = ["short_call", "short_tool"]

_COMPARED = 100  # characters of an input and a result, to see whether they are those of the call before


def short_call(call: CallRow, prices: Prices) -> PricedCall | None:
    """None of a server's end."""
    if call.twin is not None:
        return None
    row, cost = call, cost_of_call(call, prices)
    return PricedCall(
        row.id,
        row.start_timestamp_ms,
        end_timestamp_ms=row.end_timestamp_ms,
        model=sys.intern(row.model) if row.model else None,
        status=sys.intern(row.status),
        error_type=row.error_type,
        finish_reason=sys.intern(row.finish_reason) if row.finish_reason else None,
        **counts_of(row.usage),
        agent_id=row.agent_id,
        prompt=row.prompt[:1],  # that there is one
        turn=row.turn,
        messages=row.messages,
        tools=row.tools,
        aside=row.aside,
        repeat=row.repeat,
        repeat_of=row.repeat_of,
        retry=row.retry,
        cost_usd=None if cost is None else float(cost.usd),
        cost_by=None if cost is None else sys.intern(cost.by),
        cost_as_of=None if cost is None else cost.as_of,
    )


def short_tool(row: ToolRow) -> ToolRow:
    return ToolRow(
        row.id,
        row.timestamp_ms,
        llm_call_id=row.llm_call_id,
        tool_call_id="",
        tool_name=sys.intern(row.tool_name),
        status=sys.intern(row.status),
        input=executed(row.input)[:_COMPARED],
        output=steady(row.output[: 2 * _COMPARED])[:_COMPARED],
        related_pid=row.related_pid,
        exit_code=row.exit_code,
        signal=row.signal,
        is_answer=row.is_answer,
        agent_id=row.agent_id,
        repeat_of=row.repeat_of,
        loop=row.loop,
    )
