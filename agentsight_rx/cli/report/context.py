"""agentsight-rx report context: the parts of a model's context, the cost of each, and possible savings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from ...core.errors import UsageError
from ...store.rows.kinds import SAID, CallRow
from ...store.words import amount, count, known_money, money, percent, plural
from ...view.queries.calls.call import find_calls
from ...view.queries.context.context import AgentContext, TurnContext
from ...view.queries.context.findings import Avoidable, avoidable, with_instruction_files
from ...view.queries.context.reading import read_beside, read_contexts
from ...view.queries.context.report import called_tools, context_report
from ...view.queries.context.segments import Segment, carried
from ...view.queries.context.words import (
    ORIGINS,
    avoidable_said,
    cleared_said,
    counted_said,
    lost_said,
    sentence_of,
    unread_said,
    what_to_do,
)
from ...view.queries.reading import newest_session
from .shown.ask import Ask, next_said
from .shown.screen import Cell, Column, Columns, Line, Prose, Screen, Span, Whole, table
from .shown.words import listed

_ROWS = 12
_FINDINGS = 5
_AGENTS_SHOWN = 4
_BAR = 30  # cells of the longest one

SEGMENTS: Columns[Segment] = (
    Column("tokens", lambda each: _tokens(each.tokens, exact=each.exact) if each.held else "", right=True),
    Column("requests", lambda each: count(each.requests), right=True),
    Column("since", lambda each: str(each.since), right=True),
    Column("cost so far", lambda each: known_money(each.cost), right=True),
    Column("what", lambda each: _what(each), flexible=True, middle=True, most=70),
)


def context(
    ask: Ask,
    call: Annotated[str, typer.Argument(help="Its turn in the newest session (or --session), or its id.", metavar="N|ID")] = "",
    over_time: Annotated[bool, typer.Option("--over-time", help="A line for each turn.")] = False,
) -> None:
    """The parts of the context: of the newest request of the session, or of one call."""
    session, wanted = _wanted(ask, call)
    agents = with_instruction_files(ask.store, read_contexts(ask.store, session, ask.prices))
    mine = [each for each in agents if wanted is None or each.agent_id == wanted.agent_id]
    agent = mine[0] if mine else None
    if wanted is not None and (agent is None or wanted.id not in {each.call.id for each in agent.turns}):
        (agent,) = with_instruction_files(ask.store, [read_beside(ask.store, wanted, ask.prices)])
    if agent is None:
        ask.write([]) if ask.as_json else ask.write_lines([ask.nothing("of a model's context")])
        return
    agent = agent.at(wanted.thread_turn) if wanted is not None and wanted.thread_turn else agent
    findings = avoidable(agent, called_tools(ask.store, ask.selection, session))
    if over_time:
        ask.write(map(_turn_json, agent.turns)) if ask.as_json else ask.write_lines(_over_time(agent, ask.screen))
        return
    if ask.as_json:
        ask.write([context_report(session, agent, findings)])
        return
    ask.write_lines(context_lines(agent, findings, ask.screen, most=None if ask.flags.show_all else ask.flags.limit or _ROWS))
    ask.write_lines(_next(ask, [each for each in agents if each.agent_id != agent.agent_id]))


def _wanted(ask: Ask, call: str) -> tuple[str, CallRow | None]:
    """The session, and its call; None for the newest."""
    if call:
        found = find_calls(ask.store, call, ask.selection)
        if not found or found[0].session_id is None:
            raise UsageError(f"there is no call {call!r}; list them with: {ask.other('calls')}")
        return found[0].session_id, found[0]
    chosen = sorted(ask.selection.sessions or ())
    if len(chosen) > 1:
        raise UsageError(f"{plural(len(chosen), 'session')} are selected; name one with --session ({ask.other('sessions')})")
    newest = newest_session(ask.store) if not chosen else None
    return (chosen[0] if chosen else newest.id if newest else ""), None


def context_lines(agent: AgentContext, findings: Sequence[Avoidable], screen: Screen, *, most: int | None) -> Iterator[Line]:
    """A sentence, the tokens by origin, the dearest parts, and possible savings."""
    last = agent.turns[-1]
    yield Prose(sentence_of(agent, last, findings))
    yield Prose(counted_said(last), mark="" if last.usage else "┄ ")
    if not last.sums:
        return
    yield ""
    yield from _sums(last, screen)
    segments = carried(agent)
    shown = segments[:most]
    yield ""
    yield from table(SEGMENTS, shown, screen)
    rest = [each for each in segments if each not in shown]
    if rest:
        costs = [each.cost for each in rest]
        price = f", {money(sum(each or 0.0 for each in costs))}" if agent.is_priced else ""
        gone = sum(not each.held for each in rest)
        dropped = f", {plural(gone, 'of them dropped', 'of them dropped')}" if gone else ""
        yield Whole(f"    …  {plural(len(rest), 'smaller one')}{price}{dropped}")
    yield Prose(_paid(agent, segments))
    lines = [_finding(each) for each in findings[:_FINDINGS]]
    if lines:
        yield ""
        yield Span(" worth a look", "quiet")
        for line in lines:
            yield from line


def _sums(turn: TurnContext, screen: Screen) -> Iterator[Line]:
    sums, largest = turn.sums, max(turn.sums.values())
    exact = turn.usage is not None and turn.call.view_source != SAID
    columns: Columns[str] = (
        Column("", lambda origin: ORIGINS[origin]),
        Column("", lambda origin: _tokens(sums[origin], exact=exact), right=True),
        Column("", lambda origin: percent(sums[origin] / max(1, turn.total)), right=True),
        Column("", lambda origin: "█" * max(1, round(_BAR * sums[origin] / largest)), flexible=True, rank=1),
    )
    yield from table(columns, [origin for origin in ORIGINS if sums.get(origin)], screen)


def _tokens(number: int, *, exact: bool) -> str:
    return f"{'' if exact else '≈ '}{count(number)}"


def _what(segment: Segment) -> str:
    name = f"{segment.name} ({plural(segment.count, 'tool')})" if segment.id.startswith("server:") else segment.name
    read = f", which the agent read ({segment.read.evidence})" if segment.read else ""
    preview = f": {segment.preview}" if segment.origin in ("prompt", "reminder") and segment.preview else ""
    gone = "" if segment.held else f", dropped behind turn {segment.last}"
    return f"{name}{read}{gone}{preview}"


def _paid(agent: AgentContext, segments: Sequence[Segment]) -> str:
    if not agent.is_priced:
        return "no price is known of this model, so costs are left out (--prices FILE)"
    total = sum(each.cost or 0.0 for each in segments) + agent.thread.costs.unplaced
    requests = sum(turn.known for turn in agent.turns)
    return f"all parts of {plural(requests, 'request')}: {money(total)}, which is the cost of their input"


def _finding(found: Avoidable) -> Iterator[Line]:
    price = f"{money(found.usd)} " if found.usd else ""
    yield Prose(f"{price}{avoidable_said(found)}", mark="  ")
    yield Prose(what_to_do(found), mark="    → ")


def _over_time(agent: AgentContext, screen: Screen) -> Iterator[Line]:
    most = max((turn.total for turn in agent.turns), default=1) or 1
    columns: Columns[TurnContext] = (
        Column("turn", lambda turn: str(turn.turn), right=True),
        Column("tokens", lambda turn: _tokens(turn.total, exact=turn.usage is not None), right=True),
        Column("from cache", lambda turn: count(turn.usage.cache_read) if turn.usage else "", right=True),
        Column("new", lambda turn: count(sum(each.tokens for each in turn.added)) if turn.known else "", right=True),
        Column("most of it", _largest, flexible=True, rank=2),
        Column("", lambda turn: _change(turn) or "█" * round(_BAR * turn.total / most), flexible=True, least=20, most=70),
    )
    yield from table(columns, agent.turns, screen)


def _largest(turn: TurnContext) -> str:
    largest = max(turn.sums, key=lambda origin: turn.sums[origin], default="")
    return ORIGINS.get(largest, largest)


def _change(turn: TurnContext) -> Cell:
    """What happened to the context in it; empty where it only grew."""
    if turn.lost is not None:
        return Span(f"cache lost: {lost_said(turn.lost)}", "missing")
    if turn.compaction is not None:
        by = " by the provider" if turn.compaction.by_provider else ""
        what = f"compacted{by}" if turn.compaction.summed_up else "left out"
        return f"{what}: {amount(turn.compaction.tokens)} dropped"
    if turn.cleared is not None:
        return cleared_said(turn.cleared)
    return "" if turn.known else Span(unread_said(turn), "missing")


def _turn_json(turn: TurnContext) -> dict[str, object]:
    lost, fall = turn.lost, turn.compaction
    return {
        "turn": turn.turn,
        "call": turn.call.id,
        "total": turn.total,
        "counted": turn.usage is not None,
        "known": turn.known,
        "sums": turn.sums,
        "cost": turn.cost,
        "lost": lost,
        "dropped": fall.tokens if fall else 0,
        "summed_up": fall.summed_up if fall else False,
        "by_provider": fall.by_provider if fall else False,
        "cleared": turn.cleared,
    }


def _next(ask: Ask, agents: Sequence[AgentContext]) -> Iterator[Line]:
    yield ""
    if agents:
        named = listed([f"{each.name} (turn {each.turns[-1].call.turn_name})" for each in agents], _AGENTS_SHOWN)
        yield Prose(f"{plural(len(agents), 'agent')} besides: {named}; {ask.other('context')} N, N of one of its calls")
    yield next_said(["context --over-time", "cache"], ask.other)
