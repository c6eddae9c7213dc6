"""agentsight-rx report tokens: tokens and costs by model, provider, session, agent, process, directory or day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from msgspec.structs import replace

from ...errors import UsageError
from ...view.queries.costs import CostSum
from ...view.queries.tokens import GROUPINGS, Grouping, TokenGroup, read_tokens
from .ask import Ask
from .call_words import cost_said
from .screen import Column, Line, Prose, Screen, Whole, table
from .words import amount, money

__all__ = ["columns_of", "tokens"]


def tokens(
    ask: Ask,
    group_by: Annotated[
        str,
        typer.Option("--group-by", help="model, provider, session, agent, agent-version, comm, pid, dir, day.", metavar="KIND"),
    ] = "model",
) -> None:
    """Tokens and costs, summed by model or by another --group-by, the largest first."""
    if group_by not in GROUPINGS:
        raise UsageError(f"--group-by {group_by!r} is unknown; expected one of {', '.join(GROUPINGS)}")
    groups = read_tokens(ask.store, replace(ask.selection, limit=None), ask.prices, group_by=group_by)
    shown = groups[: ask.flags.limit]
    if ask.as_json:
        ask.write(shown)
        return
    ask.write_lines(_lines(shown, ask.screen, group_by))
    if len(shown) < len(groups):
        ask.write_lines(
            ["", Whole(f"the first {len(shown)} of {len(groups)}; all of them: {ask.command} --group-by {group_by}")]
        )


def columns_of(kind: Grouping) -> tuple[Column, ...]:
    """The columns, the first one named by the group."""
    return (
        Column(kind, flexible=True, middle=kind == "dir"),
        Column("calls", right=True),
        Column("in", right=True),
        Column("cached", right=True),
        Column("to cache", right=True),
        Column("out", right=True),
        Column("total", right=True),
        Column("cost", right=True),
    )


def _lines(groups: Sequence[TokenGroup], screen: Screen, kind: Grouping) -> Iterable[Line]:
    if not groups:
        yield "no call of a model"
        return
    rows = [
        (
            group.group,
            str(group.calls),
            amount(group.asked_tokens),
            amount(group.cache_read_tokens),
            amount(group.cache_creation_tokens),
            amount(group.output_tokens),
            amount(group.total_tokens),
            _cost(group.cost),
        )
        for group in groups
    ]
    yield from table(columns_of(kind), rows, screen)
    yield ""
    yield Prose(f"cost at list price: {cost_said(_sum([group.cost for group in groups]))}")


def _cost(cost: CostSum) -> str:
    return f"{money(cost.usd)} + unknown" if cost.unknown_calls and cost.usd is not None else money(cost.usd)


def _sum(costs: Sequence[CostSum]) -> CostSum:
    known = [cost.usd for cost in costs if cost.usd is not None]
    return CostSum(
        sum(known) if known else None,
        sum(cost.unknown_calls for cost in costs),
        unknown_models=tuple(dict.fromkeys(model for cost in costs for model in cost.unknown_models)),
        as_of=max((cost.as_of for cost in costs if cost.as_of), default=None),
        by=tuple(dict.fromkeys(name for cost in costs for name in cost.by)),
    )
