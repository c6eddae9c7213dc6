"""Calls -> what they cost, and sums that say which part of them is unknown."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import asdict

from ...core.bounded import Recent
from ...llm.prices import Cost, Prices
from ...store.rows.kinds import CallRow

__all__ = [
    "CostSum",
    "Costs",
    "PricedCall",
    "cost_of_call",
    "models_of",
    "priced",
    "seller_of",
    "summed",
    "usd_of_call",
    "with_cost",
]

_MODELS_MOST = 64  # names that a sum has


class PricedCall(CallRow, frozen=True, tag="llm_call", omit_defaults=True):
    """A call, and its cost in US dollars at list price; None where no price is known, or no token was counted."""

    cost_usd: float | None = None
    cost_by: str | None = None  # whose price it is
    cost_as_of: datetime.date | None = None  # the date of the prices


class CostSum(Struct, frozen=True):
    """
    US dollars of some calls. `usd` is the known part of it, None where nothing is known; `unknown_calls` used tokens of
    `unknown_models`, which have no price. `as_of` is the date of the newest price that was used, `by` the lists.
    """

    usd: float | None = None
    unknown_calls: int = 0
    unknown_models: tuple[str, ...] = ()
    as_of: datetime.date | None = None
    by: tuple[str, ...] = ()


def models_of(calls: Iterable[CallRow], /) -> dict[str, int]:
    """How many calls each model had, in the order in which they were first used."""
    return dict(Counter(call.model or "unknown" for call in calls))


def seller_of(call: CallRow | PricedCall, /) -> str | None:
    """Whose price is asked for: the host's, since what is spoken there does not say who sells it."""
    if not call.host:
        return call.provider
    from ...llm import provider_label  # with it come all providers, and most reports show no cost

    return provider_label(call.host)


def cost_of_call(call: CallRow, prices: Prices, /) -> Cost | None:
    """None where it used no token, or no price of its model is known."""
    if not call.total_tokens:
        return None
    usage, seller = call.usage, seller_of(call)
    return prices.cost_of(seller, call.response_model or call.model, usage, time_ms=call.start_timestamp_ms) or (
        prices.cost_of(seller, call.model, usage, time_ms=call.start_timestamp_ms) if call.response_model else None
    )


def usd_of_call(call: CallRow, prices: Prices, /) -> Decimal | None:
    """What it cost, in US dollars."""
    cost = cost_of_call(call, prices)
    return None if cost is None else cost.usd


def priced(call: CallRow, prices: Prices, /) -> PricedCall:
    """The call with its cost."""
    return with_cost(call, cost_of_call(call, prices))


def with_cost(call: CallRow, cost: Cost | None, /) -> PricedCall:
    """The call with a cost that is known already."""
    if cost is None:
        return PricedCall(**asdict(call))
    return PricedCall(**asdict(call), cost_usd=float(cost.usd), cost_by=cost.by, cost_as_of=cost.as_of)


class Costs:
    """The sum of the costs of calls that are added one by one. Calls that used no token cost nothing."""

    def __init__(self) -> None:
        self._usd = 0.0
        self._known = 0
        self._unknown = 0
        self._models: Recent[str, None] = Recent(_MODELS_MOST)
        self._lists: Recent[str, None] = Recent(_MODELS_MOST)
        self._as_of: datetime.date | None = None

    def add(self, call: PricedCall, /) -> None:
        if call.cost_usd is not None:
            self._usd += call.cost_usd
            self._known += 1
            self._lists.put((call.cost_by or "").rpartition(", ")[2], None)
            self._as_of = max(filter(None, (self._as_of, call.cost_as_of)), default=None)
        elif call.total_tokens:
            self._unknown += 1
            self._models.put(call.model or "unknown", None)

    def total(self) -> CostSum:
        return CostSum(
            round(self._usd, 9) if self._known or not self._unknown else None,
            self._unknown,
            unknown_models=tuple(self._models),
            as_of=self._as_of,
            by=tuple(self._lists),
        )


def summed(calls: Iterable[PricedCall], /) -> CostSum:
    """The sum of their costs."""
    costs = Costs()
    for call in calls:
        costs.add(call)
    return costs.total()
