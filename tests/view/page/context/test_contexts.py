"""The Context tab: columns of the turns, and one request with all its segments."""

from __future__ import annotations

import datetime

import msgspec
import pytest

from agentsight_rx.llm.prices import Prices
from agentsight_rx.view.page.context.context import CLEARED, ContextOverTime, ContextTurn, pairs_of
from agentsight_rx.view.page.head import CACHE_LOST, Head
from agentsight_rx.view.page.picture import Picture
from agentsight_rx.view.page.rail import PageError, answer
from agentsight_rx.view.queries.context.reading import read_contexts
from agentsight_rx.view.queries.context.words import lost_said, saving_said
from agentsight_rx.view.queries.selection import Selection
from agentsight_rx.view.queries.sessions.summary import read_summary
from benchmarks.contexts import session
from tests.view.page.story import stored
from tests.view.queries.context_story import SESSION, Agent, words

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
    assert found.notes[0].said[0].text == "First change since turn 2: tool 12 of 12."
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


def test_a_question_of_the_agent_itself_is_a_request_of_its_own() -> None:
    agent = Agent()
    agent.said("Fix the totals.").ask("Done.")
    agent.ask_for_title()
    agent.said("Thanks.").ask("Welcome.")
    picture = pictured(agent)
    beside, main = asked(picture, "/2"), asked(picture, "")
    assert isinstance(beside, ContextTurn)
    assert isinstance(main, ContextOverTime)
    assert (2, sum(agent.truth[1])) == (beside.turn, beside.tokens)
    assert (1, 3) == main.n


def test_what_was_dropped_is_among_the_dearest() -> None:
    agent = Agent()
    agent.said("Read all.")
    agent.turn("Tool1", {"file_path": "/work/src/large.py"}, words(9000, 1), "I read it.")
    agent.ask("Done.")
    agent.messages = []
    agent.said("Something else.").ask("Yes.")
    turn = asked(pictured(agent), "/3")
    assert isinstance(turn, ContextTurn)
    assert ("/work/src/large.py", 2) == (turn.rows[0].what, turn.rows[0].dropped)
    held = sum(row.tokens for row in turn.rows if not row.dropped) + (turn.rest.tokens if turn.rest else 0)
    assert turn.tokens == held


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


def test_small_segments_are_shown_where_runs_are_opened(picture: Picture) -> None:
    folded, opened = asked(picture, "/3"), asked(picture, "/3", opened="1")
    assert isinstance(folded, ContextTurn)
    assert isinstance(opened, ContextTurn)
    assert any(not each.id for each in folded.blocks)
    assert all(each.id for each in opened.blocks)
    assert sum(each.tokens for each in opened.blocks) == folded.tokens


def test_a_segment_leads_to_where_it_came_from(picture: Picture) -> None:
    found = asked(picture, "/3")
    assert isinstance(found, ContextTurn)
    targets = {each.what: (each.target.tab, each.target.turn) for each in found.rows if each.target is not None}
    assert targets["/work/src/post.py"] == ("conversation", 1)
    assert targets["x, from mcp__ledger__tool0"] == ("conversation", 2)
    assert targets["ledger"] == ("mcp", 0)
    assert targets["prompt, turn 1"] == ("conversation", 1)
    assert "built-in tools" not in targets


def test_a_file_that_was_put_back_is_the_same_segment() -> None:
    agent = Agent()
    agent.said("Fix the totals.")
    agent.turn("Tool1", {"file_path": "/work/a.py"}, words(900, 1), "I read it.")
    kept = agent.messages[-2:]
    agent.turn("Tool2", {"command": "ls"}, words(3000, 2), "On.")
    agent.turn("Tool2", {"command": "ls -l"}, words(3000, 3), "On.")
    agent.messages = []
    agent.said("This session is being continued from a previous conversation. " + words(90, 8))
    agent.ask("Going on.")
    agent.messages += kept
    agent.ask("Done.")
    found = asked(pictured(agent), "/5")
    assert isinstance(found, ContextTurn)
    (row,) = [each for each in found.rows if each.what == "/work/a.py"]
    assert (row.since, row.again, row.requests, row.lives) == (2, 5, 3, (2, 3, 5, 5))
    assert [each.again for each in found.blocks if each.what.startswith("/work/a.py")] == [5]


@pytest.fixture(scope="module")
def long() -> Picture:
    """500 turns, of which ten have lost the cache."""
    return Picture(stored(session(500, 40, lost=range(50, 501, 50))), PRICES)


def test_the_tab_of_500_turns_moves_less_than_100_kb(long: Picture) -> None:
    (id,) = long.sessions
    paths = ["", "/500", "/250", "/1"]
    answers = [answer(long, "r", f"session/{id}/context{path}", {}) for path in paths]
    sizes = [len(msgspec.json.encode(each)) for each in answers]
    opened = len(msgspec.json.encode(answer(long, "r", f"session/{id}/context/500", {"opened": "1"})))
    assert sum(sizes) + opened < 100_000, (sizes, opened)
    assert isinstance(answers[0], ContextOverTime)
    assert len(answers[0].n) == 500
    assert [n for n, flags in zip(answers[0].n, column(answers[0].flags), strict=True) if flags] == [*range(50, 501, 50)]


def test_the_sentence_of_a_long_session_names_what_cost_a_tenth(long: Picture) -> None:
    (id,) = long.sessions
    summary = read_summary(long.store, Selection(), PRICES)
    found = summary.avoidable
    assert found is not None
    assert (found.kind, len(found.turns)) == ("lost", 10)
    cost = summary.cost.usd or 0.0
    assert 0.1 * cost <= (found.usd or 0.0) < cost
    assert found.usd == pytest.approx(sum(each.cost_usd or 0.0 for each in summary.findings if each.kind == "uncached"))
    head = answer(long, "r", f"session/{id}", {})
    assert isinstance(head, Head)
    assert head.verdict[-1].text == saving_said(found, cost)
    rarely = Picture(stored(session(120, 40, lost=(30,))), PRICES)
    less = read_summary(rarely.store, Selection(), PRICES)
    assert [each.turns for each in less.findings if each.kind == "uncached"] == [(30,)]
    assert less.avoidable is None
    (id,) = rarely.sessions
    quiet = answer(rarely, "r", f"session/{id}", {})
    assert isinstance(quiet, Head)
    assert "could be saved" not in "".join(each.text for each in quiet.verdict)
