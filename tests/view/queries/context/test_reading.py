"""A context that is read on, or looked at as it was: the same as one that is read anew."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.events import HttpRequest, HttpResponse
from agentsight_rx.store.log.reading import read_requests
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.tables import CALLS, EXCHANGES
from agentsight_rx.store.state import Delete, MemoryStore, Store
from agentsight_rx.view.queries.context.context import AgentContext
from agentsight_rx.view.queries.context.reading import Contexts, read_contexts
from agentsight_rx.view.queries.context.segments import Segment, carried, segments_of
from tests.view.page.story import stored
from tests.view.queries.context_story import PRICES, RULES, SESSION, Agent, words


def told(agents: list[AgentContext]) -> list[tuple[list[Segment], list[Segment], list[object]]]:
    """All that is shown of them, dollars to nine digits: the order of a sum changes the last ones."""
    return [
        (
            [_rounded(each) for each in segments_of(agent)],
            sorted((_rounded(each) for each in carried(agent)), key=lambda each: (each.id, each.since)),
            [(turn.turn, turn.total, turn.sums, turn.cost, turn.lost, turn.compaction is not None) for turn in agent.turns],
        )
        for agent in agents
    ]


def _rounded(segment: Segment) -> Segment:
    costs = {name: getattr(segment, name) for name in ("cost", "cached_cost", "unnamed_cost")}
    return replace(segment, **{name: cost if cost is None else round(cost, 9) for name, cost in costs.items()})


STEPS = ("read", "again", "run", "ask", "tool", "date", "pause", "forget", "compact", "edit")


def lived(steps: list[str]) -> Agent:
    """A conversation with these steps, and at least one call."""
    agent = Agent()
    agent.said(RULES).said("Fix the totals.")
    for at, step in enumerate(steps):
        match step:
            case "read":
                agent.turn("Tool1", {"file_path": f"/work/src/file{at % 3}.py"}, words(300 + at, at), f"I see file{at % 2}.py.")
            case "again":
                agent.turn("Tool1", {"file_path": "/work/src/same.py"}, words(250, 1), "Once more.")
            case "run":
                agent.turn("Tool2", {"command": "pytest -q"}, words(120, at), "Running.")
            case "ask":
                agent.ask(words(30, at))
                agent.said(words(20, at + 1))
            case "tool":
                agent.add_tool(f"mcp__ledger__more{at}")
            case "date":
                agent.system = f"{agent.system} {at}"
            case "pause":
                agent.wait(400)
            case "forget":
                agent.forget()
            case "compact":
                agent.messages = []
                agent.said(RULES).said("This session is being continued from a previous conversation. " + words(60, at))
            case _:
                agent.messages[0] = {"role": "user", "content": [{"type": "text", "text": f"{at} {RULES}"}]}
    agent.ask("Done.")
    return agent


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=14))
def test_as_it_was_at_a_turn_is_as_it_would_have_been_read_then(steps: list[str]) -> None:
    agent = lived(steps)
    (whole,) = read_contexts(stored(agent.events), SESSION, PRICES)
    before = told([whole])
    ends = [at for at, event in enumerate(agent.events) if isinstance(event, HttpResponse)]
    for turn, end in enumerate(ends, 1):
        then = read_contexts(stored(agent.events[: end + 1]), SESSION, PRICES)
        assert told([whole.at(turn)]) == told(then)
    assert told([whole]) == before


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=10), st.data())
def test_a_recording_that_is_read_on_is_as_one_that_is_read_anew(steps: list[str], data: st.DataObject) -> None:
    events = lived(steps).events
    contexts = Contexts(PRICES)
    for end in sorted(data.draw(st.sets(st.integers(3, len(events)), min_size=1, max_size=6))):
        store = stored(events[:end])
        assert told(contexts.read(store, SESSION)) == told(read_contexts(store, SESSION, PRICES))


def test_only_the_new_requests_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = lived(["read"] * 6)
    asked: list[int] = []

    def counted(store: Store, calls: Collection[str]) -> Iterator[tuple[str, HttpRequest]]:
        asked.append(len(calls))
        return read_requests(store, calls)

    monkeypatch.setattr("agentsight_rx.view.queries.context.reading.read_requests", counted)
    contexts = Contexts(PRICES)
    contexts.read(stored(agent.events[:-2]), SESSION)
    contexts.read(stored(agent.events), SESSION)
    assert asked == [6, 1]
    assert contexts.read(MemoryStore(), SESSION) == []


def test_calls_without_a_request_keep_their_place() -> None:
    agent = lived(["read", "read", "read"])
    store = stored(agent.events)
    for turn in (1, 3):
        id = next(row.id for _, row in store.scan(CALLS) if row.turn == turn)
        store.commit([Delete(EXCHANGES, (id, "request"))])
    (found,) = read_contexts(store, SESSION, PRICES)
    assert [(turn.turn, turn.known) for turn in found.turns] == [(1, False), (2, True), (3, False), (4, True)]


def test_a_call_that_goes_on_is_read_again_once_it_has_ended() -> None:
    store = stored(lived(["read", "again", "run"]).events)
    last = next(row for _, row in store.scan(CALLS) if row.turn == 4)
    contexts = Contexts(PRICES)
    for status, tokens in (("pending", 0), ("pending", 7), ("complete", last.input_tokens)):
        store.commit([put(replace(last, status=status, input_tokens=tokens))])
        assert told(contexts.read(store, SESSION)) == told(read_contexts(store, SESSION, PRICES))


def test_calls_whose_requests_came_in_another_order_are_all_there() -> None:
    store = stored(lived(["read", "again", "run"]).events)
    second, third = (next(row for _, row in store.scan(CALLS) if row.turn == turn) for turn in (2, 3))
    earlier = replace(third, start_timestamp_ms=second.start_timestamp_ms - 1)
    store.commit([Delete(CALLS, (third.start_timestamp_ms, third.id)), put(earlier)])
    (found,) = read_contexts(store, SESSION, PRICES)
    assert sorted((turn.turn, turn.known) for turn in found.turns) == [(1, True), (2, True), (3, False), (4, True)]
