"""agentsight-rx guard list: the rules that hold, what they do, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ...policy.rules.guard.compiled import allow_text
from ...policy.rules.guard.values import Rule, Rules
from ..flags.form import Form
from ..flags.guard import given_rules
from ..report.plain import write_json
from ..report.screen import Column, Line, Prose, Screen, Whole, render, table
from ..report.words import plural
from ..streams import write_line

__all__ = ["COLUMNS", "RulesFile", "list_rules"]

RulesFile = Annotated[
    Path | None, typer.Option("--guard-rules", "--rules", help="The rules in this file instead of your own.", metavar="FILE")
]
COLUMNS = (
    Column("rule"),
    Column("does"),
    Column("allows", right=True),
    Column("from", most=24, flexible=True),
    Column("because"),
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
    yield from table(COLUMNS, (_cells(rule) for rule in found.rules), screen)


def _cells(rule: Rule) -> tuple[str, ...]:
    place = "built in" if rule.built_in else rule.place.partition(": rule ")[0]
    return rule.name, rule.do, str(len(rule.allow) or ""), place, rule.because


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
