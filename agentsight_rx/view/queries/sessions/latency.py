"""Calls and tools of a session -> how long first words and tools took: the middle, the slow end, the slowest with a cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil

from msgspec import Struct

from ....store.rows.kinds import ToolRow
from ....store.rows.tool_words import asked_for, has_failed, outcome_said
from ....store.words import amount, cut, lasted_ms
from ..calls.costs import PricedCall
from ..context.falls import Falls

_MANY = 20  # values, below which the slowest stands for the 95th of a hundred
_SLOWEST = 6
_DOTS_MOST = 5000  # the newest
_TEXT = 120  # characters
_UNCACHED_LEAST = 10_000  # tokens in full that explain a slow first word
_SLOWER = 2  # times the middle one, from which on a cause is asked for


class Spread(Struct, frozen=True, omit_defaults=True):
    """Of `count` times in ms, by nearest rank. `few`: there are less than 20, and `p95` is the longest."""

    count: int = 0
    p50: int = 0
    p95: int = 0
    few: bool = False


class Slow(Struct, frozen=True, omit_defaults=True):
    """
    One of the slowest. `what` is the command of a tool, `why` a cause that the request shows; `whole_ms` of a call. `approx`:
    no process of the tool was seen, so the time ends with its result.
    """

    ms: int
    turn: int
    what: str = ""
    why: str = ""
    whole_ms: int = 0
    end: str = ""
    bad: bool = False
    approx: bool = False
    row: str = ""


class Latency(Struct, frozen=True):
    """`first_ms` and `tool_ms` have each time, with the numbers of the turns and whether it failed."""

    first: Spread
    tools: Spread
    first_ms: tuple[int, ...]
    first_turns: tuple[int, ...]
    tool_ms: tuple[int, ...]
    tool_turns: tuple[int, ...]
    tool_bad: tuple[bool, ...]
    slow_calls: tuple[Slow, ...]
    slow_tools: tuple[Slow, ...]


def spread_of(times_ms: Iterable[int], /) -> Spread:
    """The middle and the slow end of some times."""
    found = sorted(times_ms)
    if not found:
        return Spread()
    few = len(found) < _MANY
    return Spread(len(found), _ranked(found, 0.5), found[-1] if few else _ranked(found, 0.95), few)


def _ranked(found: Sequence[int], part: float) -> int:
    return found[max(0, ceil(part * len(found)) - 1)]


def timed_calls(calls: Iterable[PricedCall], /) -> list[PricedCall]:
    """The calls whose first word was seen, without failed ones."""
    return [call for call in calls if call.time_to_first_chunk_ms is not None and call.status != "error"]


def timed_tools(tools: Iterable[ToolRow], /) -> list[ToolRow]:
    """The tools that have ended, failed ones too."""
    return [tool for tool in tools if tool.duration_ms is not None]


def latency_of(calls: Iterable[PricedCall], tools: Iterable[ToolRow], turns: Mapping[str, int], falls: Falls, /) -> Latency:
    """Of all threads. `turns` has the number of the turn of each call."""
    timed, ended = timed_calls(calls), timed_tools(tools)
    first, took = spread_of(map(_first, timed)), spread_of(map(_took, ended))
    dots, ticks = timed[-_DOTS_MOST:], ended[-_DOTS_MOST:]
    slow = sorted(timed, key=lambda call: -_first(call))[:_SLOWEST]
    slow_tools = sorted(ended, key=lambda tool: -_took(tool))[:_SLOWEST]
    return Latency(
        first,
        took,
        first_ms=tuple(map(_first, dots)),
        first_turns=tuple(turns.get(call.id, call.turn) for call in dots),
        tool_ms=tuple(map(_took, ticks)),
        tool_turns=tuple(turns.get(tool.llm_call_id, 0) for tool in ticks),
        tool_bad=tuple(map(has_failed, ticks)),
        slow_calls=tuple(_slow_call(call, turns, falls, first) for call in slow),
        slow_tools=tuple(_slow_tool(tool, turns) for tool in slow_tools),
    )


def _first(call: PricedCall) -> int:
    return call.time_to_first_chunk_ms or 0


def _took(tool: ToolRow) -> int:
    return tool.duration_ms or 0


def _slow_call(call: PricedCall, turns: Mapping[str, int], falls: Falls, all_calls: Spread) -> Slow:
    whole = lasted_ms(call.start_timestamp_ms, call.end_timestamp_ms) or 0
    why = _why(call, falls, all_calls)
    return Slow(_first(call), turns.get(call.id, call.turn), why=why, whole_ms=whole)


def _why(call: PricedCall, falls: Falls, all_calls: Spread) -> str:
    lost = falls.lost.get(call.id)
    uncached = call.asked_tokens - call.cache_read_tokens
    if lost is not None:
        return f"cache lost, {amount(lost.tokens)} in full"
    if uncached >= _UNCACHED_LEAST:
        return f"{amount(uncached)} not from the cache"
    if _first(call) >= _SLOWER * all_calls.p50 or not call.asked_tokens:
        return "no cause seen"
    return f"{amount(call.asked_tokens)} in"


def _slow_tool(tool: ToolRow, turns: Mapping[str, int]) -> Slow:
    return Slow(
        _took(tool),
        turns.get(tool.llm_call_id, 0),
        what=cut(" ".join((asked_for(tool.input) or tool.tool_name).split()), _TEXT),
        end=outcome_said(tool),
        bad=has_failed(tool),
        approx=tool.related_pid is None,
        row=tool.id,
    )
