"""
agentsight-rx guard list and explain: the rules that hold, where they stand, why one raised an alert, and rules to suggest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from ...policy.rules.guard.compiled import allow_text
from ...policy.rules.guard.values import Allow, Rule, Rules
from ...store.state import LmdbStore, Store
from ...store.words import plural, times_said
from ...view import AlertRow
from ...view.queries.alerts import alert_named, evidence_of
from ...view.queries.decided import allowing, folder_entry, host_entry
from ..flags.filters import Form
from ..flags.guard import given_rules
from ..places.stores import newest_store
from ..program.errors import write_line
from ..report.shown.alert_words import flag_said, thread_said
from ..report.shown.ask import write_json
from ..report.shown.screen import Column, Columns, Line, Prose, Screen, Whole, render, table
from ..report.shown.words import clock

# -- suggested -----------------------------------------------------------------------------------------------------
# Alerts -> the entries of `allow` that would remove the most of them.


_ALERTS_LEAST, _SESSIONS_LEAST = 5, 3
# A credential is never suggested: who reads one on purpose writes the entry
_NEVER = frozenset({"reads-secret", "secret-left", "secret-in-prompt", "dangerous-command", "budget", "loop"})


class Suggested(Struct, frozen=True):
    """An entry for one rule, and how many of its alerts it removes."""

    rule: str
    entry: Allow
    removes: int

    @property
    def text(self) -> str:
        """As it stands below [rule.NAME]."""
        return f"allow.append = [{allow_text(self.entry)}]"


def suggested(rows: Sequence[AlertRow], /) -> list[Suggested]:
    """For each rule the entry of its most frequent host or folder, where many sessions have it. They hide nothing else."""
    found: list[Suggested] = []
    for rule in dict.fromkeys(row.rule for row in rows):
        mine = [row for row in rows if row.rule == rule]
        if rule in _NEVER:
            continue
        for make in (host_entry, folder_entry):
            best = _most_frequent(mine, make)
            if best is not None:
                found.append(Suggested(rule, best, sum(make(row) == best for row in mine)))
                break
    return found


def entry_of(row: AlertRow, /) -> str:
    """The line below [rule.NAME] that would allow the deed of an alert; empty where no entry can."""
    entry = allowing(row)
    return f"allow.append = [{allow_text(entry)}]" if entry is not None else ""


def _most_frequent(rows: Iterable[AlertRow], make: Callable[[AlertRow], Allow | None]) -> Allow | None:
    entries = [(entry, row.session_id) for row in rows if (entry := make(row)) is not None]
    counted = Counter(entry for entry, _ in entries).most_common(1)
    if not counted or counted[0][1] < _ALERTS_LEAST:
        return None
    entry = counted[0][0]
    return entry if len({session for each, session in entries if each == entry}) >= _SESSIONS_LEAST else None


# -- explained -----------------------------------------------------------------------------------------------------
# agentsight-rx guard explain: one alert whole: its thread, what it rests on, its rule, and how to allow it.


_LINKS = ("prompt to tool", "tool to process", "process to target")


def explain(
    *,
    alert: Annotated[str, typer.Argument(metavar="ALERT", help="Its name, as a31, or the begin of its id.")],
    db: Annotated[Path | None, typer.Option("--db", help="The store; without it the newest recording.", metavar="PATH")] = None,
    form: Form,
) -> None:
    """One alert whole: its thread, what it rests on, its rule, and the entry that would allow it."""
    store = LmdbStore.open(newest_store(db), readonly=True)
    try:
        row = alert_named(store, alert)
        if form.as_json:
            write_json(row)
            return
        screen = Screen()
        for line in _lines(store, row, given_rules(None).named(row.rule)):
            write_line(render(line, screen))
    finally:
        store.close()


def _lines(store: Store, row: AlertRow, rule: Rule | None) -> Iterator[Line]:
    yield Prose(f"{row.sentence}", mark=f"{flag_said(row)} ")
    yield Whole(
        f"{row.name} · {row.rule}, {row.do} · {clock(row.timestamp_ms)} · {times_said(row.count) if row.count > 1 else 'once'}",
        indent=2,
    )
    yield Whole(f"thread    {thread_said(row)}", indent=2)
    yield Whole(
        f"links     {row.proven} of {row.links} proven ({', '.join(_LINKS)}){'' if row.complete else '; seen in part'}",
        indent=2,
    )
    if row.because:
        yield Prose(row.because, mark="  because   ")
    yield Whole("rests on", indent=2)
    for each in evidence_of(store, row):
        yield Whole(f"{clock(each.timestamp_ms)}  {each.text}" if each.text else f"{each.id}, not there any more", indent=4)
    if rule is not None:
        for name, text in (("means     ", rule.means), ("misses    ", rule.misses)):
            if text:
                yield Prose(text, mark=f"  {name}")
    entry = entry_of(row)
    if entry:
        yield Whole(f"to allow  [rule.{row.rule}]\n{entry}", indent=2)


# ------------------------------------------------------------------------------------------------------------------------


RulesFile = Annotated[
    Path | None, typer.Option("--guard-rules", "--rules", help="The rules in this file instead of your own.", metavar="FILE")
]
COLUMNS: Columns[Rule] = (
    Column("rule", lambda rule: rule.name),
    Column("does", lambda rule: rule.do),
    Column("allows", lambda rule: str(len(rule.allow) or ""), right=True),
    Column("from", lambda rule: "built in" if rule.built_in else rule.place.partition(": rule ")[0], most=24, flexible=True),
    Column("because", lambda rule: rule.because),
)


def list_rules(
    *,
    show_all: Annotated[bool, typer.Option("--all", help="What each means and misses, and its text.")] = False,
    rules: RulesFile = None,
    form: Form,
) -> None:
    """The rules that hold here: built-in, your own, and of the workspace."""
    found = given_rules(rules, folder=Path.cwd())
    if form.as_json:
        for rule in found.rules:
            write_json(rule)
        return
    screen = Screen()
    for line in _whole(found) if show_all else _short(found, screen):
        write_line(render(line, screen))


def _short(found: Rules, screen: Screen) -> Iterator[Line]:
    yield f"{plural(len(found.rules), 'rule')}, sha256 {found.sha256[:8]}, {_deliveries(found)}"
    yield from table(COLUMNS, found.rules, screen)


def _deliveries(found: Rules) -> str:
    return plural(len(found.deliver), "delivery", "deliveries") if found.deliver else "no delivery"


def _whole(found: Rules) -> Iterator[Line]:
    for rule in found.rules:
        yield f"[rule.{rule.name}] {rule.do}: {rule.because}"
        yield Whole(f"when   {rule.when}", indent=2)
        for name, text in (("means  ", rule.means), ("misses ", rule.misses)):
            if text:
                yield Prose(text, mark=f"  {name}")
        for entry in rule.allow:
            yield Whole(f"allow  {allow_text(entry)}", indent=2)
        yield ""
