"""A scripted agent and a model that counts -> every number and every reason of its context is the true one."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from agentsight_rx.events import HttpRequest
from agentsight_rx.store.log.reading import read_requests
from agentsight_rx.store.rows.tables import CALLS, EXCHANGES
from agentsight_rx.store.state import Delete, LmdbStore, Store
from agentsight_rx.view.queries.context.context import Cleared
from agentsight_rx.view.queries.context.reader import Reader
from agentsight_rx.view.queries.context.reading import read_contexts
from agentsight_rx.view.queries.context.segments import carried, segments_of
from agentsight_rx.view.queries.context.words import counted_said, sentence_of
from tests.view.page.story import recorded, stored
from tests.view.queries.context_story import (
    CLEAR,
    PRICES,
    RULES,
    SESSION,
    Agent,
    applied,
    begun,
    context_of,
    edited,
    is_true,
    words,
)


def test_every_number_is_the_one_that_the_model_counted() -> None:
    agent = begun()
    agent.ask("Done. " + words(20, 6))
    found = context_of(agent)
    is_true(agent, found)
    assert [turn.lost for turn in found.turns] == [None] * 4
    segments = segments_of(found)
    assert [(each.name, each.exact) for each in segments if each.origin in ("file", "command")] == [
        ("/work/src/ledger/post.py, from Tool1", True),
        ("/work/src/ledger/book.py, from Tool1", True),
        ("pytest -q, from Tool2", True),
    ]
    assert [each.name for each in segments if each.origin == "instructions"] == ["/work/CLAUDE.md"]
    assert [(each.since, each.requests, each.mentioned) for each in segments if each.file] == [(2, 3, 2), (3, 2, 2)]
    servers = [(each.name, each.count) for each in carried(found) if each.origin == "tools"]
    assert sorted(servers) == [("built-in tools", 5), ("ledger", 3), ("weather", 3)]
    assert counted_said(found.turns[-1]).startswith(f"Counted by the provider: {found.turns[-1].total:,} tokens in.")


def test_a_compaction_is_no_loss_of_a_cache() -> None:
    agent = begun()
    for at in range(6):
        agent.turn("Tool1", {"file_path": f"/work/src/{at}.py"}, words(600, 20 + at), "More.")
    kept = agent.messages[-2:]
    summary = "This session is being continued from a previous conversation that ran out of context. " + words(200, 8)
    agent.messages = []
    agent.said(RULES).said(summary)
    agent.messages += kept
    agent.ask("Going on.")
    found = context_of(agent)
    is_true(agent, found)
    turn = found.turns[-1]
    assert turn.compaction is not None
    assert turn.compaction.summed_up
    assert turn.lost is None
    gone = [each for each in turn.compaction.dropped if each.piece.origin == "result"]
    assert len(gone) == 8
    before, now = agent.truth[-2], agent.truth[-1]
    said = f"Compacted before turn 10: {sum(each.tokens for each in turn.compaction.dropped) / 1000:.1f} k of"
    assert sentence_of(found, turn, []).startswith(said)
    assert sum(before) > sum(now)
    assert {each.piece.origin for each in turn.compaction.came} == {"summary"}


def test_a_store_in_a_file_says_the_same(tmp_path: Path) -> None:
    agent = begun()
    agent.ask("Done.")
    path = recorded(tmp_path / "run.lmdb", agent.events)
    store: Store = LmdbStore.open(path, readonly=True)
    try:
        (found,) = read_contexts(store, SESSION, PRICES)
        earlier = found.at(2)
    finally:
        store.close()
    assert segments_of(found) == segments_of(context_of(agent))
    assert [turn.turn for turn in earlier.turns] == [1, 2]
    assert len(earlier.held) < len(found.held)


def test_a_copy_goes_on_by_itself() -> None:
    agent = begun()
    agent.ask("Done.")
    store = stored(agent.events)
    rows = [row for _, row in store.scan(CALLS)]
    requests = dict(read_requests(store, [row.id for row in rows]))
    reader = Reader(None)
    for row in rows[:3]:
        reader.add(row, requests[row.id], PRICES)
    other = reader.copy()
    last = other.add(rows[3], requests[rows[3].id], PRICES)
    assert other.pieces > reader.pieces
    assert [len(each.context(PRICES, ()).turns) for each in (reader, other)] == [3, 4]
    again = reader.add(rows[3], requests[rows[3].id], PRICES)
    assert (last.sums, last.lost, last.cost) == (again.sums, again.lost, again.cost)
    assert reader.add(rows[3], None, None).known is False


@pytest.mark.parametrize("known", [True, False])
def test_a_loss_has_a_reason_where_the_request_before_is_known(*, known: bool) -> None:
    agent = begun()
    agent.forget()
    agent.ask("Done.")
    store = stored(agent.events)
    if not known:
        third = next(row.id for _, row in store.scan(CALLS) if row.turn == 3)
        store.commit([Delete(EXCHANGES, (third, "request"))])
    (found,) = read_contexts(store, SESSION, PRICES)
    lost = found.turns[3].lost
    assert lost is not None
    assert lost.cause is not None
    assert lost.cause.kind == ("provider" if known else "unknown")


def test_cleared_results_and_thoughts_have_no_tokens() -> None:
    agent = edited(2)
    found = context_of(agent)
    cleared = found.turns[4].cleared
    assert cleared is not None
    assert (cleared.results, cleared.tokens) == (2, 1400)
    assert [held.tokens for held in found.held if held.piece.origin == "result"][:2] == [0, 0]
    thinks = begun()
    thinks.more["context_management"] = CLEAR
    thinks.messages[2]["content"].insert(0, {"type": "thinking", "content": "", "thinking": words(90, 1)})
    thinks.ask("Done.")
    thinks.says = applied(0, 0, turns=1)
    thinks.forget()
    thinks.said("More.").ask("Done.")
    found = context_of(thinks)
    assert [found.thread.made[number].piece.origin for number in found.thread.cleared] == ["reasoning"]
    assert found.turns[-1].cleared == Cleared(0, 1, 7, usd=found.turns[-1].cleared.usd if found.turns[-1].cleared else None)


def test_a_request_that_is_summed_up_at_once_has_its_own_counts() -> None:
    agent = begun()
    agent.more["context_management"] = {"edits": [{"type": "compact_20260112"}]}
    agent.turn("Tool1", {"file_path": "/work/src/long.py"}, words(60_000, 31), "A long one.")
    counted = {"input_tokens": 60_500, "cache_creation_input_tokens": 3000, "cache_read_input_tokens": 0, "output_tokens": 300}
    iterations = [{"type": "compaction", **counted}, {"type": "message", "input_tokens": 400}]
    agent.says = {"usage": {**counted, "iterations": iterations}}
    agent.ask("Going on.")
    found = context_of(agent)
    assert found.turns[-1].total == 63_500
    assert found.thread.costs.unplaced > 0


def test_of_an_answer_that_thought_it_is_not_known_how_much_is_sent_again() -> None:
    agent = begun()
    agent.says = {"content": [{"type": "thinking", "thinking": words(50, 1)}, {"type": "text", "text": "Well."}]}
    agent.ask("Well.")
    agent.said("More.").ask("Done.")
    found = context_of(agent)
    assert sum(found.turns[-1].sums.values()) == found.turns[-1].total


@pytest.mark.parametrize("cut", ["request", "answer"])
def test_behind_a_call_that_was_cut_nothing_jumps(cut: str) -> None:
    agent = begun()
    agent.ask("Done.")
    agent.said("Go on.")
    agent.counts = cut != "answer"
    agent.turn("Tool2", {"command": "ls"}, words(12, 3), "I look.")
    agent.counts = True
    if cut == "request":
        asked = agent.events[-2]
        assert isinstance(asked, HttpRequest)
        agent.events[-2] = replace(asked, complete=False, reason="gap", body=asked.body[: len(asked.body) // 2])
    agent.turn("Tool2", {"command": "make"}, words(80, 22), "Make.")
    agent.ask("Done.")
    found = context_of(agent)
    cut_one = found.turns[-3]
    assert (cut != "request", cut != "answer") == (cut_one.known, cut_one.usage is not None)
    assert [] == [turn.turn for turn in found.turns if turn.lost is not None or turn.compaction is not None]
    for turn, sizes in zip(found.turns, agent.truth, strict=True):
        assert abs(turn.total - sum(sizes)) <= 20, "what is not counted is estimated"
        assert turn.known is False or abs(turn.sums["tools"] - found.turns[0].sums["tools"]) <= 2
    assert "the rest was counted" in counted_said(cut_one) or cut == "request"


def test_the_window_is_that_of_the_model_of_each_request() -> None:
    agent = Agent()
    agent.model = "gpt-4o-mini"
    agent.said("Go.").ask("Done.")
    agent.model = "claude-sonnet-4-5"
    agent.said("Go on.").ask("Done.")
    found = context_of(agent)
    small, large = (turn.window for turn in found.turns)
    assert large == found.window == PRICES.window_of("anthropic", "claude-sonnet-4-5")
    assert small == found.at(1).window != large
