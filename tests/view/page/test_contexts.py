"""The Context tab: columns of the turns, and one request with all its segments."""

from __future__ import annotations

import datetime

import msgspec
import pytest

from agentsight_rx.prices import Prices
from agentsight_rx.view.page.answers import PageError, answer
from agentsight_rx.view.page.context import CLEARED, ContextOverTime, ContextTurn, pairs_of
from agentsight_rx.view.page.head import CACHE_LOST, Head
from agentsight_rx.view.page.picture import Picture
from agentsight_rx.view.queries.context_reading import read_contexts
from agentsight_rx.view.queries.context_words import lost_said, saving_said
from agentsight_rx.view.queries.selection import Selection
from agentsight_rx.view.queries.summary import read_summary

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


def column(runs: tuple[int, ...]) -> list[int]:
    return [value for value, times in pairs_of(runs) for _ in range(times)]


def test_the_turns_are_columns_that_add_up(picture: Picture) -> None:
    found = asked(picture, "")
    assert isinstance(found, ContextOverTime)
    assert found.n == (1, 2, 3)
    totals = [sum(each) for each in zip(*map(column, found.sums), strict=True)]
    (context,) = picture.contexts(SESSION)
    assert totals == [turn.total for turn in context.turns]
    assert (found.prompts, found.fullest, found.counted) == ((1,), 3, True)
    assert column(found.flags) == [0, 0, CACHE_LOST]
    assert {each.title for each in found.findings} == {"The cache was lost", "Servers that are never called"}
    assert [each.id for each in found.threads] == [""]
    assert column(found.sums[4])[1:] == [700, 700]  # the file that was read


def test_a_request_has_all_its_segments(picture: Picture) -> None:
    found = asked(picture, "/3")
    assert isinstance(found, ContextTurn)
    assert sum(each.tokens for each in found.blocks) == found.tokens == found.read + found.written + found.uncached
    said = "At turn 3 the cache was lost: the tool list changed, mcp__ledger__close was added."
    assert [each.text for each in found.sentence] == [said]
    assert [each.what for each in found.blocks if each.first_change] == ["mcp__ledger__close"]
    servers = {(each.name, each.calls, each.never) for each in found.servers}
    assert servers == {("", 1, 4), ("ledger", 1, 3), ("weather", 0, 3)}
    assert found.notes[0].said[0].text == "First change: tool 12 of 12."
    assert found.prices == "written $3.75 a million"
    assert found.total is not None
    assert found.total.cached_usd is not None
    assert found.total.full_usd is not None
    (context,) = picture.contexts(SESSION)
    assert found.total.cached_usd + found.total.full_usd == pytest.approx(sum(turn.cost or 0.0 for turn in context.turns))
    before = asked(picture, "/2", row=next(each.id for each in found.rows if each.what == "/work/src/post.py"))
    assert isinstance(before, ContextTurn)
    assert before.tokens < found.tokens
    assert before.chosen is not None
    assert (before.chosen.tokens, before.chosen.lives) == (700, (2, 2))
    files = asked(picture, "/3", origin="files")
    assert isinstance(files, ContextTurn)
    assert [each.what for each in files.rows] == ["/work/src/post.py"]


def test_the_lines_of_a_file_are_cut_where_it_was_paid_again(picture: Picture) -> None:
    found = asked(picture, "/3")
    assert isinstance(found, ContextTurn)
    assert next(each.lives for each in found.rows if each.what == "/work/src/post.py") == (2, 2, 3, 3)


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
    assert isinstance(newest, ContextTurn)
    assert len(msgspec.json.encode(asked(picture, ""))) + len(msgspec.json.encode(newest)) < 40_000
    assert sum(each.tokens for each in newest.blocks) == newest.tokens
    assert len(newest.blocks) <= 40
    assert any(each.count > 10 for each in newest.blocks)


def test_every_view_says_the_same_of_a_lost_cache() -> None:
    agent = Agent()
    agent.said("Fix the totals.")
    for at in range(3):
        agent.turn("Tool1", {"file_path": f"/work/{at}.py"}, words(900, at), "I read it.")
    agent.add_tool("mcp__ledger__close")
    agent.turn("Tool2", {"command": "ls"}, words(90, 4), "On.")
    agent.wait(400)
    agent.ask("Done.")
    store = stored(agent.events)
    picture = Picture(store, PRICES)
    (context,) = read_contexts(store, SESSION, PRICES)
    truth = [(turn.turn, turn.lost.tokens, turn.lost.usd, lost_said(turn.lost)) for turn in context.turns if turn.lost]
    assert [said for *_, said in truth] == [
        "the tool list changed, mcp__ledger__close was added",
        "idle 6 min, the cache had expired after 5",
    ]
    summary = read_summary(store, Selection(), PRICES)
    found = [each for each in summary.findings if each.kind == "uncached"]
    assert sorted((each.turns[0], each.amount, each.cost_usd, each.what) for each in found) == truth
    head = answer(picture, "r", f"session/{SESSION}", {})
    assert isinstance(head, Head)
    assert head.strip is not None
    assert [n for n, flags in zip(head.strip.n, head.strip.flags, strict=True) if flags & CACHE_LOST] == [4, 5]
    signals = [each for each in head.signals if each.title == "Cache lost"]
    assert sorted(each.turns for each in signals) == [(4,), (5,)]
    assert all(any(each.text.casefold().startswith(said.casefold()) for each in signals) for *_, said in truth)
    over = asked(picture, "")
    assert isinstance(over, ContextOverTime)
    assert [n for n, flags in zip(over.n, column(over.flags), strict=True) if flags & CACHE_LOST] == [4, 5]
    assert summary.avoidable is not None
    assert [each.text for each in head.verdict[-1:]] == [saving_said(summary.avoidable, summary.cost.usd or 0.0)]
    assert head.verdict[-1].tab == "context"


def test_what_a_provider_cleared_is_a_note_and_no_loss() -> None:
    agent = Agent()
    agent.said("Fix the totals.")
    agent.more["context_management"] = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    for at in range(3):
        agent.turn("Tool1", {"file_path": f"/work/{at}.py"}, words(900, at), "I read it.")
    agent.cleared = 2
    edit = {"type": "clear_tool_uses_20250919", "cleared_tool_uses": 2, "cleared_input_tokens": 1800}
    agent.says = {"context_management": {"applied_edits": [edit]}}
    agent.ask("Done.")
    picture = pictured(agent)
    over, turn = asked(picture, ""), asked(picture, "/4")
    assert isinstance(over, ContextOverTime)
    assert isinstance(turn, ContextTurn)
    assert column(over.flags) == [0, 0, 0, CLEARED]
    (note,) = turn.notes
    assert note.kind == "cleared"
    assert note.said[0].text == "The provider cleared 2 tool results from the conversation, 1.8 k, as the request asked."
    assert note.more[0].text.startswith("What stands behind was read anew: $")
