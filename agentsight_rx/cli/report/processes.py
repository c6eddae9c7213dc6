"""agentsight-rx report processes: which process started which, and for which tool and prompt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from ...store.rows.tables import PROCESSES
from ...view import ProcessRow
from ...view.queries.causes import Causes, within
from ...view.queries.process_tree import Process, process_list, process_tree
from .ask import Ask
from .cause_words import cause_said
from .screen import Cell, Column, Line, Screen, Span, table
from .words import clock, took

__all__ = ["COLUMNS", "processes"]

_MOST = 100
COLUMNS = (
    Column("started"),
    Column("pid", right=True),
    Column("command", flexible=True, tree=True),
    Column("ended"),
    Column("took", right=True),
    Column("agent", most=20, flexible=True),
    Column("for", flexible=True, most=40),
)


def processes(
    ask: Ask,
    flat: Annotated[bool, typer.Option("--flat", help="In order of time, not below their parents.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Only failed or killed processes; implies --flat.")] = False,
) -> None:
    """Processes as a tree: command, exit, duration, agent, session, and the tool and prompt that started them."""
    causes = Causes(ask.store)
    rows = within(ask.store, PROCESSES, ask.unlimited, causes, where=_failed if failed else None)
    found = list(process_list(rows, causes) if flat or failed else process_tree(rows, causes))
    if not (ask.as_json or ask.flags.show_all):
        found = [each for each in found if each.command or each.children]
    ask.show(lambda _: found, _lines, most=_MOST, newest=False)


def _failed(row: ProcessRow) -> bool:
    return row.has_failed


def _lines(found: Sequence[Process], screen: Screen) -> Iterable[Line]:
    return table(COLUMNS, map(_cells, found), screen)


def _cells(row: Process) -> tuple[Cell, ...]:
    cause = row.cause
    prompt = f" ({cause.prompt})" if cause and cause.prompt else ""
    words = " ".join(word if word and " " not in word else repr(word) for word in row.argv) or row.command
    return (
        clock(row.start_timestamp_ms or 0),
        str(row.pid),
        "  " * row.depth + (words or f"{row.comm or ''} (fork)"),
        Span(_ended(row), "failed" if _failed(row) else ""),
        took(row.duration_ms),
        row.agent or "",
        cause_said(cause) + prompt if row.starts else "",
    )


def _ended(row: ProcessRow) -> str:
    if row.status == "running":
        return "no end seen"
    return f"signal {row.signal}" if row.signal else f"exit {row.exit_code}"
