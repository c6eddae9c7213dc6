"""What an agent's own file has of the requests of a session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.events import Event, SessionEntry, ToolCall, Usage, Witness
from agentsight_rx.llm.canonical import Message, TextPart, ToolCallPart
from agentsight_rx.operators import materialize
from agentsight_rx.store.log.parts import LogWriter
from agentsight_rx.store.log.whole import SaidTurn
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.kinds import SAID, AnyRow, CallRow
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view.queries.context.context import AgentContext
from agentsight_rx.view.queries.context.reading import Contexts, read_contexts
from agentsight_rx.view.queries.context.said import SaidRequests
from agentsight_rx.view.queries.context.segments import carried, segments_of
from agentsight_rx.view.queries.context.words import lost_said, sentence_of
from tests.operators import run
from tests.store.fold.test_said import entry, in_order
from tests.view.queries.context_story import PRICES


def _answer(second: int, usage: Usage | None, **more: Any) -> SessionEntry:
    more = {"model": "claude-sonnet-4-5", "provider": "anthropic", "text": f"Answer {second}.", **more}
    return entry(second, "answer", f"msg_{second}", usage=usage, **more)


def _tool(second: int) -> tuple[ToolCall, ...]:
    return (ToolCall(f"toolu_{second}", "Bash", '{"command":"ls"}'),)


def _stored(entries: Sequence[SessionEntry]) -> MemoryStore:
    store = MemoryStore()
    events: list[Event] = [Witness(entries[0].origin, SAID), *in_order(entries)]
    store.commit([put(row) for row in run(materialize(), events) if isinstance(row, AnyRow)])
    store.commit(LogWriter(store).append(in_order(entries)))
    return store


def _read(*entries: SessionEntry) -> AgentContext:
    (agent,) = read_contexts(_stored(entries), "s1", PRICES)
    return agent


def _sums(agent: AgentContext) -> list[dict[str, int]]:
    return [turn.sums for turn in agent.turns]


def test_what_was_counted_beyond_the_file_is_one_part() -> None:
    agent = _read(
        entry(1, "prompt", text="Mend the prices. " * 200),
        _answer(2, Usage(0, 10, cache_creation=12_000), tools=_tool(2)),
        entry(3, "result", "toolu_2", text="shop.py\n" * 100),
        _answer(4, Usage(300, 10, cache_read=12_000)),
    )
    first, second = _sums(agent)
    assert (sum(first.values()), sum(second.values())) == (12_000, 12_300)
    assert first == {"unwritten": 12_000 - first["prompt"], "prompt": first["prompt"]}
    assert second["unwritten"] == first["unwritten"] > 11_000
    assert first["prompt"] > 800, "of the whole text, of which a row has the begin"
    assert second["command"] > second["answer"] > 0
    assert segments_of(agent)[0].name == "not in the file, such as system prompt and tools"
    assert not any(each.exact for each in carried(agent)), "a request may have had more than the file says"
    assert sentence_of(agent, agent.turns[-1], []) == "At turn 2, 12.3 k of 200.0 k are filled, most of it not in the file."


def test_without_a_count_it_is_not_known_how_much_the_file_leaves_out() -> None:
    agent = _read(
        entry(1, "prompt", text="Hello"), _answer(2, None), entry(3, "prompt", text="Go on"), _answer(4, Usage(500, 9))
    )
    assert [turn.known for turn in agent.turns] == [False, True]
    assert sentence_of(agent, agent.turns[0], []).endswith("the agent's own file has no counts, so its parts are not known.")
    assert set(_sums(agent)[1]) == {"unwritten", "prompt", "answer"}


@pytest.mark.parametrize(
    ("second", "more", "said"),
    [
        (60, {}, "the agent's own file does not contain the request, so the reason is not known"),
        (60, {"model": "claude-opus-4-5"}, "another model, claude-opus-4-5 after claude-sonnet-4-5"),
        (4802, {}, "idle 80 min, the cache had expired after 60"),
        (4802, {"provider": "openai"}, "the agent's own file does not contain the request, so the reason is not known"),
    ],
)
def test_a_lost_cache_has_the_reasons_that_times_and_models_show(second: int, more: dict[str, str], said: str) -> None:
    agent = _read(
        entry(1, "prompt", text="Mend it"),
        _answer(2, Usage(0, 10, cache_creation=12_000)),
        entry(second, "prompt", text="Go on"),
        _answer(second + 1, Usage(12_100, 10), **more),
    )
    lost = agent.turns[1].lost
    assert lost is not None
    assert (lost.tokens, lost_said(lost)) == (12_000, said)


def test_what_the_agent_dropped_is_dropped() -> None:
    agent = _read(
        entry(1, "prompt", text="Mend it. " * 500),
        _answer(2, Usage(0, 10, cache_creation=10_000), tools=_tool(2)),
        entry(3, "result", "toolu_2", text="a line of it\n" * 3000),
        _answer(4, Usage(20, 10, cache_read=10_000, cache_creation=9_000)),
        entry(5, "note", text="compacted"),
        entry(6, "prompt", text="What stood here: " + "much " * 100),
        _answer(7, Usage(11_000, 10)),
    )
    fall = agent.turns[2].compaction
    assert fall is not None
    assert fall.summed_up
    assert fall.tokens > 9_000
    assert sum(_sums(agent)[2].values()) == 11_000


def test_a_call_that_is_not_in_the_log_has_no_parts() -> None:
    requests, call = SaidRequests(), CallRow("said-s1-m2", 0, session_id="s1", view_source=SAID, input_tokens=10)
    odd = SaidTurn("said-s1-m1", (Message("user", (TextPart("Hello"),)),), (ToolCallPart("t", "Bash", "{no JSON"),))
    assert requests.of(call, [odd]) is None
    found = requests.of(call, [odd, SaidTurn(call.id, (Message("user", ()),))])
    assert found is not None
    assert [piece.origin for piece in found.read()] == ["unwritten", "prompt", "answer"]


_STEPS = st.lists(st.tuples(st.sampled_from(("say", "run", "compact")), st.integers(1, 400)), min_size=1, max_size=12)


def _lived(steps: Sequence[tuple[str, int]]) -> list[SessionEntry]:
    entries: list[SessionEntry] = []
    size = 9_000
    for at, (step, words) in enumerate(steps):
        size = 9_000 if step == "compact" else size + 100 + words
        entries += [entry(10 * at, "note", text="compacted")] if step == "compact" else []
        entries += [entry(10 * at + 1, "prompt", text="word " * words)] if step != "run" else []
        entries.append(_answer(10 * at + 2, Usage(size, 5), tools=_tool(10 * at)))
        entries.append(entry(10 * at + 3, "result", f"toolu_{10 * at}", text="line\n" * words))
    return entries


@settings(max_examples=30, deadline=None)
@given(_STEPS, st.integers(1, 40))
def test_the_parts_add_up_to_the_count_and_a_file_is_read_on(steps: list[tuple[str, int]], first: int) -> None:
    entries = _lived(steps)
    begin, whole = _stored(entries[:first]), _stored(entries)
    contexts = Contexts(PRICES)
    contexts.read(begin, "s1")
    (agent,), (anew,) = contexts.read(whole, "s1"), read_contexts(whole, "s1", PRICES)
    assert [(turn.sums, turn.cost) for turn in agent.turns] == [(turn.sums, turn.cost) for turn in anew.turns]
    assert all(sum(turn.sums.values()) == turn.total == turn.call.asked_tokens for turn in agent.turns)
