"""agentsight-rx report tools and processes: what models asked for, the programs that ran, and how they ended."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from ...store.rows.tables import PROCESSES
from ...store.rows.tool_words import asked_for, outcome_of, outcome_said
from ...store.words import NO_END, end_said, took
from ...view import ProcessRow, ToolRow
from ...view.queries.calls.mcp import read_tools
from ...view.queries.effects.causes import Causes, within
from ...view.queries.effects.work import Process, process_list, process_tree
from .shown.ask import Ask
from .shown.screen import Column, Columns, Line, Screen, Span, table
from .shown.words import cause_said, clock

# -- processes -----------------------------------------------------------------------------------------------------
# agentsight-rx report processes: which process started which, and for which tool and prompt.


_MOST = 100
COLUMNS: Columns[Process] = (
    Column("started", lambda row: clock(row.start_timestamp_ms or 0)),
    Column("pid", lambda row: str(row.pid), right=True),
    Column("command", lambda row: _command(row), flexible=True, tree=True),
    Column("ended", lambda row: Span(_ended(row), "failed" if row.has_failed else "")),
    Column("took", lambda row: took(row.duration_ms), right=True),
    Column("agent", lambda row: row.agent or "", most=20, flexible=True),
    Column("for", lambda row: _for(row), flexible=True, most=40),
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
    return table(COLUMNS, found, screen)


def _command(row: Process) -> str:
    return "  " * row.depth + (shlex.join(row.argv) or row.command or f"{row.comm or ''} (fork)")


def _for(row: Process) -> str:
    prompt = f" ({row.cause.prompt})" if row.cause and row.cause.prompt else ""
    return cause_said(row.cause) + prompt if row.starts else ""


def _ended(row: ProcessRow) -> str:
    return NO_END if row.status == "running" else end_said(row.exit_code, row.signal) or NO_END


# -- tool words ----------------------------------------------------------------------------------------------------
# ToolRow -> how it ended, in a few words.


def tool_said(row: ToolRow) -> Span:
    """How it ended, with what the agent said of a failure that no process shows."""
    outcome, said = outcome_of(row), outcome_said(row)
    if outcome not in ("failed", "refused"):
        return Span(said)
    return Span(f"{said}: {row.output}" if said == outcome and row.output else said, "failed")


# ------------------------------------------------------------------------------------------------------------------------


_NEWEST = 50

TOOLS_COLUMNS: Columns[ToolRow] = (
    Column("time", lambda row: clock(row.timestamp_ms)),
    Column("tool", lambda row: row.tool_name, most=24, flexible=True),
    Column("input", lambda row: asked_for(row.input), flexible=True),
    Column("ended", tool_said, flexible=True),
    Column("took", lambda row: took(row.duration_ms), right=True),
    Column("pause", lambda row: took(row.pause_ms or None), right=True, rank=1),
    Column("pid", lambda row: str(row.related_pid or ""), right=True),
    Column("matched by", lambda row: row.link or "", rank=2),
)


def tools(
    ask: Ask,
    failed: Annotated[bool, typer.Option("--failed", help="Only failed tools.")] = False,
    name: Annotated[str | None, typer.Option("--name", help="Only tools of this name.", metavar="NAME")] = None,
) -> None:
    """Tools that models asked for, the process that ran each, and how it ended."""
    ask.show(lambda selection: read_tools(ask.store, selection, failed=failed, name=name), _tools_lines, most=_NEWEST)


def _tools_lines(rows: Sequence[ToolRow], screen: Screen) -> Iterable[Line]:
    return table(TOOLS_COLUMNS, rows, screen)
