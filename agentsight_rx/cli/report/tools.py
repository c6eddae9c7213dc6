"""agentsight-rx report tools: what models asked for, the process that ran it, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from ...store.rows.tool_words import asked_for
from ...view import ToolRow
from ...view.queries.tools import read_tools
from .ask import Ask
from .screen import Column, Line, Screen, Span, table
from .tool_words import tool_said
from .words import clock, took

__all__ = ["COLUMNS", "tools"]

_NEWEST = 50

COLUMNS = (
    Column("time"),
    Column("tool", most=24, flexible=True),
    Column("input", flexible=True),
    Column("ended", flexible=True),
    Column("took", right=True),
    Column("pause", right=True, rank=1),
    Column("pid", right=True),
    Column("matched by", rank=2),
)


def tools(
    ask: Ask,
    failed: Annotated[bool, typer.Option("--failed", help="Only failed tools.")] = False,
    name: Annotated[str | None, typer.Option("--name", help="Only tools of this name.", metavar="NAME")] = None,
) -> None:
    """Tools that models asked for, the process that ran each, and how it ended."""
    ask.show(lambda selection: read_tools(ask.store, selection, failed=failed, name=name), _lines, most=_NEWEST)


def _lines(rows: Sequence[ToolRow], screen: Screen) -> Iterable[Line]:
    return table(COLUMNS, map(_cells, rows), screen)


def _cells(row: ToolRow) -> tuple[str | Span, ...]:
    return (
        clock(row.timestamp_ms),
        row.tool_name,
        asked_for(row.input),
        tool_said(row),
        took(row.duration_ms),
        took(row.pause_ms or None),
        str(row.related_pid or ""),
        row.link or "",
    )
