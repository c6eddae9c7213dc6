"""agentsight-rx report tokens and cache: tokens and costs by what they were for, and where the cache of a provider was lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import typer

from ...core.errors import UsageError
from ...store.rows.kinds import SessionRow
from ...store.words import amount, count, known_money, money, plural
from ...view.queries.calls.costs import CostSum
from ...view.queries.calls.tokens import GROUPINGS, Grouping, TokenGroup, tokens_of
from ...view.queries.context.context import TurnContext
from ...view.queries.context.part_tokens import PART_GROUPINGS, PartGroup, PartGrouping, parts_of
from ...view.queries.context.reading import read_contexts
from ...view.queries.context.report import CacheLoss, cache_losses, sessions_meant
from ...view.queries.context.words import cleared_said
from .call_words import cost_said
from .shown.ask import Ask, next_said
from .shown.every import every
from .shown.screen import Column, Columns, Line, Prose, Screen, table

# -- cache ---------------------------------------------------------------------------------------------------------
# agentsight-rx report cache: every time that the cache of a conversation was lost, why, and what that cost.


COLUMNS: Columns[CacheLoss] = (
    Column("turn", lambda loss: str(loss.turn), right=True),
    Column("lost", lambda loss: count(loss.tokens), right=True),
    Column("cost", lambda loss: known_money(loss.usd), right=True),
    Column("why", lambda loss: loss.why, flexible=True, most=200),
    Column("before", lambda loss: loss.cause.old if loss.cause else "", flexible=True, rank=2, most=40),
    Column("now", lambda loss: loss.cause.new if loss.cause else "", flexible=True, rank=2, most=40),
)


def cache(ask: Ask) -> None:
    """Each loss of the cache, why it was, and what it cost more than reading it."""
    sessions = sessions_meant(ask.store, ask.selection)
    agents = [agent for session in sessions for agent in read_contexts(ask.store, session.id, ask.prices)]
    losses = cache_losses(agents)
    if ask.as_json:
        ask.write(losses)
        return
    ask.write_lines(_lines(sessions, losses, ask))
    ask.write_lines(_no_losses([turn for agent in agents for turn in agent.turns]))


def _no_losses(turns: Sequence[TurnContext]) -> Iterator[Line]:
    """What made the begin of a request another one on purpose."""
    fallen = [str(turn.turn) for turn in turns if turn.compaction is not None]
    lines = [f"turn {', '.join(fallen)}: the conversation is shorter (report context --over-time)"] if fallen else []
    for turn in turns:
        if turn.cleared is not None:
            price = f", which cost {money(turn.cleared.usd)} more" if turn.cleared.usd else ""
            lines.append(f"turn {turn.turn}: {cleared_said(turn.cleared)}{price}")
    if lines:
        yield ""
        yield Prose("No losses, as they were meant:")
        for line in lines:
            yield Prose(line, mark="  ")


def _lines(sessions: Sequence[SessionRow], losses: Sequence[CacheLoss], ask: Ask) -> Iterator[Line]:
    if not losses:
        yield Prose(f"The cache was not lost in {plural(len(sessions), 'session')}.")
        return
    known = [each.usd for each in losses if each.usd is not None]
    price = f", which cost {money(sum(known))} more than reading it" if known else ""
    yield Prose(
        f"The cache was lost {plural(len(losses), 'time')}: {amount(sum(each.tokens for each in losses))} tokens{price}."
    )
    yield ""
    yield from table(COLUMNS, losses, ask.screen)
    yield ""
    first = losses[0].turn
    yield next_said([f"context {first}", f"diff {max(1, first - 1)} {first}"], ask.other)


# ------------------------------------------------------------------------------------------------------------------------


_PARTS = 25


def tokens(
    ask: Ask,
    group_by: Annotated[
        str,
        typer.Option(
            "--group-by",
            help="model, day, week, month, project, branch, agent, session, tool and others: a wrong one lists all.",
            metavar="KIND",
        ),
    ] = "model",
) -> None:
    """Tokens and costs in all stores, summed by model or by another --group-by, the largest first."""
    if group_by in PART_GROUPINGS:
        _parts(ask, group_by)
        return
    if group_by not in GROUPINGS:
        raise UsageError(f"--group-by {group_by!r} is unknown; expected one of {', '.join((*GROUPINGS, *PART_GROUPINGS))}")
    found = every(ask)
    groups = tokens_of(found.once, ask.prices, group_by=group_by)
    shown = groups[: ask.flags.limit]
    if ask.as_json:
        ask.write(shown)
        return
    ask.write_lines([*_tokens_lines(shown, ask.screen, group_by), *found.lines])
    if len(shown) < len(groups):
        ask.write_lines(["", ask.rest(f"the first {len(shown)} of {len(groups)}", f"--group-by {group_by}")])


def columns_of(kind: Grouping) -> Columns[TokenGroup]:
    """The columns, the first one named by the group."""
    return (
        Column(kind, lambda group: group.group, flexible=True, middle=kind in ("dir", "project")),
        Column("calls", lambda group: str(group.calls), right=True),
        Column("in", lambda group: amount(group.asked_tokens), right=True),
        Column("cached", lambda group: amount(group.cache_read_tokens), right=True),
        Column("to cache", lambda group: amount(group.cache_creation_tokens), right=True),
        Column("out", lambda group: amount(group.output_tokens), right=True),
        Column("total", lambda group: amount(group.total_tokens), right=True),
        Column("cost", lambda group: _cost(group.cost), right=True),
    )


def _tokens_lines(groups: Sequence[TokenGroup], screen: Screen, kind: Grouping) -> Iterable[Line]:
    if not groups:
        yield "no call of a model"
        return
    yield from table(columns_of(kind), groups, screen)
    yield ""
    yield Prose(f"cost at list price: {cost_said(_sum([group.cost for group in groups]))}")
    said, calls = (sum(getattr(group, name) for group in groups) for name in ("said_calls", "calls"))
    if said:
        yield Prose(
            f"{count(said)} of {plural(calls, 'call')} {'is' if said == 1 else 'are'} known from agents' own files alone"
        )


def part_columns_of(kind: PartGrouping) -> Columns[PartGroup]:
    """The columns of parts of requests."""
    return (
        Column(kind, lambda group: group.group, flexible=True, middle=kind == "file"),
        Column("parts", lambda group: count(group.parts), right=True),
        Column("requests", lambda group: count(group.requests), right=True),
        Column("carried", lambda group: amount(group.carried), right=True),
        Column("cost", lambda group: known_money(group.cost), right=True),
    )


def _parts(ask: Ask, group_by: PartGrouping) -> None:
    found = every(ask)
    groups = parts_of(found.once, ask.prices, group_by)
    shown = groups[: ask.flags.limit or (None if ask.flags.show_all or ask.as_json else _PARTS)]
    if ask.as_json:
        ask.write(shown)
        return
    columns = part_columns_of(group_by)
    ask.write_lines(table(columns, shown, ask.screen) if shown else [f"no part of a request has a {group_by}"])
    ask.write_lines(
        ["", Prose("carried: tokens of the parts, in every request that sent them; the cost is that of sending them")]
    )
    if len(shown) < len(groups):
        ask.write_lines([ask.rest(f"the first {len(shown)} of {len(groups)}", f"--group-by {group_by} --all")])
    ask.write_lines(found.lines)


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
