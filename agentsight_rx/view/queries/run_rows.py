"""A store, a selection -> the facts of one run, to compare with another run."""

from __future__ import annotations

from ...llm.prices import Prices
from ...store.rows.kinds import CallRow
from ...store.rows.tables import AUDIT, CALLS, HTTP, PROCESSES, TOOLS
from ...store.state import Store
from .causes import Causes, within
from .costs import priced, summed
from .diff_runs import RunFacts, facts_of
from .file_fates import Lives
from .selection import Selection

__all__ = ["read_facts"]


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
