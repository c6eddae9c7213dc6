"""Calls and tools by their ids: what is kept of a small recording, and what is looked up in a large one, are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.view import CallRow, Row, ToolRow
from agentsight_rx.view.queries.calls import lookup as module
from agentsight_rx.view.queries.calls.lookup import Called, Cause, call_row, turn_of_call
from tests.view.queries.rows import BASE, TOOL, stored


@st.composite
def talk(draw: st.DrawFn) -> list[CallRow]:
    """Calls of few sessions, some prompted, some of sub-agents, some the other end of another one; several begin at once."""
    return [
        CallRow(
            f"llm-{number}",
            draw(st.integers(0, 12)),
            session_id=draw(st.sampled_from(["s", "t", "s\x00"])),
            turn=number + 1,
            prompt=draw(st.sampled_from(["", "", "fix it", "and now " + "x" * 300])),
            twin=draw(st.sampled_from([None, None, "llm-0"])),
            agent_id=draw(st.sampled_from([None, None, "sub"])),
        )
        for number in range(draw(st.integers(0, 14)))
    ]


def told(rows: list[Row], ids: list[str]) -> list[object]:
    called = Called(stored(*rows))
    return [(called.call(f"llm-{id}"), called.tool(f"tool-{id}")) for id in ids]


@given(talk(), st.data(), st.sampled_from([1, 800, 1_600]))
def test_what_is_looked_up_is_as_what_is_kept(calls: list[CallRow], data: st.DataObject, size: int) -> None:
    tools = [ToolRow(f"tool-{number}", number, call.id, "t", "Bash", input="make") for number, call in enumerate(calls)]
    ids = data.draw(st.lists(st.sampled_from([*map(str, range(len(calls))), "none"]), max_size=20))
    kept = told([*calls, *tools], ids)
    with pytest.MonkeyPatch.context() as few:
        for name in ("_CALLS_SIZE", "_TOOLS_SIZE", "_LOOKED_UP_SIZE"):
            few.setattr(module, name, size)
        assert kept == told([*calls, *tools], ids)


def test_a_tool_knows_the_turn_that_asked_for_it_and_the_prompt_before() -> None:
    called = Called(
        stored(*BASE, CallRow("llm-2", 3000, session_id="s", turn=4), ToolRow("tool-2", 3100, "llm-2", "u", "Read"))
    )
    assert called.tool(TOOL) == Cause(TOOL, "Bash", "llm-1", "make", "s", turn=3, prompt="fix it", prompt_turn=3)
    assert called.tool("tool-2") == Cause("tool-2", "Read", "llm-2", turn=4, prompt="fix it", prompt_turn=3)
    assert (called.tool("tool-3"), called.call("llm-3")) == (None, None)


def test_a_call_that_the_store_does_not_have_has_no_turn() -> None:
    store = stored(*BASE)
    assert [3, 0] == [turn_of_call(store, id) for id in ("llm-1", "llm-9")]
    assert call_row(store, "llm-9") is None
