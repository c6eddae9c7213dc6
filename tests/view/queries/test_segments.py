"""The pieces of a context -> segments with the names that people know."""

from __future__ import annotations

import pytest

from agentsight_rx.context import Piece
from agentsight_rx.context.thread import KEPT
from agentsight_rx.view.queries.segments import carried, each_segment, segments_of, server_of

from .context_story import Agent, begun, context_of, words


@pytest.mark.parametrize(
    ("tool", "server"),
    [("mcp__git__log", "git"), ("mcp__my-db.v2__run_query", "my-db.v2"), ("fs__read", "fs"), ("Read", ""), ("_private", "")],
)
def test_the_server_of_a_tool(tool: str, server: str) -> None:
    assert server_of(tool) == server


def test_every_kind_has_its_name() -> None:
    agent = begun()
    agent.said("And now?").ask("Done.")
    agent.ask("More.")
    names = {each.origin: each.name for each in segments_of(context_of(agent))}
    assert names == {
        "tools": "mcp__weather__tool2",
        "system": "system prompt",
        "reminder": "reminder, turn 1",
        "instructions": "/work/CLAUDE.md",
        "prompt": "prompt, turn 4",
        "answer": "answer, turn 4",
        "file": "/work/src/ledger/book.py, from Tool1",
        "command": "pytest -q, from Tool2",
    }


def test_a_result_without_its_call_has_its_turn() -> None:
    agent = Agent()
    agent.said("go").result("toolu_99", words(20, 1)).ask("Done.")
    assert [each.name for each in segments_of(context_of(agent)) if each.origin == "result"] == ["result, turn 1"]


def test_what_was_dropped_is_carried_and_not_held() -> None:
    agent = begun()
    agent.messages = agent.messages[-2:]
    agent.ask("Done.")
    found = context_of(agent)
    held = [each for each in each_segment(found) if each.held]
    assert held == segments_of(found)
    gone = [each for each in carried(found) if not each.held]
    assert {each.last for each in gone} == {3}
    assert sum(each.carried for each in carried(found)) == sum(turn.total for turn in found.turns)


def test_what_a_provider_keeps_has_a_name() -> None:
    agent = begun()
    agent.ask("Done.")
    found = context_of(agent)
    found.held[0].piece = Piece(0, 0, KEPT, b"1")
    assert segments_of(found)[0].name == "earlier turns, kept by the provider"
