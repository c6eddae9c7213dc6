"""agentsight-rx report audit, http, prompts and sessions: lists of rows, each with its columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from msgspec.structs import asdict, replace

from ...llm.agents.answers import finds_nothing
from ...policy.rules.http import compile_http
from ...store.rows.gaps import Agreement
from ...store.rows.kinds import SAID
from ...store.rows.tables import HTTP
from ...store.words import amount, data_size, reason_said, took
from ...view import AuditRow, HttpRow, SessionRow
from ...view.queries.alerts import AUDIT_TYPES, newest_audits
from ...view.queries.effects.causes import Causes, within
from ...view.queries.effects.file_fates import number_of
from ...view.queries.records import Exchange, exchanges_of, is_counted, is_matched
from ...view.queries.sessions.once import OneSession
from ...view.queries.sessions.timeline import PromptLine, read_prompts
from ...view.snapshot.schema import value_of
from ..values import one_of
from .shown.ask import Ask
from .shown.every import every
from .shown.lacking import WITH_FILES, compared, in_file_only, lacking_said
from .shown.screen import Cell, Column, Columns, Line, Prose, Screen, Span, State, table
from .shown.words import clock, moment

T = TypeVar("T")

# -- audit ---------------------------------------------------------------------------------------------------------
# agentsight-rx report audit: the audit trail, the newest first.


_NEWEST = 100
_STATES: dict[str | None, State] = {"failure": "failed", "partial": "missing"}
COLUMNS: Columns[AuditRow] = (
    Column("time", lambda row: clock(row.timestamp_ms)),
    Column("type", lambda row: row.audit_type),
    Column("pid", lambda row: str(row.pid or ""), right=True),
    Column("process", lambda row: row.comm or "", most=16),
    Column("status", lambda row: Span(row.status or "", "" if _finds_nothing(row) else _STATES.get(row.status, ""))),
    Column("what", lambda row: _what(row), flexible=True),
)


def audit(
    ask: Ask,
    audit_type: Annotated[
        str | None, typer.Option("--audit-type", help="Only llm, process, file, network, mcp, rpc or guard.", metavar="TYPE")
    ] = None,
) -> None:
    """The audit trail: which process did what to which target, and how it ended; the newest first."""
    if audit_type is not None:
        one_of("--audit-type", audit_type, AUDIT_TYPES)
    if ask.as_json:
        ask.write(newest_audits(ask.store, ask.selection, audit_type))
        return
    most = None if ask.flags.show_all else ask.flags.limit or _NEWEST
    rows = list(newest_audits(ask.store, replace(ask.selection, limit=None if most is None else most + 1), audit_type))
    ask.write_lines(table(COLUMNS, rows[:most], ask.screen))
    if not rows:
        ask.write_lines([ask.nothing("of that kind")])
    elif most is not None and len(rows) > most:
        ask.write_lines(["", ask.rest(f"the newest {most}")])


def _what(row: AuditRow) -> str:
    target = f" {row.target}" if row.target and row.target not in (row.summary or "") else ""
    return (row.summary or row.action or "") + target


def _finds_nothing(row: AuditRow) -> bool:
    return row.audit_type == "file" and finds_nothing(row.action or "", number_of(row, "flags"), number_of(row, "errno"))


# -- http ----------------------------------------------------------------------------------------------------------
# agentsight-rx report http: every HTTP exchange, also of no model.


HTTP_COLUMNS: Columns[Exchange] = (
    Column("time", lambda row: clock(row.timestamp_ms)),
    Column("process", lambda row: f"{row.comm} {row.pid}", flexible=True, most=24, rank=1),
    Column("method", lambda row: row.method),
    Column("host", lambda row: row.host or "unknown", flexible=True, most=40),
    Column("path", lambda row: row.path, flexible=True, middle=True),
    Column("peer", lambda row: row.peer or "", flexible=True, most=24, rank=4),
    Column("status", lambda row: Span(str(row.status_code or ""), "failed" if _has_failed(row) else ""), right=True),
    Column("sent", lambda row: data_size(row.request_bytes), right=True, rank=3),
    Column("received", lambda row: data_size(row.response_bytes), right=True, rank=2),
    Column("took", lambda row: took(row.duration_ms), right=True),
    Column("turn", lambda row: str(row.turn or ("passed on" if row.call_id and row.is_passed_on else "")), right=True),
    Column("missing", lambda row: Span(_missing(row), "missing")),
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
        is_bad = row.status != "complete" or _has_failed(row)
        if (failed and not is_bad) or (host is not None and row.host != host) or not is_counted(row, causes):
            return False
        return rules is None or is_matched(ask.store, row.id, rules)

    ask.show(
        lambda selection: exchanges_of(within(ask.store, HTTP, selection, causes, where=is_meant), causes),
        partial(table, HTTP_COLUMNS),
        most=_NEWEST,
    )


def _has_failed(row: HttpRow) -> bool:
    """The server refused it."""
    return (row.status_code or 0) >= 400


def _missing(row: Exchange) -> str:
    return "" if row.status == "complete" else reason_said(row.reason or row.status)


# -- prompts -------------------------------------------------------------------------------------------------------
# agentsight-rx report prompts: what the users typed.


_PROMPTS_NEWEST = 20


def prompts_columns_of(now_ms: int) -> Columns[PromptLine]:
    """The columns."""
    return (
        Column("time", lambda row: moment(row.timestamp_ms, now_ms, short=True)),
        Column("agent", lambda row: row.agent or row.comm or "", most=20),
        Column("turn", lambda row: str(row.turn or ""), right=True),
        Column("tokens", lambda row: amount(row.total_tokens), right=True),
        Column("model", lambda row: row.model or "unknown", flexible=True, most=24),
        Column("from", lambda row: "file" if row.view_source == SAID else ""),
        Column("prompt", lambda row: row.prompt, flexible=True),
    )


def prompts(ask: Ask) -> None:
    """The users' prompts in all stores, each once, without tool results and the notes that agents add."""
    found = every(ask)
    ask.show_newest(
        lambda limit: read_prompts(found.once, ask.prices, limit=limit),
        partial(_prompts, columns=prompts_columns_of(ask.now_ms)),
        most=_PROMPTS_NEWEST,
        where=found.where,
    )
    ask.write_lines([] if ask.as_json else found.lines)


