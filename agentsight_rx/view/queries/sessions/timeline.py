"""Calls, tools, processes, the audit trail -> one list in time: what happened, when, and where nothing did."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ....events.tokens import Counts, counts_of
from ....llm.prices import Prices
from ....store.rows.kinds import SEEN, AuditRow, CallRow, ProcessRow, ToolRow
from ....store.rows.tool_words import outcome_of
from ....store.words import end_said, error_said, lasted_ms, plural
from ..calls.costs import PricedCall, priced
from ..effects.causes import Causes
from .once import Once

# -- prompts -------------------------------------------------------------------------------------------------------
# Store, selection -> the users' prompts, and the final answers.


class PromptLine(Counts, frozen=True, omit_defaults=False):
    """
    One prompt, in the first call that sent it, with the tokens and the cost of that call. `prompt` and `answer` are as much as
    rows keep; `report call ID` has all of both. `view_source` is `said` where the agent's own file alone has it.
    """

    timestamp_ms: int
    call_id: str
    turn: int
    session_id: str | None
    agent: str | None
    comm: str | None
    pid: int | None
    provider: str | None
    model: str | None
    cost_usd: float | None
    status: str
    prompt: str
    answer: str
    view_source: str = SEEN


def read_prompts(once: Once, prices: Prices, /, *, limit: int | None = None) -> list[PromptLine]:
    """
    What people typed, oldest first, the newest so many. A request has no prompt that sends only tool results or earlier
    messages, or that an agent makes for itself.
    """
    calls = (row for _, row in once.calls(where=lambda row: row.is_prompted, limit=limit))
    found = sorted(calls, key=lambda row: row.start_timestamp_ms)
    return [_line(priced(row, prices)) for row in (found if limit is None else found[-limit:])]


def _line(call: PricedCall) -> PromptLine:
    return PromptLine(
        call.start_timestamp_ms,
        call.id,
        turn=call.turn,
        session_id=call.session_id,
        agent=call.agent,
        comm=call.comm,
        pid=call.pid,
        provider=call.provider,
        model=call.model,
        **counts_of(call.usage),
        cost_usd=call.cost_usd,
        status=call.status,
        prompt=call.prompt,
        answer=call.text,
        view_source=call.view_source,
    )


# ------------------------------------------------------------------------------------------------------------------------


_TEXT = 400  # characters
_ORDER = ("prompt", "call", "answer", "tool", "program", "file", "connection")  # of what happened in one millisecond
_CHANGES = frozenset({"unlink", "rmdir", "rename", "mkdir", "truncate"})


class Moment(Struct, frozen=True):
    """
    One thing that happened, `offset_ms` after the first. `kind`: prompt, call, answer, tool, program, file, connection, idle.
    `text` says what, `status` how it ended: ok, failed, missing (not all of it is known), open (no end was seen).
    """

    timestamp_ms: int
    kind: str
    text: str
    offset_ms: int = 0
    duration_ms: int | None = None
    status: str = "ok"
    detail: str = ""
    turn: int = 0
    pid: int | None = None
    comm: str | None = None
    id: str = ""  # of its row
    session_id: str | None = None


def timeline_of(
    calls: Iterable[CallRow],
    tools: Iterable[ToolRow],
    programs: Iterable[ProcessRow],
    audits: Iterable[AuditRow],
    /,
    *,
    causes: Causes,
    idle_ms: int = 5000,
) -> tuple[Moment, ...]:
    """
    All of it in order of time. Of files only writes, removals and moves, each path once a process; the report of files has the
    reads. An `idle` moment stands where for `idle_ms` no call, tool or program was under way; a program that lasts to the end,
    such as the agent itself, does not count as under way.
    """
    moments: list[Moment] = []
    for call in calls:
        moments += _call(call)
    moments += (_tool(row, causes) for row in tools)
    moments += (_program(row, causes) for row in programs if row.command)
    moments += _effects(audits, causes)
    moments.sort(key=lambda each: (each.timestamp_ms, _ORDER.index(each.kind)))
    if not moments:
        return ()
    first = moments[0].timestamp_ms
    return tuple(replace(each, offset_ms=each.timestamp_ms - first) for each in _with_idle(moments, idle_ms))


def _call(row: CallRow) -> list[Moment]:
    end_ms = row.end_timestamp_ms
    status = {"complete": "ok", "error": "failed", "pending": "open"}.get(row.status, "missing")
    tokens = f"{row.asked_tokens} in, {row.output_tokens} out"
    called = Moment(
        row.start_timestamp_ms,
        "call",
        row.model or "unknown model",
        duration_ms=lasted_ms(row.start_timestamp_ms, end_ms),
        status=status,
        detail=tokens if status == "ok" else row.reason or error_said(row.error_type or "") or tokens,
        turn=row.turn,
        pid=row.pid,
        comm=row.comm,
        id=row.id,
        session_id=row.session_id,
    )
    said = replace(called, duration_ms=None, detail="")
    found = [replace(said, kind="prompt", text=row.prompt[:_TEXT], status="ok")] if row.is_prompted else []
    found.append(called)
    if end_ms is not None and row.text:
        found.append(replace(said, timestamp_ms=end_ms, kind="answer", text=row.text[:_TEXT]))
    return found


def _tool(row: ToolRow, causes: Causes) -> Moment:
    outcome = outcome_of(row)
    return Moment(
        row.timestamp_ms,
        "tool",
        f"{row.tool_name} {row.input}"[:_TEXT],
        duration_ms=lasted_ms(row.timestamp_ms, row.end_timestamp_ms),
        status="failed" if outcome in ("failed", "refused") else "open" if row.status == "observed" else "ok",
        detail=end_said(row.exit_code, row.signal) or (outcome if outcome == "refused" else ""),
        turn=causes.turn(row.llm_call_id),
        pid=row.related_pid or row.pid,
        id=row.id,
        session_id=row.session_id,
    )


def _program(row: ProcessRow, causes: Causes) -> Moment:
    cause = causes.of_process(row.id)
    start_ms, end_ms = row.start_timestamp_ms or row.end_timestamp_ms or 0, row.end_timestamp_ms
    return Moment(
        start_ms,
        "program",
        " ".join(row.argv or (row.command or "",))[:_TEXT],
        duration_ms=lasted_ms(start_ms, end_ms),
        status={"running": "open", "success": "ok"}.get(row.status, "failed"),
        detail=end_said(row.exit_code, row.signal),
        turn=cause.turn if cause else 0,
        pid=row.pid,
        comm=row.comm,
        id=row.id,
        session_id=causes.session_of(row.id),
    )


def _effects(rows: Iterable[AuditRow], causes: Causes) -> list[Moment]:
    """Writes and connections. A file that is written in pieces is one moment, with the bytes of all."""
    found: list[Moment] = []
    written: dict[tuple[str | None, str | None], tuple[int, int]] = {}  # process and path -> place, bytes
    for row in rows:
        if row.audit_type == "network" and row.action in ("connect", "accept"):
            found.append(_moment(row, causes, "connection"))
        elif row.audit_type == "file" and row.action in _CHANGES:
            found.append(_moment(row, causes, "file"))
        elif row.audit_type == "file" and row.action == "close" and row.details.get("written_bytes"):
            key = row.process_id, row.target
            place, size = written.get(key, (len(found), 0))
            size += int(row.details["written_bytes"] or 0)
            written[key] = place, size
            if place == len(found):
                found.append(_moment(row, causes, "file"))
            found[place] = replace(found[place], detail=plural(size, "byte"))
    return found


def _moment(row: AuditRow, causes: Causes, kind: str) -> Moment:
    cause = causes.of(row)
    code = row.details.get("errno")
    target = row.details.get("target")
    action = "write" if row.action == "close" else row.action or ""
    return Moment(
        row.timestamp_ms,
        kind,
        f"{action} {row.target or ''}" + (f" to {target}" if target else ""),
        status="failed" if code else "ok",
        detail=os.strerror(code) if isinstance(code, int) and code else "",
        turn=cause.turn if cause else 0,
        pid=row.pid,
        comm=row.comm,
        id=row.id,
        session_id=row.session_id,
    )


def _with_idle(moments: Sequence[Moment], idle_ms: int) -> Iterator[Moment]:
    last_ms = max(each.timestamp_ms + (each.duration_ms or 0) for each in moments)
    busy_until = moments[0].timestamp_ms
    for each in moments:
        if each.timestamp_ms - busy_until >= idle_ms:
            yield Moment(busy_until, "idle", "nothing happened", duration_ms=each.timestamp_ms - busy_until)
        yield each
        end_ms = each.timestamp_ms + (each.duration_ms or 0)
        if each.kind == "program" and (each.duration_ms is None or end_ms >= last_ms):
            end_ms = each.timestamp_ms
        busy_until = max(busy_until, end_ms)
