"""The contexts of a session -> where its caches were lost and why, and the dearest thing that it need not have paid."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from .calls.costs import PricedCall
from .context.falls import Falls, falls_in, falls_of
from .context.findings import Avoidable, avoidable

if TYPE_CHECKING:
    from .context.context import AgentContext


_CALLS_MOST = 2000  # what more calls consist of is not read for a first screen: it would take seconds
_SHARE_LEAST = 0.1  # of the cost of the session, from which on it is worth a sentence


def explained(
    calls: Sequence[PricedCall], called: Collection[str], contexts: Callable[[], Sequence[AgentContext]] | None, /
) -> tuple[Falls, Avoidable | None]:
    """`called`: the tools that the session called. `contexts` reads the contexts of its agents; None: it is no session."""
    if contexts is None or not 1 < len(calls) <= _CALLS_MOST:
        return falls_of(calls), None
    agents = contexts()
    cost = sum(call.cost_usd or 0.0 for call in calls)
    found = [each for agent in agents for each in avoidable(agent, called) if (each.usd or 0.0) >= _SHARE_LEAST * cost > 0]
    return falls_in(agents), max(found, key=lambda each: each.usd or 0.0, default=None)
