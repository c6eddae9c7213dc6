"""The findings of a session -> the same with the reasons of lost caches, and the dearest thing that it need not have paid."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ...prices import Prices
from ...state import Store
from .context_findings import Avoidable, avoidable
from .context_words import cause_said
from .costs import PricedCall
from .findings import Finding

if TYPE_CHECKING:
    from .context import AgentContext

__all__ = ["explained"]

_CALLS_MOST = 2000  # what more calls consist of is not read for a first screen: it would take seconds
_SHARE_LEAST = 0.1  # of the cost of the session, from which on it is worth a sentence


def explained(
    store: Store,
    session: str | None,
    calls: Sequence[PricedCall],
    /,
    *,
    findings: Sequence[Finding],
    called: Collection[str],
    prices: Prices,
) -> tuple[tuple[Finding, ...], Avoidable | None]:
    """`called`: the tools that the session called."""
    if session is None or not 1 < len(calls) <= _CALLS_MOST:
        return tuple(findings), None
    from .context import read_contexts  # loads the readers of all providers

    agents = read_contexts(store, session, prices)
    reasons = {turn.turn: turn.lost for agent in agents for turn in agent.turns if turn.lost is not None}
    found = tuple(
        replace(each, what=cause_said(lost.cause), cost_usd=lost.usd)
        if each.kind == "uncached" and (lost := reasons.get(each.turns[0])) is not None
        else each
        for each in findings
    )
    return found, _dearest(agents, calls, called)


def _dearest(agents: Sequence[AgentContext], calls: Sequence[PricedCall], called: Collection[str]) -> Avoidable | None:
    cost = sum(call.cost_usd or 0.0 for call in calls)
    found = [each for agent in agents for each in avoidable(agent, called) if (each.usd or 0.0) >= _SHARE_LEAST * cost > 0]
    return max(found, key=lambda each: each.usd or 0.0, default=None)
