"""A session -> the Context tab: what each request consisted of, turn by turn, and one request with all its segments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from ..queries.context import AgentContext, TurnContext
from ..queries.context_findings import Avoidable, avoidable
from ..queries.context_words import (
    ORIGINS,
    avoidable_said,
    cause_said,
    counted_said,
    sentence_of,
    what_to_do,
)
from ..queries.segments import BUILT_IN, Segment, carried, segments_of, server_of
from .picture import Picture

__all__ = ["ContextSegment", "Contexts", "RequestContext", "ToolServer", "contexts_of", "request_of"]

_ROWS = 12  # that are carried and cost most
_PREVIEW = 160  # characters
_SEGMENTS_MOST = 40
_SHARES = (0.01, 0.015, 0.02, 0.026, 0.035, 0.05, 0.08)  # of the request, from which on a part has a row of its own
_ALONE = ("system", "instructions", "summary")


class Said(Struct, frozen=True, omit_defaults=True):
    """One finding: the claim, its cost in US dollars, and one thing to do."""

    kind: str
    said: str
    to_do: str
    usd: float | None = None
    turns: tuple[int, ...] = ()


class Contexts(Struct, frozen=True, omit_defaults=True):
    """
    The turns in columns. `origins` names the rows of `sums`, which has one list a column. `of` is the sub-agent whose context
    it is, `others` are the agents of the session: "" is the main one. Of a turn in `unknown` the request was not captured; of
    one in `estimated` the provider counted nothing. `lost` and `fell` say in words what happened at a turn.
    """

    of: str
    others: tuple[str, ...]
    window: int | None
    turns: tuple[int, ...]
    total: tuple[int, ...]
    read: tuple[int, ...]
    written: tuple[int, ...]
    origins: tuple[str, ...]
    sums: tuple[tuple[int, ...], ...]
    prompts: tuple[int, ...]  # turns that a person began
    fullest: int
    lost: dict[int, str] = {}
    fell: dict[int, str] = {}
    unknown: tuple[int, ...] = ()
    estimated: tuple[int, ...] = ()
    findings: tuple[Said, ...] = ()


class ContextSegment(Struct, frozen=True, omit_defaults=True):
    """
    A part of a request: see `Segment`. `cached` of its tokens came from the cache. `key` is the same in every request. With a
    `count` it is a run of so many small ones, which `open=KEY` shows one by one.
    """

    key: str
    origin: str
    name: str
    tokens: int
    exact: bool
    since: int
    requests: int
    cost: float | None = None
    cached: int = 0
    preview: str = ""
    changed: bool = False  # the first difference, which lost the cache
    count: int = 0


class ToolServer(Struct, frozen=True, omit_defaults=True):
    """The tools of one server in every request: how many, how often they were called, and what they cost so far."""

    name: str
    tools: int
    called: int
    tokens: int
    requests: int
    cost: float | None = None


class RequestContext(Struct, frozen=True, omit_defaults=True):
    """One request: its sentence, where its numbers come from, its segments in the order of the model, and the dearest parts."""

    turn: int
    sentence: str
    counted: str
    total: int
    read: int
    segments: tuple[ContextSegment, ...]
    carried: tuple[ContextSegment, ...]
    smaller: int = 0  # parts that are not in `carried`, and what they cost
    smaller_cost: float | None = None
    servers: tuple[ToolServer, ...] = ()
    notes: tuple[str, ...] = ()


def contexts_of(picture: Picture, session: str, /, *, of: str = "") -> Contexts:
    """Of one agent of the session. Raises KeyError where there is none."""
    agents = picture.contexts(session)
    agent = _agent(agents, of)
    called = {tool.tool_name for tool in picture.work(session).tools}
    turns = agent.turns
    shown = [origin for origin in ORIGINS if any(origin in turn.sums for turn in turns)]
    return Contexts(
        of=of,
        others=tuple(each.agent_id or "" for each in agents),
        window=agent.window,
        turns=tuple(turn.turn for turn in turns),
        total=tuple(turn.total for turn in turns),
        read=tuple(turn.usage.cache_read if turn.usage else 0 for turn in turns),
        written=tuple(turn.usage.cache_creation if turn.usage else 0 for turn in turns),
        origins=tuple(shown),
        sums=tuple(tuple(turn.sums.get(origin, 0) for turn in turns) for origin in shown),
        prompts=tuple(turn.turn for turn in turns if turn.call.is_prompted),
        fullest=max(turns, key=lambda turn: turn.total).turn,
        lost={turn.turn: cause_said(turn.lost.cause) for turn in turns if turn.lost is not None},
        fell={turn.turn: sentence_of(agent, turn, []) for turn in turns if turn.compaction is not None},
        unknown=tuple(turn.turn for turn in turns if not turn.known),
        estimated=tuple(turn.turn for turn in turns if turn.usage is None),
        findings=tuple(map(_said, avoidable(agent, called))),
    )


def request_of(picture: Picture, session: str, turn: int, /, *, of: str = "", opened: str = "") -> RequestContext:
    """The request of a turn, with the run of this key `opened`. Raises KeyError where the agent has none."""
    whole = _agent(picture.contexts(session), of)
    if turn not in {each.turn for each in whole.turns}:
        raise KeyError(f"turn {turn}")
    is_newest = turn == whole.turns[-1].turn
    agent = whole if is_newest else _agent(picture.contexts(session, until_turn=turn), of)
    last = agent.turns[-1]
    called = [tool.tool_name for tool in picture.work(session).tools]
    parts = carried(agent)
    dearest = [each for each in parts if each.held][:_ROWS]
    rest = [each for each in parts if each not in dearest]
    return RequestContext(
        turn=turn,
        sentence=sentence_of(agent, last, avoidable(agent, set(called))),
        counted=counted_said(last),
        total=last.total,
        read=last.usage.cache_read if last.usage else 0,
        segments=tuple(_folded(list(_placed(agent, last)), last.total, opened)),
        carried=tuple(_segment(each) for each in dearest),
        smaller=len(rest),
        smaller_cost=sum(each.cost or 0.0 for each in rest) if agent.is_priced else None,
        servers=tuple(_server(each, called) for each in parts if each.origin == "tools" and each.held),
        notes=tuple(_notes(last)),
    )


def _agent(agents: Sequence[AgentContext], of: str) -> AgentContext:
    found = next((each for each in agents if (each.agent_id or "") == of), None)
    if found is None:
        raise KeyError(f"a context of {of or 'the main agent'}")
    return found


def _said(found: Avoidable) -> Said:
    return Said(found.kind, avoidable_said(found), what_to_do(found), usd=found.usd, turns=found.turns)


def _placed(agent: AgentContext, turn: TurnContext) -> Iterator[ContextSegment]:
    """The segments, and how much of each came from the cache: its begin."""
    at, read = 0, turn.usage.cache_read if turn.usage else 0
    lost = turn.lost is not None
    for segment in segments_of(agent):
        cached = max(0, min(segment.tokens, read - at))
        at += segment.tokens
        is_first = lost and cached < segment.tokens and segment.since == turn.turn
        lost = lost and not is_first
        yield _segment(segment, cached=cached, changed=is_first)


def _folded(segments: Sequence[ContextSegment], total: int, opened: str) -> Iterator[ContextSegment]:
    """The large ones as they are, and runs of small ones between them."""
    foldings = [list(_runs(segments, share * total)) for share in _SHARES]
    for run in next((rows for rows in foldings if len(rows) <= _SEGMENTS_MOST), foldings[-1]):
        if len(run) == 1 or run[0].key == opened:
            yield from run
        else:
            yield _run(run)


def _runs(segments: Sequence[ContextSegment], least: float) -> Iterator[list[ContextSegment]]:
    run: list[ContextSegment] = []
    for segment in segments:
        if segment.tokens >= least or segment.changed or segment.origin in _ALONE:
            yield from [run] if run else []
            yield [segment]
            run = []
        else:
            run.append(segment)
    yield from [run] if run else []


def _run(run: Sequence[ContextSegment]) -> ContextSegment:
    first, last = min(each.since for each in run), max(each.since for each in run)
    turns = f"turn {first}" if first == last else f"turns {first} to {last}"
    costs = [each.cost for each in run if each.cost is not None]
    kinds = {each.origin for each in run}
    return ContextSegment(
        run[0].key,
        kinds.pop() if len(kinds) == 1 else "run",
        f"{len(run)} small ones, {turns}",
        tokens=sum(each.tokens for each in run),
        exact=all(each.exact for each in run),
        since=first,
        requests=max(each.requests for each in run),
        cost=sum(costs) if costs else None,
        cached=sum(each.cached for each in run),
        count=len(run),
    )


def _segment(segment: Segment, *, cached: int = 0, changed: bool = False) -> ContextSegment:
    return ContextSegment(
        segment.id,
        segment.origin,
        segment.name,
        tokens=segment.tokens,
        exact=segment.exact,
        since=segment.since,
        requests=segment.requests,
        cost=segment.cost,
        cached=cached,
        preview=segment.preview[:_PREVIEW],
        changed=changed,
    )


def _server(segment: Segment, called: Sequence[str]) -> ToolServer:
    times = sum((server_of(name) or BUILT_IN) == segment.name for name in called)
    return ToolServer(
        segment.name,
        tools=segment.count,
        called=times,
        tokens=segment.tokens,
        requests=segment.requests,
        cost=segment.cost,
    )


def _notes(turn: TurnContext) -> Iterator[str]:
    lost = turn.lost
    if lost is not None:
        cause = lost.cause
        price = f", ${lost.usd:.3f} more than reading them" if lost.usd else ""
        yield f"{lost.tokens:,} tokens were not read from the cache{price}."
        if cause.number:
            kind = "tool" if cause.kind == "tools" else "part"
            yield f"First change: {kind} {cause.number} of {cause.count}."
        if cause.old or cause.new:
            yield f"Before: {cause.old or 'nothing'}"
            yield f"Now: {cause.new or 'nothing'}"
    fall = turn.compaction
    if fall is not None:
        yield f"{len(fall.dropped):,} segments went, {len(fall.came):,} came."
        if fall.usd:
            yield f"Writing the summary cost ${fall.usd:.2f}."
