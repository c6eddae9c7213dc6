"""A scripted agent and a model that counts -> every number and every reason of its context is the true one."""

from __future__ import annotations

from pathlib import Path

from agentsight_rx.state import LmdbStore, Store
from agentsight_rx.view.queries.context_reading import read_contexts
from agentsight_rx.view.queries.context_words import counted_said, sentence_of
from agentsight_rx.view.queries.segments import carried, segments_of

from ..page.story import recorded
from .context_story import PRICES, RULES, SESSION, begun, context_of, is_true, words


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
