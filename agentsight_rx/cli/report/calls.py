"""agentsight-rx report calls: one line a call of a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from ...policy.rules.http import compile_http
from ...store.words import plural, tokens_said
from ...view import CallRow
from ...view.queries.calls.call import read_calls
from ...view.queries.calls.costs import PricedCall, summed
from ...view.queries.records import is_matched
from .call_words import cost_of, cost_said, new_in_call, state_of_call, tokens_of, took_by
from .shown.ask import Ask
from .shown.screen import Cell, Column, Columns, Line, Prose, Screen, table
from .shown.words import clock, listed

_NEWEST = 50
_WIDE = 120  # cells, from which on there is room for the answers


def columns_of(*, one_model: bool, wide: bool) -> Columns[PricedCall]:
    """The columns. `one_model`: it stands below the table, not in each row. `wide`: there is room for whole answers."""
    return (
        Column("turn", lambda row: row.turn_name, right=True),
        Column("time", lambda row: clock(row.start_timestamp_ms)),
        Column("took", took_by, right=True, rank=2),
        Column("in", lambda row: tokens_of(row, row.asked_tokens), right=True),
        Column("cached", lambda row: tokens_of(row, row.cache_read_tokens), right=True, rank=1),
        Column("out", lambda row: tokens_of(row, row.output_tokens), right=True),
        Column("cost", cost_of, right=True),
        Column("tools", lambda row: str(row.tools or ""), right=True, rank=3),
        Column("model", lambda row: "" if one_model else row.model or "unknown", most=24, flexible=True),
        Column("what was new", new_in_call, flexible=True),
        Column("answer", lambda row: _answer(row, wide=wide), flexible=True),
    )


def calls(
    ask: Ask,
    failed: Annotated[bool, typer.Option("--failed", help="Only failed or incomplete calls.")] = False,
    model: Annotated[
        str | None, typer.Option("--model", help="Only models whose name begins with this.", metavar="NAME")
    ] = None,
    rule: Annotated[str | None, typer.Option("--filter", help="Only calls that this rule matches.", metavar="RULE")] = None,
) -> None:
    """The calls of models, one line each: time, tokens, cost, new messages and answer."""

    rules = None if rule is None else compile_http([rule])

    def is_meant(row: CallRow) -> bool:
        if (failed and row.status == "complete") or not (row.model or "").startswith(model or ""):
            return False
        return rules is None or is_matched(ask.store, row.id, rules)

    ask.show(lambda selection: read_calls(ask.store, selection, ask.prices, where=is_meant), _lines, most=_NEWEST)


def _lines(rows: Sequence[PricedCall], screen: Screen) -> Iterable[Line]:
    models = {row.model or "unknown" for row in rows}
    yield from table(columns_of(one_model=len(models) == 1, wide=screen.width >= _WIDE), rows, screen)
    if rows:
        sums = (sum(getattr(row, f"{kind}_tokens") for row in rows) for kind in ("asked", "cache_read", "output"))
        yield ""
        yield Prose(
            f"{plural(len(rows), 'call')} · {tokens_said(*sums)} · {cost_said(summed(rows))} · {listed(sorted(models), 3)}"
        )


def _answer(row: PricedCall, *, wide: bool) -> Cell:
    state = state_of_call(row)
    return state if state.text != "whole" else row.text if wide else ""
