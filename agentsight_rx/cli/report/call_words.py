"""CallRow -> its state, its tokens, and what it said that was new, in a few words."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping

from ...store.rows.kinds import SAID
from ...store.words import (
    amount,
    aside_said,
    count,
    error_said,
    lasted_ms,
    money,
    ordinal,
    plural,
    reason_said,
    tokens_said,
    took,
    written_said,
)
from ...view import CallRow
from ...view.queries.calls.costs import CostSum, PricedCall
from .shown.screen import Span
from .shown.words import listed


def is_whole(call: CallRow, /) -> bool:
    """Nothing of it is missing."""
    return call.status in ("complete", "error") and call.complete


def state_of_call(call: CallRow, /) -> Span:
    """`whole`, or the defect."""
    match call.status:
        case "complete" if call.view_source == SAID:
            return Span("from the agent's own file")
        case "complete":
            return Span(f"whole; {call.note}" if call.note else "whole")
        case "error":
            return Span(f"failed: {error_said(call.error_type or '') or call.status_code or 'unknown'}", "failed")
        case "pending":
            return Span("no answer yet", "missing")
        case _:
            return Span(f"incomplete: {reason_said(call.reason or call.status)}", "missing")


def call_name(call: CallRow, /) -> str:
    """`turn 3`, or its id where it is of no session."""
    return f"turn {call.turn_name}" if call.turn else call.id


def took_by(call: CallRow, /) -> str:
    """From its request to the end of its answer: `6.2 s`; empty where no end was seen."""
    return took(lasted_ms(call.start_timestamp_ms, call.end_timestamp_ms))


def tokens_of(call: CallRow, number: int, /) -> str:
    """A number of tokens of it; empty where none are known of it."""
    return amount(number) if call.total_tokens else ""


def cost_of(call: PricedCall, /) -> str:
    """`$0.131`; empty where no tokens are known of it."""
    return money(call.cost_usd) if call.total_tokens else ""


def new_in_call(call: CallRow, /) -> str:
    """What its request added to the conversation: never the first prompt again."""
    parts = (
        [f"the same again ({ordinal(call.repeat + 1)} time)" if call.repeat > 1 else "the same again"] if call.repeat else []
    )
    if call.retry:
        parts = ["a retry"]
    if call.aside:
        parts.append(aside_said(call.aside))
    if not call.repeat and call.new_results:
        parts.append(plural(call.new_results, "tool result"))
    if not call.repeat and call.prompt and call.aside != "retry":
        parts.append(f"“{call.prompt}”")
    if not parts and call.written:
        parts.append(written_said(call.written))
    who = f"sub-agent {call.sub_agent}: " if call.agent_id else ""
    return who + (", ".join(parts) or ("no new message" if call.messages else ""))


def prices_said(as_of: datetime.date | None, by: Iterable[str], /) -> str:
    """The one name of a list of prices: `prices of 2026-11-09`, where it has no date `prices of my-prices.toml`, or ""."""
    name = as_of.isoformat() if as_of else ", ".join(by)
    return f"prices of {name}" if name else ""


def cost_said(cost: CostSum, /) -> str:
    """`$0.87 (prices of 2026-11-09)`; where a part has no price it says so."""
    dated = f" ({said})" if (said := prices_said(cost.as_of, cost.by)) else ""
    if not cost.unknown_calls:
        return f"{money(cost.usd)}{dated}" if cost.by else money(cost.usd)
    lacking = f"no price of {listed(cost.unknown_models, 2)}"
    if cost.usd is None:
        return f"cost unknown: {lacking}"
    return f"at least {money(cost.usd)}{dated}, {count(cost.unknown_calls)} more without a price: {lacking}"


def numbers_said(
    calls: int, tokens: tuple[int, int, int], cost: CostSum | None, models: Mapping[str, int], /, *, states: str = ""
) -> str:
    """
    `23 calls · 879.0 k in (85 % cached) · 9.8 k out · $0.87 · a-model`; `tokens` are in, of them cached, out. `states` stands
    behind the number of calls. Without a `cost` none was asked for.
    """
    named = [f"{name} ×{count(times)}" if len(models) > 1 else name for name, times in models.items()]
    money_said = [] if cost is None else [cost_said(cost)]
    return " · ".join((f"{plural(calls, 'call')}{states}", tokens_said(*tokens), *money_said, listed(named, 3)))
