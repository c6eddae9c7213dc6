"""agentsight-rx report timeline: prompts, answers, tools, programs, files and connections in one list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from msgspec.structs import replace

from ...store.rows.tables import AUDIT, CALLS, PROCESSES, TOOLS
from ...store.rows.tool_words import asked_for
from ...store.words import NO_END, took
from ...view.queries import Selection
from ...view.queries.effects.causes import Causes, within
from ...view.queries.sessions.timeline import Moment, timeline_of
from ..values import seconds_of
from .shown.ask import Ask
from .shown.screen import Column, Columns, Line, Screen, Span, State, table
from .shown.words import moment

_NEWEST = 200
_EFFECTS = frozenset({"file", "network"})
_STATES: dict[str, State] = {"failed": "failed", "missing": "missing"}


def _columns(folder: str) -> Columns[Moment]:
    return (
        Column("after", lambda each: _after(each.offset_ms), right=True),
        Column("turn", lambda each: str(each.turn or ""), right=True),
        Column("what", lambda each: Span(each.kind, _pause(each))),
        Column("process", lambda each: f"{each.comm or ''} {each.pid or ''}".strip(), flexible=True, most=16),
        Column("", lambda each: Span(_said(each, folder), _pause(each)), flexible=True),
        Column("took", lambda each: took(each.duration_ms), right=True),
        Column("how", _how, flexible=True, most=24),
    )


def timeline(
    ask: Ask,
    idle: Annotated[str, typer.Option("--idle", help="Mark pauses of this length.", metavar="DURATION")] = "5s",
) -> None:
    """Prompts, answers, tools, programs, changed files, connections and pauses, in order of time."""
    store, causes = ask.store, Causes(ask.store)
    idle_ms = round((seconds_of(idle, "--idle") or 5.0) * 1000)

    def read(selection: Selection) -> Sequence[Moment]:
        whole = replace(selection, limit=None)
        found = timeline_of(
            within(store, CALLS, whole, causes, where=lambda row: row.twin is None),
            within(store, TOOLS, whole, causes),
            within(store, PROCESSES, whole, causes, where=lambda row: row.view_source != "seed"),
            within(store, AUDIT, whole, causes, where=lambda row: row.audit_type in _EFFECTS),
            causes=causes,
            idle_ms=idle_ms,
        )
        return found if selection.limit is None else found[-selection.limit :]

    def lines(moments: Sequence[Moment], screen: Screen) -> Iterable[Line]:
        for first in moments[:1]:
            yield from (f"from {moment(first.timestamp_ms - first.offset_ms, screen.now_ms)}", "")
        yield from table(_columns(causes.folder), moments, screen)

    ask.show(read, lines, most=_NEWEST)


def _pause(each: Moment) -> State:
    return "quiet" if each.kind == "idle" else ""


def _how(each: Moment) -> Span:
    return Span(each.detail or (NO_END if each.status == "open" else ""), _STATES.get(each.status, ""))


def _said(each: Moment, folder: str) -> str:
    if each.kind == "file" and folder:
        return each.text.replace(f"{folder}/", "")
    if each.kind == "tool":
        name, _, given = each.text.partition(" ")
        return f"{name} {asked_for(given)}"
    return each.text


def _after(ms: int) -> str:
    """Minutes, seconds and milliseconds: 3:29.004."""
    minutes, rest = divmod(ms, 60_000)
    return f"{minutes}:{rest // 1000:02d}.{rest % 1000:03d}"
