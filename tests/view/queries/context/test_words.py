"""Every reason of a lost cache, a compaction, and what fills a context, in words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from agentsight_rx.store.rows.tables import CALLS, EXCHANGES
from agentsight_rx.store.state import Delete
from agentsight_rx.view.queries.context.context import Cleared, LostCache
from agentsight_rx.view.queries.context.findings import Avoidable, avoidable
from agentsight_rx.view.queries.context.reading import read_contexts
from agentsight_rx.view.queries.context.words import (
    avoidable_said,
    cleared_said,
    counted_said,
    lost_said,
    saving_said,
    sentence_of,
    what_to_do,
)
from tests.view.page.story import stored
from tests.view.queries.context_story import PRICES, RULES, SESSION, Agent, begun, compacted, context_of, edited, is_true, words


def _added(agent: Agent) -> None:
    agent.add_tool("mcp__ledger__close")


def _described(agent: Agent) -> None:
    agent.tools[2] = {**agent.tools[2], "description": "Something else."}


def _moved(agent: Agent) -> None:
    agent.tools[0], agent.tools[1] = agent.tools[1], agent.tools[0]


def _next_day(agent: Agent) -> None:
    agent.system = agent.system.replace("2026-11-26", "2026-11-27")


def _edited(agent: Agent) -> None:
    agent.messages[0] = {"role": "user", "content": [{"type": "text", "text": RULES.replace("relevant", "useful")}]}


def _unmarked(agent: Agent) -> None:
    agent.marks = False
    agent.forget()


REASONS: list[tuple[str, Callable[[Agent], None], str]] = [
    ("a tool more", _added, "the tool list changed, mcp__ledger__close was added"),
    ("a tool less", lambda agent: agent.tools.remove(agent.tools[3]), "the tool list changed, Tool3 was removed"),
    ("another description", _described, "the tool list changed, Tool2 is described anew"),
    ("another order", _moved, "the tool list changed, its order is another one"),
    ("a date", _next_day, "the system prompt changed: a date"),
    ("another prompt", lambda agent: setattr(agent, "system", "x" + agent.system), "the system prompt changed"),
    ("a message", _edited, "part 3 of 10 of the conversation changed: a reminder"),
    ("a pause", lambda agent: agent.wait(360), "idle 6 min, the cache had expired after 5"),
    (
        "a model",
        lambda agent: setattr(agent, "model", "claude-opus-4-5"),
        "another model, claude-opus-4-5 after claude-sonnet-4-5",
    ),
    (
        "a parameter",
        lambda agent: agent.more.update(thinking={"type": "enabled", "budget_tokens": 1024}),
        "a parameter that is part of the cache changed: thinking",
    ),
    ("no mark", _unmarked, "no part of the request was marked to be cached"),
    ("the provider", lambda agent: agent.forget(), "the request is the same; the provider no longer had it"),
]


@pytest.mark.parametrize(("change", "said"), [each[1:] for each in REASONS], ids=[each[0] for each in REASONS])
def test_why_the_cache_was_lost(change: Callable[[Agent], None], said: str) -> None:
    agent = begun()
    change(agent)
    agent.turn("Tool2", {"command": "ls"}, words(20, 9), "Again.")
    agent.ask("Done.")
    found = context_of(agent)
    is_true(agent, found)
    lost = [(turn.turn, lost_said(turn.lost)) for turn in found.turns if turn.lost is not None]
    assert lost == [(4, said)]
    turn = found.turns[3]
    assert turn.lost is not None
    assert (
        turn.lost.tokens
        == sum(agent.usage[2][name] for name in agent.usage[2] if name.startswith("cache"))
        - (agent.usage[3]["cache_read_input_tokens"])
    )
    assert turn.lost.usd is not None
    assert turn.lost.usd > 0
    assert sentence_of(found, turn, []) == f"At turn 4 the cache was lost: {said}."
    finding = next(each for each in avoidable(found, set()) if each.kind == "lost")
    assert (finding.turns, finding.usd) == ((4,), turn.lost.usd)


def test_a_turn_without_its_request_says_so() -> None:
    agent = begun()
    agent.ask("Done.")
    store = stored(agent.events)
    second = next(row.id for _, row in store.scan(CALLS) if row.turn == 2)
    store.commit([Delete(EXCHANGES, (second, "request"))])
    (found,) = read_contexts(store, SESSION, PRICES)
    assert [(turn.turn, turn.known, turn.total) for turn in found.turns] == [
        (number, number != 2, sum(sizes)) for number, sizes in enumerate(agent.truth, 1)
    ]
    said = sentence_of(found, found.turns[1], [])
    size = f"{sum(agent.truth[1]) / 1000:.1f} k"
    assert said == f"Turn 2: {size} counted, the request was not captured, so its parts are not known."
    assert sum(held.tokens for held in found.held) == sum(agent.truth[-1])


def test_a_loss_behind_a_request_that_was_not_captured_has_no_reason() -> None:
    agent = begun()
    agent.forget()
    agent.ask("Done.")
    store = stored(agent.events)
    third = next(row.id for _, row in store.scan(CALLS) if row.turn == 3)
    store.commit([Delete(EXCHANGES, (third, "request"))])
    (found,) = read_contexts(store, SESSION, PRICES)
    (lost,) = [turn.lost for turn in found.turns if turn.lost is not None]
    assert lost_said(lost) == "the request before was not captured, so the reason is not known"
    assert lost_said(LostCache(5000)) == ""


def test_without_counts_every_size_is_an_estimate() -> None:
    agent = Agent()
    agent.counts = False
    agent.said("go").turn("Tool1", {"file_path": "/a"}, words(500, 1))
    agent.ask("Done.")
    found = context_of(agent)
    newest = found.turns[-1]
    assert counted_said(newest) == "No counts: every size here is an estimate from length, 4 bytes a token."
    assert sentence_of(found, newest, []) == "At turn 2, about 2.9 k of 200.0 k are filled, most of it tool definitions."
    assert not any(held.exact for held in found.held)


def test_what_could_be_saved_is_a_part_of_the_cost() -> None:
    said = saving_said(Avoidable("lost", 5000, 0.2, turns=(3,)), 1.0)
    assert said == "$0.200 of $1.00 (20 %) could be saved: the cache was lost once (turn 3): 5.0 k paid again."


def test_the_newest_turn_may_still_grow() -> None:
    agent = begun()
    agent.ask("Done.")
    found = context_of(agent)
    assert sentence_of(found, found.turns[-1], [], so_far=True).endswith(" so far.")


@pytest.mark.parametrize(
    ("found", "said", "to_do"),
    [
        (
            Avoidable("uncalled", 9000, 0.5, what=("ledger", "weather")),
            "tools of ledger, weather are sent in every request and never called (9.0 k a request)",
            "Leave the server out for this project, for example: claude mcp remove ledger",
        ),
        (
            Avoidable("lost", 5000, None, what=("system",), turns=(3,)),
            "the cache was lost once (turn 3): 5.0 k paid again",
            "`agentsight-rx report cache` shows what changed each time.",
        ),
        (
            Avoidable("lost", 5000, None, what=("system",), turns=(3, 4, 5, 6)),
            "the cache was lost four times (turns 3, 4, 5, …): 5.0 k paid again",
            "`agentsight-rx report cache` shows what changed each time.",
        ),
        (
            Avoidable("unmentioned", 800, 0.1, what=("a", "b", "c", "d", "e")),
            "5 files read and never mentioned again: a, b, c and 2 more (800)",
            "Read such files in a sub-agent, or begin the next task in a new session.",
        ),
        (
            Avoidable("twice", 300, 0.1, what=("a",)),
            "the same content is in the context more than once: a (300)",
            "Ask for the part that changed: the changed lines of a file, or a command with less output.",
        ),
    ],
)
def test_each_finding_has_a_claim_and_one_thing_to_do(found: Avoidable, said: str, to_do: str) -> None:
    assert (avoidable_said(found), what_to_do(found)) == (said, to_do)


def test_a_compaction_names_who_made_the_summary() -> None:
    found = context_of(compacted(words(200, 8)))
    turn = found.turns[7]
    assert turn.compaction is not None
    said = sentence_of(found, turn, [])
    assert said.startswith("Compacted before turn 8: ")
    by_provider = replace(turn, compaction=replace(turn.compaction, by_provider=True))
    found.turns[7] = by_provider
    assert sentence_of(found, by_provider, []).startswith("Compacted by the provider before turn 8: ")
    left_out = replace(turn, compaction=replace(turn.compaction, summed_up=False))
    found.turns[7] = left_out
    assert sentence_of(found, left_out, []).endswith("without a summary.")


def test_what_was_cleared_is_named() -> None:
    found = context_of(edited(2))
    said = "At turn 5 the provider cleared 2 tool results from the conversation, 1.4 k, as the request asked."
    assert sentence_of(found, found.turns[4], []) == said
    assert cleared_said(Cleared(1, 3, 900)).startswith("the provider cleared 1 tool result and the thinking of 3 turns from")
    assert cleared_said(Cleared(0, 0, 900)).startswith("the provider cleared parts from")


def test_the_counts_of_a_turn_are_listed() -> None:
    agent = begun()
    agent.ask("Done.")
    last = context_of(agent).turns[-1]
    usage = last.usage
    assert usage is not None
    parts = f"{usage.cache_read:,} from the cache, {usage.cache_creation:,} written to it, {usage.input:,} uncached"
    assert counted_said(last) == f"Counted by the provider: {last.total:,} tokens in. {parts}. The parts add up to it."


def test_headlines_of_the_whole_session() -> None:
    agent = begun()
    agent.ask("Done.")
    found = context_of(agent)
    old = Avoidable("unmentioned", 900, 0.5, what=("a",), turns=(3,))
    assert sentence_of(found, found.turns[-1], [old]).endswith("are files read before turn 10 and never mentioned again.")
    unused = Avoidable("uncalled", 900, 0.5, what=("a", "b"))
    assert sentence_of(found, found.turns[-1], [unused]).endswith("are tools of two MCP servers that were never called.")
    assert sentence_of(found, found.turns[-1], [Avoidable("uncalled", 900, 0.5, what=("a",))]).endswith(
        "are tools of one MCP server that was never called."
    )
