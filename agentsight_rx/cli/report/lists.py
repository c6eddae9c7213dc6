"""agentsight-rx report audit, http, prompts and sessions: lists of rows, each with its columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from msgspec.structs import replace

from ...core.errors import UsageError
from ...llm.agents.answers import finds_nothing
from ...policy.rules.http import compile_http
from ...store.rows.tables import HTTP
from ...store.words import amount, data_size, took
from ...view import AuditRow, HttpRow, SessionRow
from ...view.queries.alerts import AUDIT_TYPES, newest_audits
from ...view.queries.effects.causes import Causes, within
from ...view.queries.effects.file_fates import number_of
from ...view.queries.records import Exchange, exchanges_of, is_counted, is_matched
from ...view.queries.sessions.files import read_sessions
from ...view.queries.sessions.timeline import PromptLine, read_prompts
from ...view.snapshot.schema import value_of
from .shown.ask import Ask
from .shown.lacking import WITH_FILES, compared, in_file_only, lacking_said
from .shown.screen import Cell, Column, Line, Screen, Span, State, Whole, table
from .shown.words import clock, moment

# -- audit ---------------------------------------------------------------------------------------------------------
# agentsight-rx report audit: the audit trail, the newest first.


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


# -- http ----------------------------------------------------------------------------------------------------------
# agentsight-rx report http: every HTTP exchange, also of no model.


HTTP_COLUMNS = (
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
        _http_lines,
        most=_NEWEST,
    )


def _http_lines(rows: Sequence[Exchange], screen: Screen) -> Iterable[Line]:
    return table(HTTP_COLUMNS, map(_http_cells, rows), screen)


def _http_cells(row: Exchange) -> tuple[Cell, ...]:
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


# -- prompts -------------------------------------------------------------------------------------------------------
# agentsight-rx report prompts: what the users typed.


_PROMPTS_NEWEST = 20
PROMPTS_COLUMNS = (
    Column("time"),
    Column("agent", most=20),
    Column("turn", right=True),
    Column("tokens", right=True),
    Column("model", flexible=True, most=24),
    Column("prompt", flexible=True),
)


def prompts(ask: Ask) -> None:
    """The users' prompts, each once, without tool results and the notes that agents add."""
    ask.show(lambda selection: read_prompts(ask.store, selection, ask.prices), _prompts_lines, most=_PROMPTS_NEWEST)


def _prompts_lines(rows: Sequence[PromptLine], screen: Screen) -> Iterable[Line]:
    return table(
        PROMPTS_COLUMNS,
        (
            (
                moment(row.timestamp_ms, screen.now_ms, short=True),
                row.agent or row.comm or "",
                str(row.turn or ""),
                amount(row.total_tokens),
                row.model or "unknown",
                row.prompt,
            )
            for row in rows
        ),
        screen,
    )


# ------------------------------------------------------------------------------------------------------------------------


_SESSIONS_NEWEST = 30
SESSIONS_COLUMNS = (
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
    ask.show(lambda selection: read_sessions(ask.store, selection), _sessions_lines, most=_SESSIONS_NEWEST)
    ask.write_lines(lacking_said(files, ask))


def _sessions_lines(rows: Sequence[SessionRow], screen: Screen) -> Iterable[Line]:
    return table(SESSIONS_COLUMNS, (_sessions_cells(row, screen) for row in rows), screen)


def _sessions_cells(row: SessionRow, screen: Screen) -> tuple[str | Span, ...]:
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
