"""Store, selection -> a table as CSV (RFC 4180): calls, tools, tokens, alerts, contexts; no cell is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Literal, TypeAlias, get_args

from ...llm.prices import Prices
from ...store.state import Store
from ...view.queries import Selection
from ...view.queries.alerts import read_alerts
from ...view.queries.calls import read_calls
from ...view.queries.tokens import read_tokens
from ...view.queries.tools import read_tools
from .context_tables import CONTEXT, PARTS, Row, context_rows, part_rows

__all__ = ["CSV_TABLES", "CsvTable", "csv_lines"]

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
