"""Parts of requests, summed over the sessions of a selection: nothing is lost, nothing counts twice."""

from __future__ import annotations

import pytest

from agentsight_rx.view.queries.context.part_tokens import PART_GROUPINGS, all_parts_of, parts_of, read_parts
from agentsight_rx.view.queries.context.reading import read_contexts
from agentsight_rx.view.queries.selection import Selection
from agentsight_rx.view.queries.sessions.once import Once, Place
from tests.view.page.story import stored
from tests.view.queries.context_story import PRICES, SESSION, begun


def test_by_origin_it_is_the_whole_input() -> None:
    agent = begun()
    agent.ask("Done.")
    store = stored(agent.events)
    groups = read_parts(store, Selection(), PRICES, "origin")
    (context,) = read_contexts(store, SESSION, PRICES)
    assert sum(group.carried for group in groups) == sum(turn.total for turn in context.turns)
    assert sum(group.cost or 0.0 for group in groups) == pytest.approx(sum(turn.cost or 0.0 for turn in context.turns))
    assert {group.sessions for group in groups} == {1}


def test_by_tool_file_and_server_it_is_what_belongs_to_one() -> None:
    agent = begun()
    agent.turn("mcp__ledger__tool0", {"query": "x"}, "10.01")
    agent.ask("Done.")
    store = stored(agent.events)
    assert {group.group for group in read_parts(store, Selection(), PRICES, "tool")} == {"Tool1", "Tool2", "mcp__ledger__tool0"}
    files = {"/work/src/ledger/post.py", "/work/src/ledger/book.py", "/work/CLAUDE.md"}
    assert {group.group for group in read_parts(store, Selection(), PRICES, "file")} == files
    servers = {group.group: group.parts for group in read_parts(store, Selection(), PRICES, "mcp-server")}
    assert servers == {"built-in tools": 8, "ledger": 4, "weather": 3}


def test_all_groupings_are_read_at_once() -> None:
    agent = begun()
    agent.ask("Done.")
    store = stored(agent.events)
    found = all_parts_of(Once([Place(store)]), PRICES)
    assert found == {by: read_parts(store, Selection(), PRICES, by) for by in PART_GROUPINGS}


def test_a_session_of_two_stores_counts_once() -> None:
    agent = begun()
    agent.ask("Done.")
    one, other = Place(stored(agent.events)), Place(stored(agent.events))
    alone = read_parts(one.store, Selection(), PRICES, "origin")
    for once in (Once([one, other]), Once([one], other), Once([], other)):
        assert alone == parts_of(once, PRICES, "origin")
