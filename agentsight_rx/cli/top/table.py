"""A look -> the lines of its table, and of the most frequent activities."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.live import Live as Drawing
from rich.text import Text

from ...store.words import amount, count, money, plural
from ...view.queries.top.top import TopRow, View, activity
from ..program.errors import has_colour
from ..report.shown.screen import Column, Columns, Line, Prose, Screen, Span, State, render, table
from ..report.shown.words import clock
from .looks import Look, Looks, Wanted

COLUMNS: Columns[TopRow] = (
    Column("session", lambda row: row.session, most=24, middle=True, rank=8),
    Column("agent", lambda row: row.agent, most=12),
    Column("pid", lambda row: str(row.pid or ""), right=True, rank=7),
    Column("state", lambda row: Span(row.state, _STATES.get(row.state, ""))),
    Column("age", lambda row: since(row.age_s), right=True, rank=4),
    Column("last", lambda row: clock(row.last_message_ms or 0)[:5], rank=6),
    Column("model", lambda row: row.model or "", most=22, middle=True, rank=3),
    Column("tokens", lambda row: amount(row.tokens) if row.tokens is not None else "", right=True),
    Column("cost", lambda row: money(row.cost_usd) if row.cost_usd is not None or row.tokens else "", right=True),
    Column("cpu", lambda row: f"{row.cpu_percent:.1f} %" if row.cpu_percent is not None else "", right=True),
    Column("memory", lambda row: f"{count(row.rss_mb)} MB" if row.rss_mb is not None else "", right=True, rank=2),
    Column("activity", lambda row: Span(done(row), "failed" if row.failures else ""), flexible=True, least=24),
    Column("evidence", lambda row: "+".join(row.evidence), rank=9),
    Column("workspace", lambda row: row.workspace, flexible=True, middle=True, most=40, rank=5),
    Column("context", lambda row: row.context, flexible=True, most=80, rank=1),
)
_STATES: dict[str, State] = {"failed": "failed", "history": "quiet", "saved": "quiet"}
_FAILED_MOST = 5
_LEADING = 5  # of each kind
_WORDS: dict[str, str] = {"processes": "execs", "files": "events", "network": "exchanges", "models": "tokens", "tools": "calls"}


def screen_lines(look: Look, wanted: Wanted, screen: Screen) -> Iterator[Line]:
    """All of it: its source, the table, the most frequent activities, the newest failures."""
    rows = wanted.all_of(look.rows)
    shown = rows[: wanted.rows]
    yield Prose(heading(look, rows))
    yield ""
    if not rows:
        yield "no agent runs, and no session was found" if look.rows == () else "no session fits --pid and --comm"
    yield from table(COLUMNS, shown, screen)
    if len(shown) < len(rows):
        yield Span(f" {len(rows) - len(shown)} more: --rows {min(100, len(rows))}", "quiet")
    lines = list(activity_lines(shown, wanted.view))
    yield from ("", *lines) if lines else ()
    failures = [text for row in shown for text in reversed(row.failed)][:_FAILED_MOST]
    if failures:
        yield ""
        yield "recent failures"
        yield from ((" ", Span(text, "failed")) for text in failures)
    yield ""
    for note in look.notes:
        yield Prose(f"note: {note}")


def heading(look: Look, rows: Sequence[TopRow]) -> str:
    """When, how many, what they took, and where it is known from."""
    tokens = sum(row.tokens or 0 for row in rows)
    known = [row.cost_usd for row in rows if row.cost_usd is not None]
    unknown = sum(row.cost_usd is None and bool(row.tokens) for row in rows)
    unpriced = f" and {plural(unknown, 'session')} without a price" if unknown else ""
    cost = [f"{money(sum(known))}{unpriced}"] if known else []
    running = sum(row.state == "live" for row in rows)
    parts = [clock(look.now_ms), plural(len(rows), "session"), f"{running} live", f"{amount(tokens)} tokens", *cost]
    return f"{' · '.join(parts)} · from {look.source}"


def done(row: TopRow) -> str:
    """`1 fail, 2 proc, 5 tool, 1 exec, 3 file, 2 net`: the known values that are not 0; failures, since the end may be cut."""
    numbers = (
        (row.failures, "fail"),
        (row.processes, "proc"),
        (row.tools, "tool"),
        (row.execs, "exec"),
        (row.files, "file"),
        (row.network, "net"),
    )
    return ", ".join(f"{count(number)} {name}" for number, name in numbers if number)


def since(age_s: int | None) -> str:
    """5s, 12m, 3h05m, 2d04h."""
    if age_s is None:
        return ""
    minutes, hours, days = age_s // 60, age_s // 3600, age_s // 86_400
    if days:
        return f"{days}d{hours % 24:02d}h"
    if hours:
        return f"{hours}h{minutes % 60:02d}m"
    return f"{minutes}m" if minutes else f"{age_s}s"


def activity_lines(rows: Sequence[TopRow], view: View) -> Iterator[Line]:
    """A line a kind: the most frequent activities."""
    found = activity(rows, view)
    width = max((len(each.view) for each in found), default=0)
    for each in found:
        named = [f"{name} {amount(number)}" for name, number in each.counts[:_LEADING]]
        yield Span(f"{each.view:<{width}}  ", "quiet"), f"{', '.join(named)} ({_WORDS[each.view]})"


def detail_lines(row: TopRow, view: View) -> Iterator[Line]:
    """All that is known of one row."""
    yield Span(row.session, "title"), f"  {row.agent} {row.pid or ''} · {row.state} · known from {'+'.join(row.evidence)}"
    parts = (row.workspace or "directory unknown", row.model or "model unknown", f"cost {money(row.cost_usd)}", done(row))
    yield " · ".join(part for part in parts if part)
    yield row.context
    yield from activity_lines([row], view)
    for text in reversed(row.failed):
        yield Span(text, "failed")


# -- refreshed -----------------------------------------------------------------------------------------------------
# Looks -> a screen that is drawn again with each, without keys: where textual is not installed, or not wanted.


def refreshed(looks: Looks, *, hint: str = "") -> None:
    """Until Ctrl-C."""
    console = Console(highlight=False)
    try:
        with Drawing(console=console, auto_refresh=False, screen=True) as drawing:
            for look in looks.each(None):
                drawing.update(_drawn(look, looks, hint), refresh=True)
    except KeyboardInterrupt:
        return


def _drawn(look: Look, looks: Looks, hint: str) -> Text:
    size = shutil.get_terminal_size()
    screen = Screen(width=size.columns, colour=has_colour(os.environ), now_ms=look.now_ms)
    lines = [render(line, screen) for line in screen_lines(look, looks.wanted, screen)]
    last = render(Prose(f"Ctrl-C ends{f'; {hint}' if hint else ''}"), screen).splitlines()
    whole = [each for line in lines for each in line.splitlines() or [""]]
    text = Text.from_ansi("\n".join([*whole[: max(0, size.lines - len(last))], *last]))
    text.no_wrap = True
    return text
