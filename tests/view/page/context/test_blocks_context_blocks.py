"""The blocks of a request: their sizes are the request, small ones are runs, tools stand by their server."""

from __future__ import annotations

from agentsight_rx.view.page.context.blocks import blocks_of
from tests.view.queries.context_story import Agent, begun, context_of, words


def test_blocks_are_the_request_in_its_order() -> None:
    agent = begun()
    agent.ask("Done.")
    found = context_of(agent)
    blocks = list(blocks_of(found, found.turns[-1]))
    assert sum(block.tokens for block in blocks) == found.turns[-1].total
    assert [block.what for block in blocks if block.id.startswith("server:")] == [
        "built-in tools, 5 tools",
        "ledger, 3 tools",
        "weather, 3 tools",
    ]
    assert [block.origins for block in blocks[:4]] == [(1,), (1,), (1,), (0,)]
    assert all(block.fixed for block in blocks[:4])


def test_small_segments_are_runs_with_their_turns() -> None:
    agent = begun()
    for at in range(60):
        agent.turn("Tool2", {"command": f"step {at}"}, words(12, at), "Next.")
    agent.said(words(2000, 5)).ask("Done.")
    found = context_of(agent)
    blocks = list(blocks_of(found, found.turns[-1]))
    run = next(block for block in blocks if block.count > 50)
    assert run.id == ""
    assert run.since < run.until
    assert blocks[-1].what.startswith("prompt, turn")


def test_the_first_change_stands_alone() -> None:
    agent = begun()
    agent.add_tool("mcp__ledger__close")
    agent.ask("Done.")
    found = context_of(agent)
    changed = [block for block in blocks_of(found, found.turns[-1]) if block.first_change]
    assert [block.what for block in changed] == ["mcp__ledger__close"]


def test_a_request_of_tools_alone_ends_with_a_server() -> None:
    agent = Agent()
    agent.said("go").ask("Done.")
    found = context_of(agent)
    del found.thread.held[11:]  # the system prompt and the conversation
    assert [each.what for each in blocks_of(found, found.turns[-1])] == [
        "built-in tools, 5 tools",
        "ledger, 3 tools",
        "weather, 3 tools",
    ]
