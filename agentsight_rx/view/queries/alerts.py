"""A store, a selection -> the alerts, and what belongs to one: the rows that it rests on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from msgspec import Struct

from ...core.errors import UsageError
from ...store.rows.gaps import sentence_of
from ...store.rows.kinds import AlertRow, AuditRow, HttpRow
from ...store.rows.tables import ALERTS, AUDIT, BLIND_SPOTS, HTTP, TOOLS
from ...store.rows.tool_words import asked_for
from ...store.state import Key, Store, Table, pages
from ...store.words import plural
from .calls.lookup import call_row
from .effects.causes import Causes, newest_within
from .reading import newest_first, rows_of, selected
from .selection import Selection

R = TypeVar("R", AuditRow, HttpRow)

LEVELS = ("note", "warn", "stop")
_LOOKED_AT = 100_000  # lines of the audit trail, for an id
_AROUND_MS = 60_000  # what an alert rests on is at most so far from it
_NUMBER = re.compile(r"a?(\d+)\Z")


class Evidence(Struct, frozen=True):
    """
    One row that an alert rests on, its time (Unix time, ms; 0: not known any more), and what it says. `tab` of the page has it,
    where the words `look_for` find it.
    """

    id: str
    timestamp_ms: int = 0
    text: str = ""
    tab: str = ""
    look_for: str = ""


def read_alerts(store: Store, selection: Selection, /, *, least: str = "note", rule: str | None = None) -> Iterator[AlertRow]:
    """Alerts of this level and above, oldest first; the newest so many where the selection has a limit."""
    levels = LEVELS[LEVELS.index(least) :]
    return selected(store, ALERTS, selection, where=lambda row: row.do in levels and rule in (None, row.rule))


def reportable(rows: Iterable[AlertRow], /) -> list[AlertRow]:
    """Without notes, and without alerts that are part of another one."""
    return [row for row in rows if row.do != "note" and row.part_of is None]


def alert_named(store: Store, name: str, /) -> AlertRow:
    """The alert `a31`, or the alert whose id begins so. Raises UsageError where there is none."""
    number = _NUMBER.match(name)
    for row in rows_of(store, ALERTS):
        if (number is not None and row.number == int(number[1])) or (len(name) > 3 and row.id.startswith(name)):
            return row
    known = [row.name for _, row in store.scan(ALERTS, reverse=True, limit=5)]
    raise UsageError(f"there is no alert {name}; " + (f"the newest are {', '.join(known)}" if known else "the store has none"))


def evidence_of(store: Store, row: AlertRow, /) -> list[Evidence]:
    """What an alert rests on, in its order. What retention has removed has no words."""
    return [_evidence(store, id, row) for id in row.evidence]


def _evidence(store: Store, id: str, row: AlertRow) -> Evidence:
    if (tool := store.get(TOOLS, id)) is not None:
        return Evidence(id, tool.timestamp_ms, f"tool {tool.tool_name}: {asked_for(tool.input)}", "conversation")
    if (call := call_row(store, id)) is not None:
        return Evidence(id, call.start_timestamp_ms, f"call {call.turn} of {call.model or 'a model'}", "conversation")
    if (spot := store.get(BLIND_SPOTS, id)) is not None:
        return Evidence(id, spot.timestamp_ms, sentence_of(spot), "health")
    margin = (max(0, row.timestamp_ms - _AROUND_MS),), (row.last_timestamp_ms + _AROUND_MS,)
    line = _line(store, AUDIT, id, margin) or _line(store, HTTP, id, margin)
    if line is None:
        return Evidence(id)
    tab, words = _place(line)
    return Evidence(id, line.timestamp_ms, _line_said(line), tab, words)


def _place(line: AuditRow | HttpRow) -> tuple[str, str]:
    """The tab that has a line, and what finds it there."""
    if isinstance(line, HttpRow):
        return "http", line.host or ""
    return {"file": ("files", line.target or ""), "network": ("network", line.target or "")}.get(
        line.audit_type, ("processes", "")
    )


def _line(store: Store, table: Table[R], id: str, around: tuple[Key, Key]) -> R | None:
    rows = islice(pages(store, table, start=around[0], stop=around[1]), _LOOKED_AT)
    return next((row for _, row in rows if row.id == id), None)


def _line_said(line: AuditRow | HttpRow, /) -> str:
    """A line of the audit trail, or an exchange, in a few words."""
    who = f"{line.comm or ''} {line.pid or ''}".strip()
    if isinstance(line, AuditRow):
        return f"{who}  {line.summary or line.action or ''}"
    return f"{who}  {line.method} {line.host or ''}{line.path}"


def alerts_said(rows: Iterable[AlertRow], /) -> str:
    """`1 alert: loop` of the reportable alerts; empty without one."""
    kept = reportable(rows)
    return f"{plural(len(kept), 'alert')}: {', '.join(dict.fromkeys(row.rule for row in kept))}" if kept else ""


# -- audit ---------------------------------------------------------------------------------------------------------
# A store, a selection -> the audit trail, the newest first.


AUDIT_TYPES = ("llm", "process", "file", "network", "mcp", "rpc", "guard")


def rules_error(store: Store, /) -> str:
    """Why the newest rules of the guard that a capture was given could not be loaded; empty where they could."""
    newest = next(newest_audits(store, Selection(limit=1), "guard"), None)
    return (newest.summary or "") if newest is not None and newest.status == "failure" else ""


def newest_audits(store: Store, selection: Selection, kind: str | None = None) -> Iterator[AuditRow]:
    """The rows of one type, or of all, the newest first, as many as the limit of the selection says."""
    if selection.sessions is None:
        return newest_first(store, AUDIT, selection, kind=kind)
    return newest_within(store, AUDIT, selection, Causes(store), kind=kind)
