"""A session -> the answers of the Context tab: the turns of an agent in columns, and one request with its segments."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ....store.rows.kinds import SAID
from ...queries.calls.call import find_calls
from ...queries.context.context import AgentContext, TurnContext
from ...queries.context.findings import Avoidable, avoidable, instruction_files
from ...queries.context.reading import read_beside
from ...queries.context.segments import BUILT_IN, Segment, carried, server_of
from ...queries.context.words import avoidable_said, sentence_of, unread_said, what_to_do
from ...queries.selection import Selection
from ...queries.sessions.verdict import Clause
from ..head import CACHE_LOST, COMPACTED
from ..picture import Picture
from ..words import Gap
from .blocks import PLACES, blocks_of, notes_of
from .context import (
    CLEARED,
    NOT_COUNTED,
    ORIGINS,
    PARTS_UNKNOWN,
    ContextFinding,
    ContextOverTime,
    ContextRow,
    ContextServer,
    ContextSum,
    ContextThread,
    ContextTurn,
    run_length,
)

_ROWS = 12  # that cost most
_COUNT = len(ORIGINS)


def contexts_of(picture: Picture, session: str, /, *, of: str = "") -> ContextOverTime:
    """Of one agent of the session, "" for the main one. Raises KeyError where there is none."""
    agents = picture.contexts(session)
    agent = _agent(agents, of)
    turns = [*{turn.turn: turn for turn in agent.turns}.values()]  # of several tries of a call the last
    columns = [_nine(turn) for turn in turns]
    return ContextOverTime(
        tuple(turn.turn for turn in turns),
        sums=tuple(run_length(tuple(column[at] for column in columns)) for at in range(_COUNT)),
        read=run_length(tuple(turn.usage.cache_read if turn.usage else 0 for turn in turns)),
        written=run_length(tuple(turn.usage.cache_creation if turn.usage else 0 for turn in turns)),
        flags=run_length(tuple(map(_flags, turns))),
        prompts=tuple(dict.fromkeys(turn.turn for turn in agent.turns if turn.call.is_prompted)),
        window=agent.window or 0,
        fullest=max(turns, key=lambda turn: turn.total).turn,
        threads=tuple(ContextThread(each.agent_id or "", each.name, len({one.turn for one in each.turns})) for each in agents),
        counted=any(turn.usage is not None for turn in turns),
        calls=len(turns),
        model=turns[-1].call.model or "",
        findings=tuple(map(_finding, avoidable(agent, _called(picture, session)))),
        file=any(turn.call.view_source == SAID for turn in turns),
    )


def request_of(
    picture: Picture, session: str, turn: int, /, *, of: str = "", row: str = "", origin: str = "", opened: bool = False
) -> ContextTurn:
    """
    The request of a turn. `row` is the id of a chosen segment, `origin` one of the nine, `opened` shows small segments too.
    Raises KeyError.
    """
    whole = _with(_agent(picture.contexts(session), of), turn) or _beside(picture, session, turn)
    whole.instruction_files = whole.instruction_files or instruction_files(picture.store, whole)
    agent = whole.at(turn)
    last, called = agent.turns[-1], _called(picture, session)
    usage = last.usage
    parts = [each for each in carried(agent) if not origin or ORIGINS[PLACES.get(each.origin, 6)] == origin]
    shown = parts[:_ROWS]
    rest = [each for each in parts if each not in shown]
    chosen = next((each for each in parts if row and each.id == row), None)
    dropped = [each.cost for each in parts if not each.held and each.cost is not None]
    servers = [_server(agent, each, called) for each in parts if each.origin == "tools" and each.held]
    return ContextTurn(
        turn,
        last.call.id,
        at_ms=last.call.start_timestamp_ms,
        tokens=last.total,
        segments=len(agent.held),
        sentence=(Clause(sentence_of(agent, last, avoidable(agent, called))),),
        blocks=tuple(blocks_of(agent, last, opened=opened)),
        rows=tuple(_row(agent, each, called) for each in shown),
        rest=_sum("smaller ones", rest) if rest else None,
        total=_sum("all", parts),
        servers=tuple(sorted(servers, key=lambda each: (each.calls > 0, -(each.usd or 0.0), -each.tokens))),
        notes=tuple(notes_of(whole, last)),
        chosen=_row(agent, chosen, called) if chosen else None,
        counted=usage is not None,
        read=usage.cache_read if usage else 0,
        written=usage.cache_creation if usage else 0,
        uncached=usage.input if usage else 0,
        usd=last.cost,
        prices=_prices(last),
        dropped_usd=sum(dropped) if dropped else None,
        gap=None if last.known else Gap("the parts of this request", unread_said(last)),
    )


def _agent(agents: Sequence[AgentContext], of: str) -> AgentContext:
    found = next((each for each in agents if (each.agent_id or "") == of), None)
    if found is None:
        raise KeyError(f"a context of {of or 'the main agent'}")
    return found


def _with(agent: AgentContext, turn: int) -> AgentContext | None:
    return agent if any(each.turn == turn for each in agent.turns) else None


def _beside(picture: Picture, session: str, turn: int) -> AgentContext:
    """A request that an agent makes for itself is a context of its own."""
    found = [
        call for call in find_calls(picture.store, str(turn), Selection(sessions=frozenset({session}))) if call.turn == turn
    ]
    if not found:
        raise KeyError(f"turn {turn}")
    return read_beside(picture.store, found[0], picture.prices)


def _called(picture: Picture, session: str) -> Collection[str]:
    return [tool.tool_name for tool in picture.work(session).tools]


def _nine(turn: TurnContext) -> list[int]:
    sums = [0] * _COUNT
    for origin, tokens in turn.sums.items():
        sums[PLACES.get(origin, 6)] += tokens
    if not turn.known:
        sums[6] += turn.total
    return sums


def _flags(turn: TurnContext) -> int:
    return (
        (CACHE_LOST if turn.lost is not None else 0)
        | (COMPACTED if turn.compaction is not None else 0)
        | (0 if turn.usage is not None else NOT_COUNTED)
        | (0 if turn.known else PARTS_UNKNOWN)
        | (0 if turn.cleared is None else CLEARED)
    )


def _finding(found: Avoidable) -> ContextFinding:
    titles = {
        "unmentioned": "Files read once, carried on",
        "uncalled": "Servers that are never called",
        "lost": "The cache was lost",
        "twice": "The same content more than once",
    }
    said = avoidable_said(found)
    command = f"claude mcp remove {found.what[0]}" if found.kind == "uncalled" else ""
    return ContextFinding(
        titles[found.kind],
        f"{said[:1].upper()}{said[1:]}",
        what_to_do(found),
        usd=found.usd,
        tokens=found.tokens,
        command=command,
        turns=found.turns,
        origin=PLACES.get(found.origin, -1),
    )


def _row(agent: AgentContext, segment: Segment, called: Collection[str]) -> ContextRow:
    cost, cached = segment.cost, segment.cached_cost
    is_server = segment.id.startswith("server:")
    used = {server_of(name) or BUILT_IN for name in called}
    return ContextRow(
        segment.id,
        what=segment.file or segment.name,
        whose=f"{segment.count} tools" if is_server else f"read, {segment.read.evidence}" if segment.read else segment.tool,
        origin=PLACES.get(segment.origin, 6),
        tokens=segment.tokens,
        dropped=0 if segment.held else segment.last,
        since=segment.since,
        requests=segment.requests,
        lives=tuple(_lives(agent, segment)),
        approx=not segment.exact,
        code=bool(segment.file or segment.read),
        cached_usd=_priced(cached),
        full_usd=None if cost is None or cached is None else _priced(cost - cached),
        mentioned=segment.mentioned,
        again=segment.again,
        target=_target(agent, segment),
        never=is_server and segment.name not in used,
    )


def _target(agent: AgentContext, segment: Segment) -> Clause | None:
    """Where it came from: the MCP server of tools, the turn that a prompt began, and the turn whose answer asked for a tool."""
    match segment.origin:
        case "tools":
            return Clause(segment.name, "mcp") if segment.name != BUILT_IN else None
        case _ if agent.agent_id is not None:  # the turns of a sub-agent are not those of the conversation
            return None
        case "prompt":
            return Clause(segment.name, "conversation", segment.since)
        case "file" | "command" | "result" | "answer" | "reasoning":
            before = [turn.turn for turn in agent.turns if turn.turn < segment.since]
            return Clause(segment.name, "conversation", before[-1]) if before else None
        case _:
            return None


def _prices(turn: TurnContext) -> str:
    """Of a million tokens, as far as the request used each."""
    rates = turn.rates
    if rates is None:
        return ""
    each = (("from cache", rates.read), ("written", rates.write), ("uncached", rates.input))
    return ", ".join(f"{name} ${1_000_000 * price:.2f}" for name, price in each if price) + " a million"


def _lives(agent: AgentContext, segment: Segment) -> Iterator[int]:
    """The turns that carried it, cut where the cache was lost and where it was dropped."""
    first = segment.since
    for turn in agent.turns:
        if segment.again and first <= segment.left < segment.again == turn.turn:
            yield from (first, segment.left)
            first = turn.turn
        elif turn.lost is not None and first < turn.turn <= segment.last:
            yield from (first, turn.turn - 1)
            first = turn.turn
    yield from (first, max(first, segment.last))


def _sum(what: str, some: Sequence[Segment]) -> ContextSum:
    costs = [each.cost for each in some if each.cost is not None]
    cached = sum(each.cached_cost or 0.0 for each in some)
    return ContextSum(
        what,
        sum(each.tokens for each in some if each.held),
        count=len(some),
        approx=not all(each.exact for each in some),
        cached_usd=_priced(cached) if costs else None,
        full_usd=_priced(sum(costs) - cached) if costs else None,
        carried=sum(each.carried for each in some),
    )


def _server(agent: AgentContext, segment: Segment, called: Collection[str]) -> ContextServer:
    names = {held.piece.name for held in agent.held if held.piece.origin == "tools"}
    mine = [name for name in names if (server_of(name) or BUILT_IN) == segment.name]
    is_own = segment.name == BUILT_IN
    return ContextServer(
        "" if is_own else segment.name,
        tools=segment.count,
        calls=sum((server_of(name) or BUILT_IN) == segment.name for name in called),
        never=sum(name not in called for name in mine),
        tokens=segment.tokens,
        requests=segment.requests,
        usd=segment.cost,
        approx=not segment.exact,
        command="" if is_own else f"claude mcp remove {segment.name}",
    )


def _priced(usd: float | None) -> float | None:
    """To the millionth of a cent: the other digits of a sum are the longest part of its row."""
    return None if usd is None else round(usd, 8)
