"""Calls of a session, in the order of time -> before which its conversation was compacted, and in which its cache was lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from ..rows.kinds import CallRow

__all__ = ["compactions", "lost_caches"]

C = TypeVar("C", bound=CallRow)

_LOST_LEAST = 8000  # tokens


def compactions(calls: Sequence[CallRow], /) -> frozenset[str]:
    """
    Calls that have fewer messages and tokens than the call before, where a summary of the conversation was asked for between
    them. Without that request it is unknown why a conversation is shorter.
    """
    before: dict[str | None, CallRow] = {}
    summed_up = set[str | None]()
    found = set[str]()
    for call in calls:
        if _is_beside(call):
            summed_up |= {call.agent_id} if call.aside == "summary" else set()
            continue
        last = before.get(call.agent_id)
        is_shorter = last is not None and call.messages < last.messages and call.asked_tokens < last.asked_tokens
        if is_shorter and call.agent_id in summed_up:
            found.add(call.id)
        if call.messages:
            before[call.agent_id] = call
            summed_up.discard(call.agent_id)
    return frozenset(found)


def lost_caches(calls: Sequence[C], /) -> Iterator[tuple[C, int]]:
    """Calls that read at least 8,000 tokens less from the cache than the call before left in it; a compaction drops them."""
    compacted = compactions(calls)
    before: dict[tuple[str | None, str | None], C] = {}
    for call in calls:
        if not call.total_tokens or _is_beside(call):
            continue
        key = call.agent_id, call.model
        last = before.get(key)
        before[key] = call
        lost = last.cached_tokens - call.cache_read_tokens if last else 0
        if lost >= _LOST_LEAST and call.id not in compacted:
            yield call, lost


def _is_beside(call: CallRow) -> bool:
    """A request that does not continue the conversation."""
    return bool(call.aside) and call.aside != "retry"
