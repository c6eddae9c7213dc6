"""agentsight-rx report alerts: what agents did that a rule of the guard is about."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from ...core.messages import program
from ...runtime.recording.judged import had_guard, judged
from ...store.words import plural
from ...view import AlertRow
from ...view.queries.alerts import LEVELS, read_alerts
from ..values import one_of
from .shown.alert_words import alert_lines
from .shown.ask import Ask
from .shown.screen import Line, Prose, Screen, Whole

_NEWEST = 20


def alerts(
    ask: Ask,
    level: Annotated[str, typer.Option("--level", help="From this level on: note, warn or stop.", metavar="LEVEL")] = "note",
    rule: Annotated[str | None, typer.Option("--rule", help="Only of this rule.", metavar="NAME")] = None,
) -> None:
    """What agents did that a rule of the guard is about, oldest first; `guard explain` has all of one."""
    one_of("--level", level, LEVELS)

    if not ask.as_json and not had_guard(ask.store):
        ask.write_lines(_without_guard(ask))
        return

    def lines(rows: Sequence[AlertRow], _: Screen) -> Iterable[Line]:
        return _lines(rows, ask)

    ask.show(lambda selection: read_alerts(ask.store, selection, least=level, rule=rule), lines, most=_NEWEST)


def _without_guard(ask: Ask) -> Iterator[Line]:
    """No rule was applied: what the rules of now would have found."""
    from ...runtime.recording.guard_file import priced_by
    from ..flags.guard import given_rules

    rules = given_rules(None, folder=Path.cwd())
    found = [row for row in judged(ask.store, rules, priced=priced_by(ask.prices, rules)) if row.part_of is None]
    notes = sum(row.do == "note" for row in found)
    counts = (len(found) - notes, "alert"), (notes, "note")
    said = " and ".join(plural(count, name) for count, name in counts if count) or "nothing"
    how = "is from agents' own files, and no guard was there" if ask.is_said else "was recorded without a guard"
    yield Whole(f"no rule was applied: {ask.path} {how}")
    yield Whole(f"the rules of now find {said}: {program()} guard test {shlex.quote(str(ask.path))}")


def _states(rows: Sequence[AlertRow]) -> tuple[dict[str, str], str]:
    """The states of alerts, as the page has them, and the mistake in the rules of now, if there is one."""
    from ...view.queries.decided import state_of
    from ..capturing.stopping import deciding

    decisions = deciding().now()
    return {row.id: state_of(row, decisions) for row in rows}, decisions.wrong


def _count(states: dict[str, str], state: str) -> int:
    return sum(each == state for each in states.values())


def _lines(rows: Sequence[AlertRow], ask: Ask) -> Iterator[Line]:
    shown = [row for row in rows if row.part_of is None or ask.flags.show_all]
    if not shown:
        return
    notes = sum(row.do == "note" for row in shown)
    counted = [plural(len(shown) - notes, "alert"), *([plural(notes, "note")] if notes else [])]
    within = len(rows) - len(shown)
    hidden = f"; {within} more {'is' if within == 1 else 'are'} a part of these (--all)" if within else ""
    states, wrong = _states(shown)
    decided = ", ".join(f"{count} {state}" for state in ("stopped", "seen", "allowed") if (count := _count(states, state)))
    yield f"{', '.join(counted)}{f': {decided}' if decided else ''}{hidden}"
    if wrong:
        yield Prose(f"your rules cannot be read, so no alert counts as allowed: {wrong}")
    yield from alert_lines(shown, states)
    loud = [row for row in reversed(shown) if row.do != "note"]
    first = next((row for row in loud if states.get(row.id, "new") in ("new", "stopped")), (loud or shown[-1:])[0])
    yield Whole(f"next: {ask.guard('explain', first.name)}")
