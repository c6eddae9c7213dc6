"""A request -> its blocks, in the order of the model: large segments, tools by their server, runs of small ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..queries.context import AgentContext, TurnContext
from ..queries.segments import BUILT_IN, Segment, segments_of, server_of
from .context import ContextBlock

__all__ = ["PLACES", "blocks_of"]

_BLOCKS_MOST = 28  # beside those that stand alone
_SHARES = (0.01, 0.015, 0.02, 0.026, 0.035, 0.05, 0.08)  # of the request, from which on a part has a row of its own
_OPENED_MOST = 300  # rows that a page can still show
_OPENED_SHARES = (0.0, 0.0002, 0.0005, 0.001, 0.002, 0.005)
# The place of an origin among the nine of the tab
PLACES = {
    "system": 0, "tools": 1, "instructions": 2, "reminder": 2, "prompt": 3, "file": 4, "command": 5, "result": 6, "media": 6,
    "answer": 7, "summary": 7, "kept": 7, "reasoning": 8,
}  # fmt: skip
_ALONE = ("tools", "system", "instructions")


def blocks_of(agent: AgentContext, turn: TurnContext, /, *, opened: bool = False) -> Iterator[ContextBlock]:
    """The large segments as they are, tools by their server, and runs of small ones between them; `opened`: fewer runs."""
    blocks = list(_alone(agent, turn))
    shares, most = (_OPENED_SHARES, _OPENED_MOST) if opened else (_SHARES, _BLOCKS_MOST)
    foldings = [list(_runs(blocks, share * turn.total)) for share in shares]
    for run in next((runs for runs in foldings if len(runs) <= most), foldings[-1]):
        yield run[0] if len(run) == 1 else _run(run)


def _alone(agent: AgentContext, turn: TurnContext) -> Iterator[ContextBlock]:
    at, read = 0, turn.usage.cache_read if turn.usage else 0
    lost = turn.lost is not None
    server: tuple[str, list[Segment]] = "", []
    for segment in segments_of(agent):
        is_first = lost and at + segment.tokens > read and segment.since == turn.turn
        at += segment.tokens
        lost = lost and not is_first
        name = (server_of(segment.name) or BUILT_IN) if segment.origin == "tools" else ""
        if server[1] and (name != server[0] or is_first):
            yield _tools(*server)
            server = "", []
        if name and not is_first:
            server = name, [*server[1], segment]
        else:
            yield _block(segment, is_first=is_first)
    if server[1]:
        yield _tools(*server)


def _tools(name: str, tools: Sequence[Segment]) -> ContextBlock:
    return ContextBlock(
        sum(each.tokens for each in tools),
        (PLACES["tools"],),
        id=f"server:{name}",
        what=f"{name}, {len(tools)} tools" if len(tools) > 1 else tools[0].name,
        since=min(each.since for each in tools),
        approx=not all(each.exact for each in tools),
        fixed=True,
    )


def _block(segment: Segment, *, is_first: bool) -> ContextBlock:
    return ContextBlock(
        segment.tokens,
        (PLACES.get(segment.origin, 6),),
        id=segment.id,
        what=segment.name,
        since=segment.since,
        approx=not segment.exact,
        fixed=segment.origin in _ALONE,
        code=bool(segment.file or segment.read),
        again=segment.again,
        first_change=is_first,
    )


def _runs(blocks: Sequence[ContextBlock], least: float) -> Iterator[list[ContextBlock]]:
    run: list[ContextBlock] = []
    for block in blocks:
        if block.tokens >= least or block.first_change or block.fixed:
            yield from [run] if run else []
            yield [block]
            run = []
        else:
            run.append(block)
    yield from [run] if run else []


def _run(run: Sequence[ContextBlock]) -> ContextBlock:
    return ContextBlock(
        sum(each.tokens for each in run),
        tuple(dict.fromkeys(place for each in run for place in each.origins)),
        since=min(each.since for each in run),
        until=max(each.since for each in run),
        count=len(run),
        approx=any(each.approx for each in run),
    )
