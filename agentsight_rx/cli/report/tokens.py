"""agentsight-rx report tokens: tokens and costs by model, session, agent, prompt, commit, file, tool and more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from msgspec.structs import replace

from ...core.errors import UsageError
from ...view.queries.costs import CostSum
from ...view.queries.part_tokens import PART_GROUPINGS, PartGrouping, read_parts
from ...view.queries.tokens import GROUPINGS, Grouping, TokenGroup, read_tokens
from .ask import Ask
from .call_words import cost_said
from .screen import Column, Line, Prose, Screen, Whole, table
from .words import amount, money

__all__ = ["columns_of", "part_columns_of", "tokens"]

_PARTS = 25


def tokens(
    ask: Ask,
    group_by: Annotated[
        str,
        typer.Option(
            "--group-by",
            help="model, session, agent, prompt, commit, file, tool and others: a wrong one lists all.",
            metavar="KIND",
        ),
    ] = "model",
) -> None:
    """Tokens and costs, summed by model or by another --group-by, the largest first."""
    if group_by in PART_GROUPINGS:
        _parts(ask, group_by)
        return
    if group_by not in GROUPINGS:
        raise UsageError(f"--group-by {group_by!r} is unknown; expected one of {', '.join((*GROUPINGS, *PART_GROUPINGS))}")
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


def part_columns_of(kind: PartGrouping) -> tuple[Column, ...]:
    """The columns of parts of requests."""
    return (
        Column(kind, flexible=True, middle=kind == "file"),
        Column("parts", right=True),
        Column("requests", right=True),
        Column("carried", right=True),
        Column("cost", right=True),
    )


def _parts(ask: Ask, group_by: PartGrouping) -> None:
    groups = read_parts(ask.store, replace(ask.selection, limit=None), ask.prices, group_by)
    shown = groups[: ask.flags.limit or (None if ask.flags.show_all or ask.as_json else _PARTS)]
    if ask.as_json:
        ask.write(shown)
        return
    rows = [
        (
            group.group,
            f"{group.parts:,}",
            f"{group.requests:,}",
            amount(group.carried),
            "" if group.cost is None else money(group.cost),
        )
        for group in shown
    ]
    ask.write_lines(table(part_columns_of(group_by), rows, ask.screen) if rows else [f"no part of a request has a {group_by}"])
    ask.write_lines(
        ["", Prose("carried: tokens of the parts, in every request that sent them; the cost is that of sending them")]
    )
    if len(shown) < len(groups):
        ask.write_lines(
            [Whole(f"the first {len(shown)} of {len(groups)}; all of them: {ask.command} --group-by {group_by} --all")]
        )


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
