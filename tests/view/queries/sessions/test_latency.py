"""How long first words and tools took: by nearest rank, without failed calls and running tools, the slowest with a cause."""

from __future__ import annotations

from typing import Any

import pytest

from agentsight_rx.llm.prices import Prices
from agentsight_rx.view import CallRow, ToolRow
from agentsight_rx.view.queries.calls.costs import PricedCall, priced
from agentsight_rx.view.queries.context.context import LostCache
from agentsight_rx.view.queries.context.falls import Falls
from agentsight_rx.view.queries.sessions.latency import Latency, Spread, latency_of, spread_of


def call(turn: int, first: int | None, **more: Any) -> PricedCall:
    given: dict[str, Any] = {"status": "complete", "time_to_first_chunk_ms": first, "input_tokens": 500} | more
    return priced(CallRow(f"llm-{turn}", 1000 * turn, 1000 * turn + 900, turn=turn, **given), Prices())


def tool(turn: int, ms: int | None, **more: Any) -> ToolRow:
    return ToolRow(f"tool-{turn}", turn, f"llm-{turn}", "t", "Bash", input="make", duration_ms=ms, **more)


def found(calls: list[PricedCall] | None = None, tools: list[ToolRow] | None = None, falls: Falls | None = None) -> Latency:
    turns = {f"llm-{turn}": turn for turn in range(1, 100)}
    return latency_of(calls or [], tools or [], turns, falls or Falls())


@pytest.mark.parametrize(
    ("times", "spread"),
    [
        ([], Spread()),
        ([7], Spread(1, 7, 7, few=True)),
        ([4, 1, 3, 2], Spread(4, 2, 4, few=True)),
        (list(range(1, 20)), Spread(19, 10, 19, few=True)),
        (list(range(1, 21)), Spread(20, 10, 19)),
        (list(range(100, 0, -1)), Spread(100, 50, 95)),
    ],
)
def test_the_middle_and_the_slow_end_are_by_nearest_rank(times: list[int], spread: Spread) -> None:
    assert spread == spread_of(times)


def test_failed_calls_and_running_tools_are_left_out() -> None:
    latency = found(
        [call(1, 300), call(2, 9000, status="error"), call(3, None)],
        [tool(4, 20), tool(5, None), tool(6, 70, exit_code=1)],
    )
    assert ((300,), (20, 70), (4, 6), (False, True)) == (
        latency.first_ms,
        latency.tool_ms,
        latency.tool_turns,
        latency.tool_bad,
    )


def test_the_slowest_first_words_have_a_cause_that_the_request_shows() -> None:
    calls = [call(turn, 100) for turn in range(1, 30)]
    calls += [call(40, 900), call(41, 800, input_tokens=20_000), call(42, 700), call(43, 150)]
    slow = found(calls, falls=Falls({"llm-40": LostCache(78_900)})).slow_calls
    assert [
        (40, "cache lost, 78.9 k in full"),
        (41, "20.0 k not from the cache"),
        (42, "no cause seen"),
        (43, "500 in"),
    ] == [(each.turn, each.why) for each in slow[:4]]
    assert (900, 900) == (slow[0].ms, slow[0].whole_ms)


def test_a_slow_tool_has_its_command_and_end_and_is_rough_without_a_process() -> None:
    first, second = found(tools=[tool(1, 50, related_pid=7, exit_code=2), tool(2, 90, status="completed")]).slow_tools
    assert (2, True, False) == (first.turn, first.approx, first.bad)
    assert ("make", "exit 2", True, False, "tool-1") == (second.what, second.end, second.bad, second.approx, second.row)
