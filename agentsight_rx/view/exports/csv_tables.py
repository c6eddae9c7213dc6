"""Store, selection, or stores -> a table as CSV (RFC 4180): calls, tools, tokens, alerts, contexts; no cell is a formula."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from msgspec.structs import replace

from ...core.errors import UsageError
from ...llm.prices import Prices
from ...store.rows.kinds import AlertRow, ToolRow
from ...store.rows.tables import SESSIONS
from ...store.state import Store
from ..queries import Selection
from ..queries.alerts import read_alerts
from ..queries.calls.call import read_calls
from ..queries.calls.costs import PricedCall, priced
from ..queries.calls.mcp import read_tools
from ..queries.calls.tokens import TokenGroup, read_tokens, tokens_of
from ..queries.context.context import TurnContext
from ..queries.context.part_tokens import PartGroup, PartGrouping, all_parts_of
from ..queries.context.reading import read_contexts
from ..queries.context.words import ORIGINS, lost_said
from ..queries.reading import selected
from ..queries.sessions.once import Once, Place

CsvTable: TypeAlias = Literal["calls", "tools", "tokens", "alerts", "context", "parts"]
CSV_TABLES: tuple[CsvTable, ...] = get_args(CsvTable)

Row = TypeVar("Row")
Columns: TypeAlias = dict[str, Callable[[Row], object]]  # name -> the cell of a row, of any plain type


def _named(names: str) -> Columns[Any]:
    """Columns that are fields of a row, their names with spaces between."""
    return {name: attrgetter(name) for name in names.split()}


_CALLS: Columns[PricedCall] = {
    **_named("id"),
    "start": lambda row: _time(row.start_timestamp_ms),
    "end": lambda row: _time(row.end_timestamp_ms),
    **_named(
        "session_id turn agent agent_id agent_name pid comm provider model operation host path status status_code "
        "reason error_type finish_reason stream input_tokens cache_read_tokens cache_creation_tokens output_tokens "
        "reasoning_tokens total_tokens cost_usd time_to_first_chunk_ms messages tools repeat retry prompt text view_source"
    ),
}
_TOOLS: Columns[ToolRow] = {
    **_named("id"),
    "start": lambda row: _time(row.start_timestamp_ms or row.timestamp_ms),
    "end": lambda row: _time(row.end_timestamp_ms),
    **_named("duration_ms session_id agent agent_id llm_call_id tool_call_id tool_name status related_pid"),
    "argv": lambda row: " ".join(row.related_argv),
    **_named("exit_code signal link confidence repeat loop input output view_source"),
}
_TOKENS: Columns[TokenGroup] = {
    "model": lambda group: group.group,
    **_named(
        "calls sessions repeated_calls said_calls input_tokens cache_read_tokens cache_creation_tokens output_tokens "
        "reasoning_tokens total_tokens"
    ),
    "cost_usd": lambda group: group.cost.usd,
    "calls_without_price": lambda group: group.cost.unknown_calls,
}
_ALERTS: Columns[AlertRow] = {
    **_named("name id"),
    "time": lambda row: _time(row.timestamp_ms),
    "last_time": lambda row: _time(row.last_timestamp_ms),
    **_named(
        "rule do sentence target count because session_id agent workspace pid command tool tool_id call_id turn "
        "prompt host proven links complete cost part_of"
    ),
    "evidence": lambda row: " ".join(row.evidence),
    **_named("sha256 view_source"),
}


def _of_origin(origin: str) -> Callable[[TurnContext], object]:
    return lambda turn: turn.sums.get(origin, 0) if turn.known else None


_CONTEXT: Columns[TurnContext] = {
    "id": lambda turn: turn.call.id,
    "start": lambda turn: _time(turn.call.start_timestamp_ms),
    "session_id": lambda turn: turn.call.session_id,
    "agent_id": lambda turn: turn.call.agent_id,
    "turn": lambda turn: turn.call.turn,
    "model": lambda turn: turn.call.model,
    "tokens": lambda turn: turn.total,
    "counted": lambda turn: turn.usage is not None,
    "captured": lambda turn: turn.known,
    "cache_read_tokens": lambda turn: turn.usage.cache_read if turn.usage else None,
    "cache_creation_tokens": lambda turn: turn.usage.cache_creation if turn.usage else None,
    **{f"{origin}_tokens": _of_origin(origin) for origin in ORIGINS},
    "cost_usd": lambda turn: turn.cost,
    "cache_lost_tokens": lambda turn: turn.lost.tokens if turn.lost else None,
    "cache_lost_usd": lambda turn: turn.lost.usd if turn.lost else None,
    "cache_lost_why": lambda turn: lost_said(turn.lost) if turn.lost else None,
    "dropped_tokens": lambda turn: turn.compaction.tokens if turn.compaction else None,
    "summed_up": lambda turn: turn.compaction.summed_up if turn.compaction else None,
    "view_source": lambda turn: turn.call.view_source,
}
_PARTS: Columns[tuple[PartGrouping, PartGroup]] = {
    "by": lambda row: row[0],
    "group": lambda row: row[1].group,
    "parts": lambda row: row[1].parts,
    "requests": lambda row: row[1].requests,
    "carried_tokens": lambda row: row[1].carried,
    "sessions": lambda row: row[1].sessions,
    "cost_usd": lambda row: row[1].cost,
}

# What a spreadsheet takes for the begin of a formula (https://owasp.org/www-community/attacks/CSV_Injection), and wide ones
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_TEXT = "'"  # in front of a cell it says so: the rest is text


def csv_lines(store: Store, selection: Selection, prices: Prices, /, *, table: CsvTable = "calls") -> Iterator[bytes]:
    """
    The names of the columns, then a line a row, in UTF-8. Times are in UTC. Texts are cut to 1,000 characters.

    A text that begins as a formula does has a `'` in front; numbers are as they are. A cell that is not known is empty.
    """
    columns, read = _TABLES[table]
    return _lines(columns, read(store, selection, prices))


def csv_of_all(once: Once, prices: Prices, /, *, table: CsvTable) -> Iterator[bytes]:
    """The same of several stores, in which each call counts once. Raises UsageError for a table of one store."""
    read = _OF_ALL.get(table)
    if read is None:
        raise UsageError(f"--all writes {', '.join(_OF_ALL)}; the table {table} is of one recording: leave out --all")
    return _lines(_TABLES[table][0], read(once, prices))


def _lines(columns: Columns[Any], rows: Iterable[Any]) -> Iterator[bytes]:
    yield _line(columns)
    for row in rows:
        yield _line(_cell(of(row)) for of in columns.values())


def _tools(store: Store, selection: Selection, _: Prices) -> Iterator[ToolRow]:
    return read_tools(store, selection)


def _alerts(store: Store, selection: Selection, _: Prices) -> Iterator[AlertRow]:
    return read_alerts(store, selection)


def _contexts(store: Store, selection: Selection, prices: Prices) -> Iterator[TurnContext]:
    """The requests of each agent of each session."""
    turns = (
        turn
        for session in selected(store, SESSIONS, replace(selection, limit=None))
        for agent in read_contexts(store, session.id, prices)
        for turn in agent.turns
        if selection.has(turn.call)
    )
    yield from turns if selection.limit is None else deque(turns, maxlen=selection.limit)


def _parts(store: Store, selection: Selection, prices: Prices) -> Iterator[tuple[PartGrouping, PartGroup]]:
    return _parts_of_all(Once([Place(store, replace(selection, limit=None))]), prices)


def _parts_of_all(once: Once, prices: Prices) -> Iterator[tuple[PartGrouping, PartGroup]]:
    """Parts of requests by origin, by tool, by file and by MCP server, the dearest of each first."""
    for by, groups in all_parts_of(once, prices).items():
        for group in groups:
            yield by, group


def _calls_of_all(once: Once, prices: Prices) -> list[PricedCall]:
    return [priced(row, prices) for _, row in sorted(once.calls(), key=lambda each: each[1].start_timestamp_ms)]


# The columns of each table, and how its rows are read; each has rows of its own type
_TABLES: dict[CsvTable, tuple[Columns[Any], Callable[[Store, Selection, Prices], Iterable[Any]]]] = {
    "calls": (_CALLS, read_calls),
    "tools": (_TOOLS, _tools),
    "tokens": (_TOKENS, read_tokens),
    "alerts": (_ALERTS, _alerts),
    "context": (_CONTEXT, _contexts),
    "parts": (_PARTS, _parts),
}
# Those that several stores have together
_OF_ALL: dict[CsvTable, Callable[[Once, Prices], Iterable[Any]]] = {
    "calls": _calls_of_all,
    "tokens": tokens_of,
    "parts": _parts_of_all,
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
