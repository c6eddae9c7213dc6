"""
The answer to a request that lets its provider edit the context -> how much was cleared before the model read it.

platform.claude.com/docs/en/build-with-claude/context-editing: `context_management.applied_edits` of an answer, in a stream in
its last `message_delta`. Each answer has all results and turns that were cleared of its request, the oldest first.
platform.claude.com/docs/en/build-with-claude/compaction: `usage.iterations`, of which the first is the request itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, json

from ....events.tokens import Usage
from ....llm.resent import Count, decoded
from ....store.log.reading import read_exchange
from ....store.rows.kinds import CallRow
from ....store.state import Store

_COMPACTED_LEAST = 50_000  # tokens, from which on a provider compacts at the earliest


class Edits(Struct, frozen=True):
    """
    The oldest `results` of tools and the thinking of the oldest `turns` were cleared, `tokens` in all. `usage` of the request
    itself, where its answer counts the writing of a summary too.
    """

    results: int = 0
    turns: int = 0
    tokens: int = 0
    usage: Usage | None = None


class _Edit(Struct):
    type: str = ""
    cleared_tool_uses: Count = 0
    cleared_thinking_turns: Count = 0
    cleared_input_tokens: Count = 0


class _Management(Struct):
    applied_edits: list[_Edit] = []


class _Iteration(Struct):
    type: str = ""
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_creation_input_tokens: Count = 0
    cache_read_input_tokens: Count = 0


class _Usage(Struct):
    iterations: list[_Iteration] | None = None


class _Said(Struct):
    context_management: _Management | None = None
    usage: _Usage | None = None


class _Asked(Struct):
    exclude_tools: list[str] | None = None


class _AskedFor(Struct):
    edits: list[_Asked] = []


_SAID = json.Decoder(_Said)
_ASKED = json.Decoder(_AskedFor)


def may_be_edited(parameters: Mapping[str, bytes], before: CallRow | None, call: CallRow, /) -> bool:
    """Does the request allow it, and do the counts say that it may have been done?"""
    asked = parameters.get("context_management", b"")
    if b"clear_" in asked and before is not None:
        return call.cache_read_tokens < before.cached_tokens or call.asked_tokens < before.asked_tokens
    return b"compact_" in asked and call.asked_tokens >= _COMPACTED_LEAST


def kept_tools(parameters: Mapping[str, bytes], /) -> frozenset[str]:
    """The tools whose results the request does not want to be cleared."""
    asked = decoded(_ASKED, parameters.get("context_management", b""))
    return frozenset(name for edit in (asked.edits if asked else ()) for name in edit.exclude_tools or ())


def read_edits(store: Store, call: str, /) -> Edits:
    """Of a call, by its answer in the log; nothing where that is not there, or says nothing."""
    seen = read_exchange(store, call)
    if seen.response is not None:
        return edits_in(seen.response.body)
    found = Edits()
    for event in seen.stream.events if seen.stream is not None else ():
        if "applied_edits" in event.data or "iterations" in event.data:
            found = edits_in(event.data.encode())
    return found


def edits_in(body: bytes, /) -> Edits:
    """Of a whole answer, or of the event of a stream that has them."""
    said = decoded(_SAID, body)
    if said is None:
        return Edits()
    edits = said.context_management.applied_edits if said.context_management else []
    iterations = (said.usage.iterations if said.usage else None) or []
    first = iterations[0] if iterations and iterations[0].type == "compaction" else None
    return Edits(
        sum(each.cleared_tool_uses for each in edits),
        sum(each.cleared_thinking_turns for each in edits),
        sum(each.cleared_input_tokens for each in edits),
        None
        if first is None
        else Usage(
            first.input_tokens,
            first.output_tokens,
            cache_creation=first.cache_creation_input_tokens,
            cache_read=first.cache_read_input_tokens,
        ),
    )
