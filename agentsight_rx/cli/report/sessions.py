"""agentsight-rx report sessions: what each agent did from its start to its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from ...view import SessionRow
from ...view.queries.sessions import read_sessions
from ...view.snapshot.schema import value_of
from .ask import Ask
from .lacking import WITH_FILES, compared, in_file_only, lacking_said
from .screen import Column, Line, Screen, Span, table
from .words import amount, moment, took

__all__ = ["COLUMNS", "sessions"]

_NEWEST = 30
COLUMNS = (
    Column("started"),
    Column("took", right=True, rank=1),
    Column("agent", most=20, flexible=True),
    Column("version", most=12, rank=5),
    Column("calls", right=True),
    Column("in", right=True),
    Column("cached", right=True, rank=4),
    Column("out", right=True, rank=2),
    Column("tools", right=True, rank=3),
    Column("failed", right=True),
    Column("id", most=12, middle=True),
    Column("first prompt", flexible=True),
)


def sessions(ask: Ask, transcripts: Annotated[bool, WITH_FILES] = False) -> None:
    """The sessions of agents: duration, first prompt, calls, tokens and tools."""
    files = compared(ask) if transcripts else []
    if ask.as_json and transcripts:
        rows = read_sessions(ask.store, ask.selection)
        ask.write({**value_of(row), "only_in_file": in_file_only(files, row.id)} for row in rows)
        return
    ask.show(lambda selection: read_sessions(ask.store, selection), _lines, most=_NEWEST)
    ask.write_lines(lacking_said(files, ask))


def _lines(rows: Sequence[SessionRow], screen: Screen) -> Iterable[Line]:
    return table(COLUMNS, (_cells(row, screen) for row in rows), screen)


def _cells(row: SessionRow, screen: Screen) -> tuple[str | Span, ...]:
    container = f"in container {row.container}: " if row.container else ""
    within = f"sub-session of {row.parent_session_id}: " if row.parent_session_id else ""
    failed = row.failed_calls + row.failed_tools
    return (
        moment(row.start_timestamp_ms, screen.now_ms, short=True),
        "live" if row.status == "live" else took(row.duration_ms),
        f"{row.who} {row.pid or ''}".strip(),
        row.agent_version,
        str(row.calls),
        amount(row.asked_tokens),
        amount(row.cache_read_tokens),
        amount(row.output_tokens),
        str(row.tools) if row.tools else "",
        Span(str(failed) if failed else "", "failed"),
        row.id,
        within + container + row.title,
    )
