"""An alert -> the lines of a person: its flag, its sentence, the thread from the prompt to the target."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from ...rules.guard.lists import shortened, with_short_homes
from ...view import AlertRow
from .screen import Cell, Line, Span, Whole
from .words import clock, count, money

__all__ = ["alert_head", "alert_lines", "flag_said", "thread_said"]

_TIMES = "×"


def flag_said(row: AlertRow, /) -> str:
    """The flag of an alert that waits for a person; a note has none."""
    if row.do == "note":
        return " "
    return "⚑" if "utf" in (sys.stderr.encoding or "").lower() else "*"


def alert_head(row: AlertRow, /) -> str:
    """`secret-left ×3`."""
    return f"{row.rule} {_TIMES}{count(row.count)}" if row.count > 1 else row.rule


def thread_said(row: AlertRow, /) -> str:
    """Prompt -> tool -> process -> target, as far as they are known."""
    prompt = f'"{row.prompt}"' if row.prompt else "prompt not known"
    process = f"{row.command.split(' ')[0].rpartition('/')[2]} {row.pid or ''}".strip() if row.command else ""
    return " → ".join(filter(None, (prompt, with_short_homes(row.tool), process, shortened(row.target))))


def alert_lines(rows: Sequence[AlertRow], /) -> Iterator[Line]:
    """Two lines an alert: its sentence, which is never cut, and the thread of it."""
    wide = max((len(alert_head(row)) for row in rows), default=0)
    names = max((len(row.name) for row in rows), default=0)
    for row in rows:
        head = f" {flag_said(row)} {row.name:<{names}}  {clock(row.timestamp_ms)}  {alert_head(row):<{wide}}  "
        yield Whole(f"{head}{row.sentence}")
        cells: list[Cell] = [f"      {thread_said(row)}", Span(f"     {_sure(row)}", "quiet")]
        yield tuple(cells)


def _sure(row: AlertRow) -> str:
    cost = f", {money(row.cost)}" if row.cost is not None else ""
    whole = "" if row.complete else ", seen in part"
    return f"{row.proven} of {row.links} links proven{whole}{cost}"
