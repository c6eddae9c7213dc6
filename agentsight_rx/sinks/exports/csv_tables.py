"""Store, selection -> a table as CSV (RFC 4180): calls, tools, tokens, alerts, contexts; no cell is a formula."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, get_args

from msgspec.structs import replace

from ...llm.prices import Prices
from ...store.rows.tables import SESSIONS
from ...store.state import Store
from ...view.queries import Selection
from ...view.queries.alerts import read_alerts
from ...view.queries.calls.call import read_calls
from ...view.queries.calls.mcp import read_tools
from ...view.queries.calls.tokens import read_tokens
from ...view.queries.context.context import TurnContext
from ...view.queries.context.part_tokens import read_all_parts
from ...view.queries.context.reading import read_contexts
from ...view.queries.context.words import ORIGINS, lost_said
from ...view.queries.reading import selected

# -- context tables ------------------------------------------------------------------------------------------------
# Store, selection -> what fills the contexts as rows of CSV tables: a row a request, and a row a group of parts.


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


# ------------------------------------------------------------------------------------------------------------------------


CsvTable: TypeAlias = Literal["calls", "tools", "tokens", "alerts", "context", "parts"]
CSV_TABLES: tuple[CsvTable, ...] = get_args(CsvTable)

_COLUMNS: dict[CsvTable, tuple[str, ...]] = {
    "calls": (
        "id", "start", "end", "session_id", "turn", "agent", "agent_id", "agent_name", "pid", "comm", "provider", "model",
        "operation", "host", "path", "status", "status_code", "reason", "error_type", "finish_reason", "stream", "input_tokens",
        "cache_read_tokens", "cache_creation_tokens", "output_tokens", "reasoning_tokens", "total_tokens", "cost_usd",
        "time_to_first_chunk_ms", "messages", "tools", "repeat", "retry", "prompt", "text",
    ),
    "tools": (
        "id", "start", "end", "duration_ms", "session_id", "agent", "agent_id", "llm_call_id", "tool_call_id", "tool_name",
        "status", "related_pid", "argv", "exit_code", "signal", "link", "confidence", "repeat", "loop", "input", "output",
    ),
    "tokens": (
        "model", "calls", "sessions", "repeated_calls", "input_tokens", "cache_read_tokens", "cache_creation_tokens",
        "output_tokens", "reasoning_tokens", "total_tokens", "cost_usd", "calls_without_price",
    ),
    "alerts": (
        "name", "id", "time", "last_time", "rule", "do", "sentence", "target", "count", "because", "session_id", "agent",
        "workspace", "pid", "command", "tool", "tool_id", "call_id", "turn", "prompt", "host", "proven", "links", "complete",
        "cost", "part_of", "evidence", "sha256",
    ),
    "context": CONTEXT,
    "parts": PARTS,
}  # fmt: skip

# What a spreadsheet takes for the begin of a formula (https://owasp.org/www-community/attacks/CSV_Injection), and wide ones
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_TEXT = "'"  # in front of a cell it says so: the rest is text


def csv_lines(store: Store, selection: Selection, prices: Prices, /, *, table: CsvTable = "calls") -> Iterator[bytes]:
    """
    The names of the columns, then a line a row, in UTF-8. Times are in UTC. Texts are cut to 1,000 characters.

    A text that begins as a formula does has a `'` in front; numbers are as they are. A cell that is not known is empty.
    """
    columns = _COLUMNS[table]
    yield _line(columns)
    for cells in _ROWS[table](store, selection, prices):
        yield _line(_cell(cells.get(column)) for column in columns)


def _calls(store: Store, selection: Selection, prices: Prices) -> Iterator[Row]:
    for row in read_calls(store, selection, prices):
        times = {"start": _time(row.start_timestamp_ms), "end": _time(row.end_timestamp_ms)}
        yield {name: getattr(row, name, None) for name in _COLUMNS["calls"]} | times


def _tools(store: Store, selection: Selection, prices: Prices) -> Iterator[Row]:
    for row in read_tools(store, selection):
        times = {"start": _time(row.start_timestamp_ms or row.timestamp_ms), "end": _time(row.end_timestamp_ms)}
        yield {name: getattr(row, name, None) for name in _COLUMNS["tools"]} | times | {"argv": " ".join(row.related_argv)}


def _tokens(store: Store, selection: Selection, prices: Prices) -> Iterator[Row]:
    for group in read_tokens(store, selection, prices):
        named = {"model": group.group, "cost_usd": group.cost.usd, "calls_without_price": group.cost.unknown_calls}
        yield {name: getattr(group, name, None) for name in _COLUMNS["tokens"]} | named


def _context(store: Store, selection: Selection, prices: Prices) -> Iterator[Row]:
    for row in context_rows(store, selection, prices):
        yield row | {"start": _time(row["start"])}


def _alerts(store: Store, selection: Selection, _: Prices) -> Iterator[Row]:
    for row in read_alerts(store, selection):
        times = {"time": _time(row.timestamp_ms), "last_time": _time(row.last_timestamp_ms)}
        yield {name: getattr(row, name, None) for name in _COLUMNS["alerts"]} | times | {"evidence": " ".join(row.evidence)}


_ROWS: dict[CsvTable, Callable[[Store, Selection, Prices], Iterator[Row]]] = {
    "calls": _calls,
    "tools": _tools,
    "tokens": _tokens,
    "alerts": _alerts,
    "context": _context,
    "parts": part_rows,
}


def _time(ms: int | None) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" if ms else ""


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"{_TEXT}{value}" if value.startswith(_FORMULA) else value
    return str(value)


def _line(cells: Iterable[str]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(cells)
    return out.getvalue().encode("utf-8", "backslashreplace")
