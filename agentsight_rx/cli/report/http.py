"""agentsight-rx report http: every HTTP exchange, also of no model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from ...policy.rules.http import compile_http
from ...store.rows.tables import HTTP
from ...view import HttpRow
from ...view.queries.causes import Causes, within
from ...view.queries.http import Exchange, exchanges_of, is_counted
from ...view.queries.matching import is_matched
from .ask import Ask
from .screen import Cell, Column, Line, Screen, Span, table
from .words import clock, data_size, took

__all__ = ["COLUMNS", "http"]

_NEWEST = 100
COLUMNS = (
    Column("time"),
    Column("process", flexible=True, most=24, rank=1),
    Column("method"),
    Column("host", flexible=True, most=40),
    Column("path", flexible=True, middle=True),
    Column("peer", flexible=True, most=24, rank=4),
    Column("status", right=True),
    Column("sent", right=True, rank=3),
    Column("received", right=True, rank=2),
    Column("took", right=True),
    Column("turn", right=True),
    Column("missing"),
)


def http(
    ask: Ask,
    host: Annotated[str | None, typer.Option("--host", help="Only exchanges with this host.", metavar="NAME")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only failed or incomplete exchanges.")] = False,
    rule: Annotated[str | None, typer.Option("--filter", help="Only exchanges that this rule matches.", metavar="RULE")] = None,
) -> None:
    """HTTP exchanges: time, method, host, path, status, sizes, duration, missing parts, and the call of a model."""
    causes = Causes(ask.store)
    rules = None if rule is None else compile_http([rule])

    def is_meant(row: HttpRow) -> bool:
        is_bad = row.status != "complete" or (row.status_code or 0) >= 400
        if (failed and not is_bad) or (host is not None and row.host != host) or not is_counted(row, causes):
            return False
        return rules is None or is_matched(ask.store, row.id, rules)

    ask.show(
        lambda selection: exchanges_of(within(ask.store, HTTP, selection, causes, where=is_meant), causes),
        _lines,
        most=_NEWEST,
    )


def _lines(rows: Sequence[Exchange], screen: Screen) -> Iterable[Line]:
    return table(COLUMNS, map(_cells, rows), screen)


def _cells(row: Exchange) -> tuple[Cell, ...]:
    status = str(row.status_code or "")
    state = "" if row.status == "complete" else row.reason or row.status
    return (
        clock(row.timestamp_ms),
        f"{row.comm} {row.pid}",
        row.method,
        row.host or "unknown",
        row.path,
        row.peer or "",
        Span(status, "failed" if (row.status_code or 0) >= 400 else ""),
        data_size(row.request_bytes),
        data_size(row.response_bytes),
        took(row.duration_ms),
        str(row.turn or ("passed on" if row.call_id and row.is_passed_on else "")),
        Span(state.replace("_", " "), "missing"),
    )
