"""An alert -> the lines of a person: its flag, its sentence, the thread from the prompt to the target."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from ....policy.rules.guard.values import shortened, with_short_homes
from ....store.words import count, money
from ....view import AlertRow
from .screen import Cell, Line, Span, Whole
from .words import clock

_TIMES = "×"
_UNDECIDED: Mapping[str, str] = MappingProxyType({})


def flag_said(row: AlertRow, state: str = "new", /) -> str:
    """The flag of an alert that waits for a person, or its decided state; a note has no flag."""
    if row.do == "note":
        return " "
    if state in ("seen", "allowed"):
        return state
    flag, bars = ("⚑", "‖") if "utf" in (sys.stderr.encoding or "").lower() else ("*", "=")
    return flag + bars if state == "stopped" else flag


def alert_head(row: AlertRow, /) -> str:
    """`secret-left ×3`."""
    return f"{row.rule} {_TIMES}{count(row.count)}" if row.count > 1 else row.rule


def thread_said(row: AlertRow, /) -> str:
    """Prompt -> tool -> process -> target, as far as they are known."""
    prompt = f'"{row.prompt}"' if row.prompt else "prompt not known"
    process = f"{row.command.split(' ')[0].rpartition('/')[2]} {row.pid or ''}".strip() if row.command else ""
    return " → ".join(filter(None, (prompt, with_short_homes(row.tool), process, shortened(row.target))))


def proven_said(row: AlertRow, /) -> str:
    """`2 of 3 links proven`."""
    return f"{row.proven} of {row.links} links proven"


def alert_lines(rows: Sequence[AlertRow], /, states: Mapping[str, str] = _UNDECIDED) -> Iterator[Line]:
    """Two lines an alert: its whole sentence, and the thread of it. An alert without one of the `states` is new."""
    flags = [flag_said(row, states.get(row.id, "new")) for row in rows]
    flag_wide = max(map(len, flags), default=0)
    wide = max((len(alert_head(row)) for row in rows), default=0)
    names = max((len(row.name) for row in rows), default=0)
    for row, flag in zip(rows, flags, strict=True):
        head = f" {flag:<{flag_wide}} {row.name:<{names}}  {clock(row.timestamp_ms)}  {alert_head(row):<{wide}}  "
        yield Whole(f"{head}{row.sentence}")
        cells: list[Cell] = [f"      {thread_said(row)}", Span(f"     {_sure(row)}", "quiet")]
        yield tuple(cells)


def _sure(row: AlertRow) -> str:
    cost = f", {money(row.cost)}" if row.cost is not None else ""
    whole = "" if row.complete else ", seen in part"
    return f"{proven_said(row)}{whole}{cost}"
