"""agentsight-rx guard test: the alerts that rules would have made on recordings, before they are switched on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from ...core.errors import StoreError
from ...core.messages import program, say
from ...policy.rules.guard.homes import shortened
from ...policy.rules.guard.values import Rules
from ...runtime.recording.earlier_hosts import hosts_in
from ...runtime.recording.guard_file import priced_by
from ...runtime.recording.judged import judged
from ...runtime.recording.price_file import load_prices
from ...store.rows.tables import SESSIONS
from ...store.state import LmdbStore
from ...view import AlertRow
from ...view.queries.reading import rows_of
from ..flags.form import Form
from ..flags.guard import given_rules
from ..report.plain import write_json
from ..report.screen import Column, Line, Screen, Whole, render, table
from ..report.words import plural
from ..stores import newest_store, recorded
from ..streams import write_line
from .gaps import Gap, Needs, gap_lines, gaps_in
from .rules_list import RulesFile
from .suggested import Suggested, suggested

__all__ = ["COLUMNS", "Tried", "try_rules"]

_DAY_MS = 86_400_000
_TARGETS = 10
_NO_GAPS = "no gaps: all that the rules are about was recorded, as far as the kernel shows it"
COLUMNS = (
    Column("rule"),
    Column("does"),
    Column("alerts", right=True),
    Column("left", right=True),
    Column("days", right=True),
    Column("most frequent target", flexible=True, middle=True),
    Column("entry", flexible=True),
)


class Tried(Struct, frozen=True):
    """What came of one rule: its alerts, of these the ones that no suggested entry removes, the days, the targets."""

    rule: str
    do: str
    alerts: int
    left: int
    days: int
    targets: tuple[tuple[str, int], ...]
    entry: str = ""


def try_rules(
    *,
    stores: Annotated[
        list[Path] | None, typer.Argument(metavar="[STORE]...", help="Recordings; without one, all of yours.")
    ] = None,
    suggest: Annotated[bool, typer.Option("--suggest", help="Name entries that would remove many alerts.")] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Rules without an alert, and all targets.")] = False,
    show_gaps: Annotated[bool, typer.Option("--gaps", help="What the rules could not have seen, and which.")] = False,
    rules: RulesFile = None,
    form: Form,
) -> None:
    """Try the rules on recordings: the alerts of each rule and day, and what they are about. Equal to a live run."""
    found = given_rules(rules, folder=Path.cwd())
    priced = priced_by(load_prices(None), found)
    places = stores or recorded() or [newest_store(None)]
    rows, sessions, read = list[AlertRow](), 0, 0
    earlier: dict[tuple[str, str], None] = {}  # hosts, by workspace
    gaps, needs = list[Gap](), Needs(found)
    for place in places:
        try:
            store = LmdbStore.open(place, readonly=True)
        except StoreError as error:
            if stores:
                raise
            say(f"left out: {error}")
            continue
        try:
            rows += judged(store, found, priced=priced, earlier=tuple(earlier))
            earlier.update(dict.fromkeys(hosts_in(store)))
            gaps += gaps_in(store, place, needs)
            sessions += sum(1 for _ in rows_of(store, SESSIONS))
            read += 1
        finally:
            store.close()
    if show_gaps:
        _write_gaps(gaps, found, form)
        return
    entries = suggested(rows) if suggest else []
    results = [each for each in _tried(rows, found, entries) if show_all or each.alerts]
    if form.as_json:
        for each in results:
            write_json(each)
        return
    screen = Screen()
    for line in _lines(results, rows, screen, (read, sessions), suggest=suggest, show_all=show_all):
        write_line(render(line, screen))
    for line in _gaps_said(gaps):
        write_line(render(line, screen))


def _write_gaps(gaps: Sequence[Gap], rules: Rules, form: Form) -> None:
    if form.as_json:
        for each in gaps:
            write_json(each)
        return
    screen = Screen()
    for line in gap_lines(gaps, sum(rule.do != "off" for rule in rules.rules)) if gaps else [_NO_GAPS]:
        write_line(render(line, screen))


def _gaps_said(gaps: Sequence[Gap]) -> Iterator[Line]:
    if gaps:
        rules = len({name for gap in gaps for name in gap.rules})
        where = plural(len({gap.recording for gap in gaps}), "recording has gaps", "recordings have gaps")
        yield f"{where}, so {plural(rules, 'rule')} may have missed something there: {program()} guard test --gaps"


def _tried(rows: Sequence[AlertRow], rules: Rules, entries: Sequence[Suggested]) -> Iterator[Tried]:
    for rule in rules.rules:
        mine = [row for row in rows if row.rule == rule.name and row.part_of is None]
        entry = next((each for each in entries if each.rule == rule.name), None)
        yield Tried(
            rule.name,
            rule.do,
            alerts=len(mine),
            left=len(mine) - (entry.removes if entry else 0),
            days=len({row.timestamp_ms // _DAY_MS for row in mine}),
            targets=tuple(Counter(shortened(row.target) for row in mine).most_common(_TARGETS)),
            entry=entry.text if entry else "",
        )


def _lines(
    results: Sequence[Tried],
    rows: Sequence[AlertRow],
    screen: Screen,
    read: tuple[int, int],
    *,
    suggest: bool,
    show_all: bool,
) -> Iterator[Line]:
    loud = [each for each in results if each.do in ("warn", "stop")]
    alerts, left = sum(each.alerts for each in loud), sum(each.left for each in loud)
    begin, end = min((row.timestamp_ms for row in rows), default=0), max((row.timestamp_ms for row in rows), default=0)
    days = (end - begin) // _DAY_MS + 1
    entries = sum(bool(each.entry) for each in results)
    with_entries = f"; with {plural(entries, 'entry', 'entries')} {_weekly(left, days)}" if entries else ""
    where = f"{plural(read[0], 'recording')}, {plural(read[1], 'session')}"
    yield f"{where}: {_weekly(alerts, days)} would have reached you{with_entries}"
    yield from table(COLUMNS, (_cells(each, suggest=suggest) for each in results), screen)
    if show_all:
        for each in results:
            for target, count in each.targets:
                yield Whole(f"{each.rule}  {count}  {target}", indent=2)
    for each in results:
        if each.entry:
            yield Whole(f"[rule.{each.rule}]\n{each.entry}", indent=1)


def _weekly(alerts: int, days: int) -> str:
    if days < 7:
        return plural(alerts, "alert")
    return f"{plural(round(alerts * 7 / days), 'alert')} a week"


def _cells(each: Tried, *, suggest: bool) -> tuple[str, ...]:
    target, count = each.targets[0] if each.targets else ("", 0)
    too_few = "none to suggest" if suggest and not each.entry and each.alerts else ""
    return (
        each.rule,
        each.do,
        str(each.alerts),
        str(each.left) if suggest else "",
        str(each.days or ""),
        f"{target}, {count}" if target else "",
        each.entry or too_few,
    )
