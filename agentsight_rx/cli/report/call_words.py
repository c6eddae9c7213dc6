"""CallRow -> its state, its tokens, and what it said that was new, in a few words."""

from __future__ import annotations

from ...view import CallRow
from ...view.queries.costs import CostSum
from .screen import Span
from .words import count, listed, money, plural

__all__ = ["asked_tokens", "cost_said", "is_whole", "new_in_call", "state_of_call"]


def asked_tokens(call: CallRow, /) -> int:
    """All that was sent, cached or not."""
    return call.input_tokens + call.cache_read_tokens + call.cache_creation_tokens


def is_whole(call: CallRow, /) -> bool:
    """Nothing of it is missing."""
    return call.status in ("complete", "error") and call.complete


def state_of_call(call: CallRow, /) -> Span:
    """`whole`, or what is wrong with it."""
    match call.status:
        case "complete":
            return Span("whole")
        case "error":
            return Span(f"failed: {call.error_type or call.status_code or 'unknown'}", "failed")
        case "pending":
            return Span("no answer yet", "missing")
        case _:
            return Span(f"not whole: {(call.reason or call.status).replace('_', ' ')}", "missing")


def new_in_call(call: CallRow, /) -> str:
    """What its request added to the conversation: never the first prompt again."""
    parts = [f"the same again ({call.repeat + 1}th time)" if call.repeat > 1 else "the same again"] if call.repeat else []
    if call.retry:
        parts = ["a retry"]
    if not call.repeat and call.new_results:
        parts.append(plural(call.new_results, "tool result"))
    if not call.repeat and call.prompt:
        parts.append(f"“{call.prompt}”")
    who = f"sub-agent {call.agent_id[:8]}: " if call.agent_id else ""
    return who + (", ".join(parts) or ("no new message" if call.messages else ""))


def cost_said(cost: CostSum, /) -> str:
    """`$0.87 (prices of 2026-11-09)`; where a part has no price it says so."""
    dated = f" (prices of {cost.as_of.isoformat()})" if cost.as_of else f" (prices of {', '.join(cost.by)})" if cost.by else ""
    if not cost.unknown_calls:
        return f"{money(cost.usd)}{dated}" if cost.by else money(cost.usd)
    lacking = f"no price of {listed(cost.unknown_models, 2)}"
    if cost.usd is None:
        return f"cost unknown: {lacking}"
    return f"at least {money(cost.usd)}{dated}, {count(cost.unknown_calls)} more without a price: {lacking}"
