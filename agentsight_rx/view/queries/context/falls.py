"""
Calls of a session, in the order of time -> before which its conversation was compacted, and in which its cache was lost.

The contexts of the session know it with the reasons. Rows alone say it where there are too many requests to read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

from msgspec import Struct

from ....store.rows.kinds import CallRow
from .context import AgentContext, LostCache

_Agent: TypeAlias = tuple[str | None, str | None]  # of a session, within it
_LOST_LEAST = 1024  # tokens: the least that providers keep in a cache


class Falls(Struct, frozen=True):
    """The caches that were lost, by the id of the call, and the calls before which the conversation was compacted."""

    lost: dict[str, LostCache] = {}
    compacted: Collection[str] = ()


def lost_tokens(before: CallRow | None, call: CallRow, /) -> int:
    """As `unread_tokens`; 0 where so few that they say nothing."""
    lost = unread_tokens(before, call)
    return lost if lost >= _LOST_LEAST else 0


def unread_tokens(before: CallRow | None, call: CallRow, /) -> int:
    """
    How many that `before` left in the cache were sent again and not read from it. A request that is shorter pays for no more
    than it has.
    """
    if before is None or not call.asked_tokens:
        return 0
    return max(0, min(before.cached_tokens, call.asked_tokens) - call.cache_read_tokens)


def falls_in(agents: Iterable[AgentContext], /) -> Falls:
    """As the contexts of a session have them."""
    turns = [turn for agent in agents for turn in agent.turns]
    return Falls(
        {turn.call.id: turn.lost for turn in turns if turn.lost is not None},
        frozenset(turn.call.id for turn in turns if turn.compaction is not None),
    )


def falls_of(calls: Sequence[CallRow], /) -> Falls:
    """As the rows alone have them: without reasons, and a conversation that was only cut is a lost cache."""
    compacted = compactions(calls)
    before: dict[_Agent, CallRow] = {}
    found: dict[str, LostCache] = {}
    for call in calls:
        if not call.total_tokens or is_beside(call):
            continue
        agent = call.session_id, call.agent_id
        lost = lost_tokens(before.get(agent), call)
        if lost and call.id not in compacted:
            found[call.id] = LostCache(lost)
        before[agent] = call
    return Falls(found, compacted)


def compactions(calls: Sequence[CallRow], /) -> frozenset[str]:
    """
    Calls that have fewer messages and tokens than the call before, where a summary of the conversation was asked for between
    them. Without that request it is unknown why a conversation is shorter.
    """
    before: dict[_Agent, CallRow] = {}
    summed_up = set[_Agent]()
    found = set[str]()
    for call in calls:
        agent = call.session_id, call.agent_id
        if is_beside(call):
            summed_up |= {agent} if call.aside == "summary" else set()
            continue
        last = before.get(agent)
        is_shorter = last is not None and call.messages < last.messages and call.asked_tokens < last.asked_tokens
        if is_shorter and agent in summed_up:
            found.add(call.id)
        if call.messages:
            before[agent] = call
            summed_up.discard(agent)
    return frozenset(found)


def is_beside(call: CallRow, /) -> bool:
    """A request that does not continue the conversation."""
    return bool(call.aside) and call.aside != "retry"
