"""Calls -> what they cost, and sums that say which part of them is unknown."""

from __future__ import annotations

import datetime
import sys
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import asdict

from ....core.bounded import Recent
from ....events.tokens import counts_of
from ....llm.prices import Cost, Prices
from ....store.rows.kinds import CallRow, ToolRow
from ....store.rows.tables import AUDIT, CALLS, HTTP, PROCESSES, TOOLS
from ....store.rows.tool_words import executed, steady
from ....store.state import Store
from ..effects.causes import Causes, within
from ..effects.file_fates import Lives
from ..selection import Selection
from ..sessions.diff import RunFacts, facts_of

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
    from ....llm import provider_label  # with it come all providers, and most reports show no cost

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


# -- run rows ------------------------------------------------------------------------------------------------------
# A store, a selection -> the facts of one run, to compare with another run.


def read_facts(store: Store, selection: Selection, prices: Prices) -> RunFacts:
    """The actions in a selection. The cost is unknown where a price of any of its calls is."""
    causes = Causes(store)
    calls = list(within(store, CALLS, selection, causes, where=_is_client))
    costs = summed(priced(call, prices) for call in calls)
    return facts_of(
        calls,
        within(store, TOOLS, selection, causes),
        within(store, PROCESSES, selection, causes),
        within(store, AUDIT, selection, causes, kind="file"),
        exchanges=within(store, HTTP, selection, causes, where=lambda row: row.call_id is None or causes.is_call(row.call_id)),
        causes=causes,
        lives=None if selection.whole else Lives(store),
        cost=None if costs.unknown_calls else costs.usd,
    )


def _is_client(row: CallRow) -> bool:
    return row.twin is None


# -- short rows ----------------------------------------------------------------------------------------------------
# Call, tool -> with the fields that are counted and compared alone: ten thousand whole calls are 40 MB.


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
        own_turn=row.own_turn,
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
