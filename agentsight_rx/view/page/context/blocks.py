"""A turn of a context -> its notes: why the cache was lost, what a compaction dropped and what came, what was cleared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ....llm.context.held import Held
from ....store.words import amount, money, plural
from ...queries.context.context import AgentContext, Cleared, Compaction, LostCache, TurnContext
from ...queries.context.segments import BUILT_IN, Segment, segments_of, server_of
from ...queries.context.words import ORIGINS, cleared_said
from ...queries.sessions.verdict import Clause
from .context import ContextBlock, ContextNote, ContextSum

# -- context blocks ------------------------------------------------------------------------------------------------
# A request -> its blocks, in the order of the model: large segments, tools by their server, runs of small ones.


_BLOCKS_MOST = 28  # beside those that stand alone
_SHARES = (0.01, 0.015, 0.02, 0.026, 0.035, 0.05, 0.08)  # of the request, from which on a part has a row of its own
_OPENED_MOST = 300  # rows that a page can still show
_OPENED_SHARES = (0.0, 0.0002, 0.0005, 0.001, 0.002, 0.005)
# The place of an origin among the nine of the tab
PLACES = {
    "system": 0, "unwritten": 0, "tools": 1, "instructions": 2, "reminder": 2, "prompt": 3, "file": 4, "command": 5,
    "result": 6, "media": 6, "answer": 7, "summary": 7, "kept": 7, "reasoning": 8,
}  # fmt: skip
_ALONE = ("tools", "system", "unwritten", "instructions")


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


# ------------------------------------------------------------------------------------------------------------------------


_NAMED_MOST = 3  # files


def notes_of(agent: AgentContext, turn: TurnContext, /) -> Iterator[ContextNote]:
    """`agent` as it is now: files that were read again behind the turn are in a note."""
    if turn.lost is not None:
        yield _lost(agent, turn, turn.lost)
    if turn.compaction is not None:
        yield _compacted(agent, turn, turn.compaction)
    if turn.cleared is not None:
        yield _cleared(turn.cleared)


def _lost(agent: AgentContext, turn: TurnContext, lost: LostCache) -> ContextNote:
    cause, tokens = lost.cause, amount(lost.tokens)
    price = f": {money(lost.usd)} more than reading them" if lost.usd else ""
    said = [f"{tokens} tokens were not read from the cache{price}."]
    if cause is not None and cause.number:
        before = max((each.turn for each in agent.turns if each.turn < turn.turn), default=0)
        place = "tool" if cause.kind == "tools" else "part"
        said = [f"First change since turn {before}: {place} {cause.number} of {cause.count}.", *said]
        if cause.kind == "tools":
            said[1] = f"Tools stand first in a request, so all {tokens} were paid again{price}."
    more = [f"Before: “{cause.old}” Now: “{cause.new}”"] if cause is not None and (cause.old or cause.new) else []
    return ContextNote("lost", tuple(map(Clause, said)), tuple(map(Clause, more)), diff=turn.call.id)


def _compacted(agent: AgentContext, turn: TurnContext, fall: Compaction) -> ContextNote:
    more = list(_not_named(agent, turn, fall))
    more += [Clause(f"Writing the summary cost {money(fall.usd)}.")] if fall.usd else []
    return ContextNote(
        "compacted",
        (Clause(f"{plural(len(fall.dropped), 'segment')} went, {len(fall.came):,} came."),),
        tuple(more),
        dropped=tuple(_by_kind(fall.dropped)),
        came=tuple(_by_kind(fall.came)),
        diff=turn.call.id,
    )


def _not_named(agent: AgentContext, turn: TurnContext, fall: Compaction) -> Iterator[Clause]:
    """The dropped files whose names are not in the summary, and those of them that were read again since."""
    names = {name for held in fall.came for name in agent.mentions.summed_up.get(held.piece.digest, ())}
    files = dict.fromkeys(filter(None, (_file(agent, held) for held in fall.dropped)))
    missing = [file for file in files if file.rpartition("/")[2] not in names]
    if not names or not missing:  # a summary that cannot be read names nothing
        return
    verb = "is" if len(missing) == 1 else "are"
    yield Clause(f"{len(missing)} of {plural(len(files), 'file')} {verb} not named in the summary.")
    again = [held for held in agent.thread.made if held.since > turn.turn and _file(agent, held) in missing]
    if again:
        count = len({_file(agent, held) for held in again})
        verb = "was" if count == 1 else "were"
        yield Clause(f" {count} of them {verb} read again since, {amount(sum(held.tokens for held in again))}: ")
        for held in again[:_NAMED_MOST]:
            yield Clause(f"{(_file(agent, held)).rpartition('/')[2]}, turn {held.since}. ", "context", held.since)


def _file(agent: AgentContext, held: Held) -> str:
    maker = agent.mentions.maker_of(held) if held.kind == "file" else None
    return maker.file if maker else ""


def _cleared(cleared: Cleared) -> ContextNote:
    said = cleared_said(cleared)
    price = (Clause(f"What stands behind was read anew: {money(cleared.usd)} more."),) if cleared.usd else ()
    return ContextNote("cleared", (Clause(f"{said[:1].upper()}{said[1:]}."),), price)


def _by_kind(some: Sequence[Held]) -> Iterator[ContextSum]:
    kinds: dict[str, list[Held]] = {}
    for held in some:
        kinds.setdefault(held.kind, []).append(held)
    for kind in sorted(kinds, key=lambda each: -sum(held.tokens for held in kinds[each])):
        each = kinds[kind]
        yield ContextSum(
            ORIGINS.get(kind, kind),
            sum(held.tokens for held in each),
            count=len(each),
            approx=not all(held.exact for held in each),
        )