def _prompts(rows: Sequence[PromptLine], screen: Screen, *, columns: Columns[PromptLine]) -> Iterator[Line]:
    is_said = any(row.view_source == SAID for row in rows)
    yield from _sourced(rows, screen, columns=columns, is_said=is_said, is_file=is_said)


def _sourced(rows: Sequence[T], screen: Screen, *, columns: Columns[T], is_said: bool, is_file: bool) -> Iterator[Line]:
    """Where rows are known from is not said where all were recorded. `is_file`: some are known from files alone."""
    yield from table(tuple(each for each in columns if is_said or each.title != "from"), rows, screen)
    if is_file:
        yield from ("", Prose("file: the word of the agent's own file. No program, file or connection was seen."))


# ------------------------------------------------------------------------------------------------------------------------


_SESSIONS_NEWEST = 30


class SessionLine(SessionRow, frozen=True, tag="session", omit_defaults=True):
    """
    A session once, in the store `db`. `known_by`: `view` or `hooked` where it was recorded, `said` where the agent's own file
    has it; then `agreement` says how far both agree.
    """

    known_by: tuple[str, ...] = ()
    agreement: Agreement | None = None
    db: str = ""


def sessions_columns_of(now_ms: int) -> Columns[SessionLine]:
    """The columns."""
    return (
        Column("started", lambda row: moment(row.start_timestamp_ms, now_ms, short=True)),
        Column("took", lambda row: "live" if row.status == "live" else took(row.duration_ms), right=True, rank=1),
        Column("agent", lambda row: f"{row.who} {row.pid or ''}".strip(), most=20, flexible=True),
        Column("version", lambda row: row.agent_version, most=12, rank=5),
        Column("calls", lambda row: str(row.calls), right=True),
        Column("in", lambda row: amount(row.asked_tokens), right=True, rank=1),
        Column("cached", lambda row: amount(row.cache_read_tokens), right=True, rank=4),
        Column("out", lambda row: amount(row.output_tokens), right=True, rank=2),
        Column("tools", lambda row: str(row.tools or ""), right=True, rank=3),
        Column("failed", lambda row: Span(str(row.failed_calls + row.failed_tools or ""), "failed"), right=True),
        Column("id", lambda row: row.id, most=12, middle=True),
        Column("from", _from),
        Column("first prompt", _title, flexible=True),
    )


def sessions(ask: Ask, transcripts: Annotated[bool, WITH_FILES] = False) -> None:
    """The sessions of agents in all stores, each once: duration, first prompt, calls, tokens and tools."""
    files = compared(ask) if transcripts else []
    found = every(ask)

    def lines(limit: int | None) -> Iterator[SessionLine]:
        return (_session_line(each, found.paths) for each in found.once.sessions(limit))

    if ask.as_json and transcripts:
        ask.write({**value_of(row), "only_in_file": in_file_only(files, row.id)} for row in lines(ask.flags.limit))
        return
    ask.show_newest(
        lines, partial(_sessions, columns=sessions_columns_of(ask.now_ms)), most=_SESSIONS_NEWEST, where=found.where
    )
    if not ask.as_json:
        ask.write_lines([*found.lines, *lacking_said(files, ask)])


def _session_line(found: OneSession, paths: Sequence[Path]) -> SessionLine:
    return SessionLine(**asdict(found.row), known_by=found.known_by, agreement=found.agreement, db=str(paths[found.at]))


def _sessions(rows: Sequence[SessionLine], screen: Screen, *, columns: Columns[SessionLine]) -> Iterator[Line]:
    is_said, is_file = any(SAID in row.known_by for row in rows), any(row.known_by == (SAID,) for row in rows)
    yield from _sourced(rows, screen, columns=columns, is_said=is_said, is_file=is_file)


def _from(row: SessionLine) -> Cell:
    if row.agreement is not None:
        return f"both, {row.agreement.found:,} of {row.agreement.calls:,}"
    return "file" if row.known_by == (SAID,) else "recorded"


def _title(row: SessionRow) -> str:
    container = f"in container {row.container}: " if row.container else ""
    within = f"sub-session of {row.parent_session_id}: " if row.parent_session_id else ""
    gone = "file gone: " if row.file_gone else ""
    return gone + within + container + row.title
