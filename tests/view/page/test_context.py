"""The Context tab: columns of the turns, and one request with all its segments."""

from __future__ import annotations

import datetime

import msgspec
import pytest

from agentsight_rx.prices import Prices
from agentsight_rx.view.page.answers import PageError, answer
from agentsight_rx.view.page.context import Contexts, RequestContext
from agentsight_rx.view.page.picture import Picture

from ..queries.context_story import SESSION, Agent, words
from .story import stored

PRICES = Prices(today=datetime.date(2026, 11, 27))


def pictured(agent: Agent) -> Picture:
    return Picture(stored(agent.events), PRICES)


def asked(picture: Picture, path: str, **given: str) -> object:
    return answer(picture, "r", f"session/{SESSION}/context{path}", given)


@pytest.fixture(scope="module")
def picture() -> Picture:
    agent = Agent()
    agent.said("Fix the totals.")
    agent.turn("Tool1", {"file_path": "/work/src/post.py"}, words(700, 1), "I read it.")
    agent.turn("mcp__ledger__tool0", {"query": "x"}, words(400, 2), "Now the tests.")
    agent.add_tool("mcp__ledger__close")
    agent.ask("Done.")
    return pictured(agent)


def test_the_turns_are_columns_that_add_up(picture: Picture) -> None:
    found = asked(picture, "")
    assert isinstance(found, Contexts)
    assert found.turns == (1, 2, 3)
    assert [sum(column) for column in zip(*found.sums, strict=True)] == list(found.total)
    assert found.prompts == (1,)
    assert found.fullest == 3
    assert found.lost == {3: "the tool list changed, mcp__ledger__close was added"}
    assert {each.kind for each in found.findings} == {"lost", "uncalled"}
    assert (found.unknown, found.estimated, found.others) == ((), (), ("",))


def test_a_request_has_all_its_segments(picture: Picture) -> None:
    found = asked(picture, "/3")
    assert isinstance(found, RequestContext)
    assert sum(each.tokens for each in found.segments) == found.total
    assert sum(each.cached for each in found.segments) == found.read
    assert found.sentence == "At turn 3 the cache was lost: the tool list changed, mcp__ledger__close was added."
    assert [each.name for each in found.segments if each.changed] == ["mcp__ledger__close"]
    assert {(each.name, each.called) for each in found.servers} == {("built-in tools", 1), ("ledger", 1), ("weather", 0)}
    assert found.notes[1] == "First change: tool 12 of 12."
    before = asked(picture, "/2")
    assert isinstance(before, RequestContext)
    assert before.total < found.total
    assert {each.key for each in before.segments} < {each.key for each in found.segments}


def test_what_is_not_there_is_named(picture: Picture) -> None:
    for path, given in (("/9", {}), ("", {"of": "nobody"}), ("/x", {})):
        with pytest.raises(PageError):
            asked(picture, path, **given)


def test_five_hundred_turns_are_less_than_100_kb() -> None:
    agent = Agent()
    agent.said("go")
    for at in range(499):
        agent.turn("Tool1", {"file_path": f"/work/src/f{at}.py"}, words(30, at) if at % 50 else words(900, at), "Next.")
    agent.ask("Done.")
    picture = pictured(agent)
    newest = asked(picture, "/500")
    assert isinstance(newest, RequestContext)
    assert len(msgspec.json.encode(asked(picture, ""))) + len(msgspec.json.encode(newest)) < 100_000
    assert sum(each.tokens for each in newest.segments) == newest.total
    assert len(newest.segments) <= 40
    run = next(each for each in newest.segments if each.count > 10)
    opened = asked(picture, "/500", open=run.key)
    assert isinstance(opened, RequestContext)
    assert len(opened.segments) == len(newest.segments) + run.count - 1
