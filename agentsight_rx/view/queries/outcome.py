"""Store, time -> what the run that began then did and what it cost, for the line behind it."""

from __future__ import annotations

from itertools import islice

from msgspec import Struct

from ...llm.prices import Prices
from ...store.rows.kinds import SessionRow
from ...store.rows.tables import AUDIT, CALLS, SESSIONS, TOOLS
from ...store.state import Store
from .causes import Causes
from .costs import CostSum, models_of, summed
from .effects import files_touched
from .file_fates import Lives
from .reading import newest_as, newest_first, read_totals, selected
from .selection import Selection
from .short_rows import short_call, short_tool
from .verdict import Verdict, deeds_of, verdict_of

__all__ = ["Outcome", "read_outcome"]

_MOST = 20_000  # calls, and tools


class Outcome(Struct, frozen=True, kw_only=True):
    """
    Of all sessions of the run, `session` is the one that began last. `duration_ms` is its time, as every view has it; 0 where
    the run has several, or none. `cut`: only the newest 20,000 calls were looked at.
    """

    session: SessionRow | None
    verdict: Verdict
    calls: int
    asked_tokens: int  # cached or not
    cached_tokens: int
    output_tokens: int
    cost: CostSum
    models: dict[str, int]
    cut: bool
    duration_ms: int = 0


def read_outcome(store: Store, prices: Prices, /, *, since_ms: int) -> Outcome:
    """`since_ms`: when the run began, as Unix time; earlier runs of the store do not count."""
    part = Selection(since_ms=since_ms)
    calls = newest_as(store, CALLS, part, lambda row: short_call(row, prices), most=_MOST)
    tools = newest_as(store, TOOLS, part, short_tool, most=_MOST)
    lines = selected(store, AUDIT, part, kind="file")
    programs = 0 if calls else read_totals(store).programs
    newest = list(islice(newest_first(store, SESSIONS, part, where=lambda row: row.parent_session_id is None), 2))
    session = newest[0] if newest else None
    home = (session.cwd or "") if session is not None else Causes(store).folder
    deeds = deeds_of(calls, tools, files_touched(lines, Lives(store), home=home), programs=programs)
    return Outcome(
        session=session,
        verdict=verdict_of(deeds, {call.id: call.turn for call in calls}),
        calls=len(calls),
        asked_tokens=sum(call.asked_tokens for call in calls),
        cached_tokens=sum(call.cache_read_tokens for call in calls),
        output_tokens=sum(call.output_tokens for call in calls),
        cost=summed(calls),
        models=models_of(calls),
        cut=len(calls) == _MOST,
        duration_ms=newest[0].duration_ms if len(newest) == 1 else 0,
    )
