"""agentsight-rx report audit: the audit trail, the newest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from msgspec.structs import replace

from ...core.errors import UsageError
from ...llm.agents.answers import finds_nothing
from ...view import AuditRow
from ...view.queries.audit import AUDIT_TYPES, newest_audits
from ...view.queries.file_fates import number_of
from .ask import Ask
from .screen import Cell, Column, Line, Screen, Span, State, Whole, table
from .words import clock

__all__ = ["COLUMNS", "audit"]

_NEWEST = 100
_STATES: dict[str | None, State] = {"failure": "failed", "partial": "missing"}
COLUMNS = (
    Column("time"),
    Column("type"),
    Column("pid", right=True),
    Column("process", most=16),
    Column("status"),
    Column("what", flexible=True),
)


def audit(
    ask: Ask,
    audit_type: Annotated[
        str | None, typer.Option("--audit-type", help="Only llm, process, file, network, mcp, rpc or guard.", metavar="TYPE")
    ] = None,
) -> None:
    """The audit trail: which process did what to which target, and how it ended; the newest first."""
    if audit_type is not None and audit_type not in AUDIT_TYPES:
        raise UsageError(f"--audit-type {audit_type} is not known; there are {', '.join(AUDIT_TYPES)}")
    if ask.as_json:
        ask.write(newest_audits(ask.store, ask.selection, audit_type))
        return
    most = None if ask.flags.show_all else ask.flags.limit or _NEWEST
    rows = list(newest_audits(ask.store, replace(ask.selection, limit=None if most is None else most + 1), audit_type))
    ask.write_lines(_lines(rows[:most], ask.screen))
    if not rows:
        ask.write_lines([ask.nothing("of that kind")])
    elif most is not None and len(rows) > most:
        ask.write_lines(["", Whole(f"the newest {most}; all of them: {ask.command} --all")])


def _lines(rows: Sequence[AuditRow], screen: Screen) -> Iterable[Line]:
    return table(COLUMNS, map(_cells, rows), screen)


def _cells(row: AuditRow) -> tuple[Cell, ...]:
    target = f" {row.target}" if row.target and row.target not in (row.summary or "") else ""
    return (
        clock(row.timestamp_ms),
        row.audit_type,
        str(row.pid or ""),
        row.comm or "",
        Span(row.status or "", "" if _finds_nothing(row) else _STATES.get(row.status, "")),
        (row.summary or row.action or "") + target,
    )


def _finds_nothing(row: AuditRow) -> bool:
    return row.audit_type == "file" and finds_nothing(row.action or "", number_of(row, "flags"), number_of(row, "errno"))
