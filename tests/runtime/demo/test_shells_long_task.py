"""The longer task of the demo, without a capture: what fills the context of its agent is what its model counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from agentsight_rx.llm.prices import Prices
from agentsight_rx.runtime.demo.prompt_cache import count, texts_of
from agentsight_rx.runtime.demo.shells import COMMANDS, COMPACT_TOKENS, PROMPT, prepare
from agentsight_rx.store.rows.tables import TOOLS
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view.queries import Selection
from agentsight_rx.view.queries.context.context import AgentContext
from agentsight_rx.view.queries.context.findings import avoidable
from agentsight_rx.view.queries.context.reading import read_contexts
from agentsight_rx.view.queries.context.segments import segments_of
from agentsight_rx.view.queries.context.words import lost_said
from agentsight_rx.view.queries.reading import newest_session, selected
from tests.live.peers import Exchange
from tests.runtime.demo.agent_runs import agent_run, events_of
from tests.view.page.story import stored
from tests.view.queries.context_story import adds_up

LOST, SUMMED_UP, LAST = 7, 11, 14  # turns
PRICES = Prices()


@pytest.fixture(scope="module")
def exchanges(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Exchange]:
    work = tmp_path_factory.mktemp("work")
    prepare(work)
    made = agent_run(work, tmp_path_factory.mktemp("model"), PROMPT, COMMANDS, COMPACT_TOKENS)
    assert "self.assertEqual" in (work / "test_double.py").read_text()
    assert not (work / "notes.tmp").exists()
    return made


@pytest.fixture(scope="module")
def store(exchanges: Sequence[Exchange]) -> MemoryStore:
    return stored(events_of(exchanges))


@pytest.fixture(scope="module")
def agent(store: MemoryStore) -> AgentContext:
    session = newest_session(store)
    assert session is not None
    (found,) = read_contexts(store, session.id, PRICES)
    return found


def test_each_number_is_the_one_that_the_model_counted(exchanges: Sequence[Exchange], agent: AgentContext) -> None:
    requests: list[Any] = [json.loads(each.request) for each in exchanges]
    truth = [[count(text) for text, _ in texts_of(request)] for request in requests]
    assert LAST == len(truth)
    del truth[SUMMED_UP - 1]  # the request for a summary stands beside the conversation
    adds_up(truth, agent)


def test_it_has_one_compaction_and_one_lost_cache_with_its_reason_and_price(agent: AgentContext) -> None:
    lost = [(turn.turn, turn.lost) for turn in agent.turns if turn.lost is not None]
    assert [(LOST, "the tool list changed, run_tests was added")] == [(turn, lost_said(each)) for turn, each in lost]
    tokens, usd = lost[0][1].tokens, lost[0][1].usd
    before, now = agent.turns[LOST - 2], agent.turns[LOST - 1]
    assert (before.usage, now.usage) != (None, None)
    assert before.total == tokens > 10_000
    assert before.rates is not None
    assert now.rates is not None
    assert tokens * (now.rates.write - before.rates.read) == pytest.approx(usd)
    ((fell, compaction),) = [(turn.turn, turn.compaction) for turn in agent.turns if turn.compaction is not None]
    assert fell == SUMMED_UP + 1
    assert compaction.summed_up
    assert compaction.tokens > 10_000
    assert (compaction.usd or 0) > 0.005
    assert ["summary"] == [each.piece.origin for each in compaction.came]


def test_nothing_else_is_worth_a_look(store: MemoryStore, agent: AgentContext) -> None:
    called = {tool.tool_name for tool in selected(store, TOOLS, Selection())}
    assert {"bash", "read_file", "run_tests"} == called
    assert ["lost"] == [each.kind for each in avoidable(agent, called)]


def test_its_parts_have_the_names_that_a_person_knows(agent: AgentContext) -> None:
    assert {"tools", "system", "instructions", "prompt", "file", "command", "result", "answer", "summary"} == {
        each for turn in agent.turns for each in turn.sums
    }
    (rules,) = [each for each in segments_of(agent) if each.origin == "instructions"]
    assert rules.name.endswith("/AGENTS.md")
