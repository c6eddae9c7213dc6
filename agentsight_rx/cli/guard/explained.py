"""agentsight-rx guard explain: one alert whole: its thread, what it rests on, its rule, and how to allow it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ...policy.rules.guard.values import Rule
from ...store.state import LmdbStore, Store
from ...store.words import times_said
from ...view import AlertRow
from ...view.queries.alerts import alert_named, evidence_of
from ..flags.form import Form
from ..flags.guard import given_rules
from ..report.alert_words import flag_said, thread_said
from ..report.plain import write_json
from ..report.screen import Line, Prose, Screen, Whole, render
from ..report.words import clock
from ..stores import newest_store
from ..streams import write_line
from .suggested import entry_of

__all__ = ["explain"]

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
