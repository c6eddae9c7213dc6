"""A turn of a context -> its notes: why the cache was lost, what a compaction dropped and what came, what was cleared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...llm.context.held import Held
from ...store.words import amount, money, plural
from ..queries.context import AgentContext, Cleared, Compaction, LostCache, TurnContext
from ..queries.context_words import ORIGINS, cleared_said
from ..queries.verdict import Clause
from .context import ContextNote, ContextSum

__all__ = ["notes_of"]

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
