"""Numbers, times and money -> the words of the reports."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from ....store.rows.tool_words import asked_for
from ....store.words import count, money, plural
from ....view.queries.calls.diff import LineChange
from ....view.queries.calls.lookup import Cause
from ....view.queries.effects.causes import Actor
from ....view.queries.sessions.findings import Finding, finding_words
from .screen import Line, Span

# -- cause words ---------------------------------------------------------------------------------------------------
# Who did something, and for which tool of which turn -> a few words.


def who_said(by: Sequence[Actor]) -> str:
    """`sh 12455 +2`: the first, with its agent where that is another program, and how many others there are."""
    more = len(by) - 1
    return "".join(map(_name, by[:1])) + (f" +{more}" if more > 0 else "")


def _name(actor: Actor) -> str:
    name = f"{actor.comm or 'unknown'} {actor.pid or ''}".rstrip()
    return f"{name} of {actor.agent}" if actor.agent and actor.agent != actor.comm else name


def cause_said(cause: Cause | None) -> str:
    """`turn 9, Bash make test`."""
    if cause is None:
        return ""
    turn = f"turn {cause.turn}, " if cause.turn else ""
    return f"{turn}{cause.tool} {asked_for(cause.input)}".rstrip()


def causes_said(causes: Sequence[Cause]) -> str:
    """The turn and the name of the first, and how many others there are."""
    if not causes:
        return ""
    first, more = causes[0], len(causes) - 1
    turn = f"turn {first.turn}, " if first.turn else ""
    return turn + first.tool + (f" +{more}" if more > 0 else "")


# ------------------------------------------------------------------------------------------------------------------------


def clock(ms: int, /) -> str:
    """The time of day, in the time zone of the reader."""
    return time.strftime("%H:%M:%S", time.localtime(ms / 1000)) if ms else ""


def day(ms: int, /) -> str:
    """The date, in the time zone of the reader."""
    return time.strftime("%Y-%m-%d", time.localtime(ms / 1000)) if ms else ""


def moment(ms: int, now_ms: int, /, *, short: bool = False) -> str:
    """`today 18:00:04`, `yesterday …`, else with the date; `short`, as in a column: to the minute, and `today` left out."""
    if not ms:
        return "" if short else "at an unknown time"
    names = {day(now_ms): "" if short else "today", day(now_ms - 86_400_000): "yesterday"}
    time_of_day = clock(ms)[:5] if short and day(ms) != day(now_ms) else clock(ms)
    return f"{names.get(day(ms), day(ms))} {time_of_day}".strip()


def often(times: float | None, /) -> str:
    """`×3`, or a dash for what never was."""
    return f"×{count(round(times))}" if times else "–"


def listed(names: Sequence[str], most: int, /) -> str:
    """`a, b, c and 4 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {count(more)} more" if more > 0 else "")


# -- changed lines -------------------------------------------------------------------------------------------------
# The changes between two texts -> lines to read: what differs, with a few equal lines around it.


_AROUND = 3  # equal lines that are shown before and behind one that differs
_SIGNS = {"gone": "-", "new": "+"}


def changed_lines(changes: Sequence[LineChange], /, *, indent: str = "") -> Iterator[Line]:
    """` - ` stands before a line that only the first text has, ` + ` before one of the second; other equal ones are counted."""
    for at, change in enumerate(changes):
        if change.change != "same":
            yield from (f"{indent} {_SIGNS[change.change]} {line}" for line in change.lines)
            continue
        head = _AROUND if at else 0
        tail = _AROUND if at + 1 < len(changes) else 0
        between = len(change.lines) - head - tail
        if between <= 1:
            yield from (f"{indent}   {line}" for line in change.lines)
            continue
        yield from (f"{indent}   {line}" for line in change.lines[:head])
        yield Span(f"{indent}   {plural(between, 'line')} unchanged", "quiet")
        yield from (f"{indent}   {line}" for line in change.lines[len(change.lines) - tail :])


# -- finding words -------------------------------------------------------------------------------------------------
# Finding -> its line, with its turns and its cost.


_TURNS = 6


def finding_said(finding: Finding, /) -> str:
    """One finding with its turns and its cost: `Retries: 3 retries after a failure (turns 4, 5: $0.12)`."""
    said = finding_words(finding)
    return f"{said.title}: {said.text}{_where(finding)}{f': {said.code}' if said.code else ''}"


def _where(finding: Finding) -> str:
    if finding.kind == "growth":  # of the whole session
        return ""
    turns = [str(turn) for turn in finding.turns if turn]
    named = ", ".join(turns[:_TURNS]) + (", …" if len(turns) > _TURNS else "")
    cost = f": {money(finding.cost_usd)}" if finding.cost_usd else ""
    return f" (turn{'s' if len(turns) > 1 else ''} {named}{cost})" if turns else ""
