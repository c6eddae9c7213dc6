"""The context of an agent -> what it need not have carried: files not mentioned again, servers never called, the same twice."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from .segments import BUILT_IN, Segment, carried, server_of

if TYPE_CHECKING:
    from .context import AgentContext

__all__ = ["Avoidable", "AvoidableKind", "avoidable"]

AvoidableKind: TypeAlias = Literal["unmentioned", "uncalled", "lost", "twice"]

_REQUESTS_LEAST = 50  # without a mention
_TWICE_LEAST = 200  # tokens


class Avoidable(Struct, frozen=True):
    """
    One thing of the whole session: its tokens in the newest request, or the lost ones, and its cost so far in US
    dollars, None where no price is known. `what` names the files, servers or tools, `turns` where to look.
    """

    kind: AvoidableKind
    tokens: int
    usd: float | None
    what: tuple[str, ...] = ()
    turns: tuple[int, ...] = ()


def avoidable(agent: AgentContext, called: Collection[str], /) -> list[Avoidable]:
    """`called`: the tools that the session called. The dearest first; they overlap, so they are not to be added up."""
    segments = carried(agent)
    found = [*_unmentioned(agent, segments), *_uncalled(segments, called), *_lost(agent), *_twice(agent, segments)]
    return sorted(found, key=lambda each: (-(each.usd or 0.0), -each.tokens))


def _unmentioned(agent: AgentContext, segments: list[Segment]) -> Iterator[Avoidable]:
    turns = sorted(turn.turn for turn in agent.turns)
    old: list[Segment] = []
    for segment in segments:
        last = max(segment.mentioned, segment.since)
        if segment.file and segment.held and len(turns) - bisect_right(turns, last) >= _REQUESTS_LEAST:
            old.append(segment)
    if old:
        yield Avoidable(
            "unmentioned",
            sum(each.tokens for each in old),
            _sum([each.unnamed_cost for each in old]),
            what=tuple(dict.fromkeys(each.file for each in old)),
            turns=(max(max(each.mentioned, each.since) for each in old),),
        )


def _uncalled(segments: list[Segment], called: Collection[str]) -> Iterator[Avoidable]:
    servers = {server_of(name) for name in called}
    unused = [each for each in segments if each.origin == "tools" and each.name != BUILT_IN and each.name not in servers]
    if unused:
        yield Avoidable(
            "uncalled",
            sum(each.tokens for each in unused if each.held),
            _sum([each.cost for each in unused]),
            what=tuple(each.name for each in unused),
        )


def _lost(agent: AgentContext) -> Iterator[Avoidable]:
    lost = [(turn.turn, turn.lost) for turn in agent.turns if turn.lost is not None]
    if lost:
        yield Avoidable(
            "lost",
            sum(each.tokens for _, each in lost),
            _sum([each.usd for _, each in lost]),
            what=tuple(dict.fromkeys(each.cause.kind for _, each in lost if each.cause is not None)),
            turns=tuple(turn for turn, _ in lost),
        )


def _twice(agent: AgentContext, segments: list[Segment]) -> Iterator[Avoidable]:
    times = Counter(held.piece.digest.hex() for held in agent.held if held.piece.origin == "result")
    again: dict[str, list[Segment]] = {}
    for segment in segments:
        if times[segment.id] > 1 and segment.held and segment.tokens >= _TWICE_LEAST:
            again.setdefault(segment.id, []).append(segment)
    copies = [copy for some in again.values() for copy in sorted(some, key=lambda each: each.since)[1:]]
    if copies:
        yield Avoidable(
            "twice",
            sum(each.tokens for each in copies),
            _sum([each.cost for each in copies]),
            what=tuple(dict.fromkeys(each.file or each.name for each in copies)),
            turns=tuple(dict.fromkeys(each.since for each in copies)),
        )


def _sum(costs: list[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known else None
