"""Store, selection -> what fills the contexts as rows of CSV tables: a row a request, and a row a group of parts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, TypeAlias

from msgspec.structs import replace

from ...llm.prices import Prices
from ...store.rows.tables import SESSIONS
from ...store.state import Store
from ...view.queries import Selection
from ...view.queries.context import TurnContext
from ...view.queries.context_reading import read_contexts
from ...view.queries.context_words import ORIGINS, lost_said
from ...view.queries.part_tokens import read_all_parts
from ...view.queries.reading import selected

__all__ = ["CONTEXT", "PARTS", "Row", "context_rows", "part_rows"]

PARTS = ("by", "group", "parts", "requests", "carried_tokens", "sessions", "cost_usd")
CONTEXT = (
    "id", "start", "session_id", "agent_id", "turn", "model", "tokens", "counted", "captured", "cache_read_tokens",
    "cache_creation_tokens", *(f"{origin}_tokens" for origin in ORIGINS), "cost_usd", "cache_lost_tokens", "cache_lost_usd",
    "cache_lost_why", "dropped_tokens", "summed_up",
)  # fmt: skip

Row: TypeAlias = dict[str, Any]  # column -> a value of a row, of any plain type


def part_rows(store: Store, selection: Selection, prices: Prices, /) -> Iterator[Row]:
    """Parts of requests by origin, by tool, by file and by MCP server, the dearest of each first."""
    for by, groups in read_all_parts(store, replace(selection, limit=None), prices).items():
        for each in groups:
            yield {
                "by": by,
                "group": each.group,
                "parts": each.parts,
                "requests": each.requests,
                "carried_tokens": each.carried,
                "sessions": each.sessions,
                "cost_usd": each.cost,
            }


def context_rows(store: Store, selection: Selection, prices: Prices, /) -> Iterator[Row]:
    """The requests of each agent of each session: their tokens by origin, a lost cache, a compaction."""
    rows = (
        _row(turn)
        for session in selected(store, SESSIONS, replace(selection, limit=None))
        for agent in read_contexts(store, session.id, prices)
        for turn in agent.turns
        if selection.has(turn.call)
    )
    yield from rows if selection.limit is None else deque(rows, maxlen=selection.limit)


def _row(turn: TurnContext) -> Row:
    call, usage, lost, fall = turn.call, turn.usage, turn.lost, turn.compaction
    sums = {f"{origin}_tokens": turn.sums.get(origin, 0) if turn.known else None for origin in ORIGINS}
    return {
        "id": call.id,
        "start": call.start_timestamp_ms,
        "session_id": call.session_id,
        "agent_id": call.agent_id,
        "turn": call.turn,
        "model": call.model,
        "tokens": turn.total,
        "counted": usage is not None,
        "captured": turn.known,
        "cache_read_tokens": usage.cache_read if usage else None,
        "cache_creation_tokens": usage.cache_creation if usage else None,
        **sums,
        "cost_usd": turn.cost,
        "cache_lost_tokens": lost.tokens if lost else None,
        "cache_lost_usd": lost.usd if lost else None,
        "cache_lost_why": lost_said(lost) if lost else None,
        "dropped_tokens": fall.tokens if fall else None,
        "summed_up": fall.summed_up if fall else None,
    }
