"""agentsight-rx report calls: one line a call of a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from ...policy.rules.http import compile_http
from ...store.words import amount, money, plural, tokens_said, took
from ...view import CallRow
from ...view.queries.calls.call import read_calls
from ...view.queries.calls.costs import PricedCall, summed
from ...view.queries.records import is_matched
from .call_words import cost_said, new_in_call, state_of_call
from .shown.ask import Ask
from .shown.screen import Cell, Column, Line, Prose, Screen, table
from .shown.words import clock, listed

_NEWEST = 50
_WIDE = 120  # cells, from which on there is room for the answers
COLUMNS = (
    Column("turn", right=True),
    Column("time"),
    Column("took", right=True, rank=2),
    Column("in", right=True),
    Column("cached", right=True, rank=1),
    Column("out", right=True),
    Column("cost", right=True),
    Column("tools", right=True, rank=3),
    Column("model", most=24, flexible=True),
    Column("what was new", flexible=True),
    Column("answer", flexible=True),
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
    yield from table(COLUMNS, (_cells(row, screen, one_model=len(models) == 1) for row in rows), screen)
    if rows:
        sums = (sum(getattr(row, f"{kind}_tokens") for row in rows) for kind in ("asked", "cache_read", "output"))
        yield ""
        yield Prose(
            f"{plural(len(rows), 'call')} · {tokens_said(*sums)} · {cost_said(summed(rows))} · {listed(sorted(models), 3)}"
        )


def _cells(row: PricedCall, screen: Screen, *, one_model: bool) -> tuple[Cell, ...]:
    state = state_of_call(row)
    has_tokens = bool(row.total_tokens)
    return (
        str(row.turn or ""),
        clock(row.start_timestamp_ms),
        took(None if row.end_timestamp_ms is None else row.end_timestamp_ms - row.start_timestamp_ms),
        amount(row.asked_tokens) if has_tokens else "",
        amount(row.cache_read_tokens) if has_tokens else "",
        amount(row.output_tokens) if has_tokens else "",
        money(row.cost_usd) if has_tokens else "",
        str(row.tools or ""),
        "" if one_model else row.model or "unknown",
        new_in_call(row),
        state if state.text != "whole" else row.text if screen.width >= _WIDE else "",
    )
