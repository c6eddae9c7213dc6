"""agentsight-rx report cache: every time that the cache of a conversation was lost, why, and what that cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from ...llm.context.losses import Cause
from ...store.rows.kinds import SessionRow
from ...store.rows.tables import SESSIONS
from ...view.queries.context import TurnContext
from ...view.queries.context_reading import read_contexts
from ...view.queries.context_words import cleared_said, lost_said
from ...view.queries.reading import newest_session, selected
from .ask import Ask
from .screen import Column, Line, Prose, Whole, table
from .words import amount, money, plural

__all__ = ["COLUMNS", "Loss", "cache"]

COLUMNS = (
    Column("turn", right=True),
    Column("lost", right=True),
    Column("cost", right=True),
    Column("why", flexible=True, most=200),
    Column("before", flexible=True, rank=2, most=40),
    Column("now", flexible=True, rank=2, most=40),
)


class Loss(Struct, frozen=True):
    """One lost cache, as JSON: in which request, of which agent, and why."""

    session: str
    agent_id: str | None
    turn: int
    call: str
    tokens: int
    usd: float | None
    why: str
    cause: Cause | None


def cache(ask: Ask) -> None:
    """Each loss of the cache, why it was, and what it cost more than reading it."""
    sessions = list(_sessions(ask))
    agents = [agent for session in sessions for agent in read_contexts(ask.store, session.id, ask.prices)]
    losses = [
        Loss(
            turn.call.session_id or "",
            agent.agent_id,
            turn.turn,
            call=turn.call.id,
            tokens=turn.lost.tokens,
            usd=turn.lost.usd,
            why=lost_said(turn.lost),
            cause=turn.lost.cause,
        )
        for agent in agents
        for turn in agent.turns
        if turn.lost is not None
    ]
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


def _sessions(ask: Ask) -> Iterator[SessionRow]:
    if ask.selection.sessions is None and ask.selection.whole:
        newest = newest_session(ask.store)
        yield from [newest] if newest else []
    else:
        yield from selected(ask.store, SESSIONS, ask.selection)


def _lines(sessions: Sequence[SessionRow], losses: Sequence[Loss], ask: Ask) -> Iterator[Line]:
    if not losses:
        yield Prose(f"The cache was not lost in {plural(len(sessions), 'session')}.")
        return
    known = [each.usd for each in losses if each.usd is not None]
    price = f", which cost {money(sum(known))} more than reading it" if known else ""
    yield Prose(
        f"The cache was lost {plural(len(losses), 'time')}: {amount(sum(each.tokens for each in losses))} tokens{price}."
    )
    yield ""
    yield from table(COLUMNS, map(_row, losses), ask.screen)
    yield ""
    first = losses[0].turn
    yield Whole(f"next: {ask.other('context')} {first} · {ask.other('diff')} {max(1, first - 1)} {first}")


def _row(loss: Loss) -> tuple[str, ...]:
    cost = "" if loss.usd is None else money(loss.usd)
    return str(loss.turn), f"{loss.tokens:,}", cost, loss.why, *((loss.cause.old, loss.cause.new) if loss.cause else ("", ""))
