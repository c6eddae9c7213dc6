"""Calls -> where a conversation was compacted, and where its cache was lost; no other request is mistaken for either."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.view import CallRow
from agentsight_rx.view.queries.context.falls import compactions, falls_in, falls_of, lost_tokens
from tests.view.queries.context_story import compacted, context_of, words


def call(id: str, tokens: int, *, messages: int, cached: int = 0, aside: str = "", agent: str | None = None) -> CallRow:
    row = CallRow(id, 1000, pid=1, comm="claude", model="m", messages=messages, aside=aside, agent_id=agent)
    return replace(row, input_tokens=tokens - cached, cache_read_tokens=cached, output_tokens=10, total_tokens=tokens + 10)


LONG = call("long", 90_000, messages=80, cached=80_000)
SUMMARY = call("summary", 90_400, messages=81, cached=90_000, aside="summary")
SHORT = call("short", 30_000, messages=2, cached=12_000)


def lost(*calls: CallRow) -> list[tuple[str, int]]:
    return [(id, each.tokens) for id, each in falls_of(calls).lost.items()]


def test_a_shorter_conversation_behind_a_summary_was_compacted_and_its_cache_was_not_lost() -> None:
    assert {"short"} == compactions([LONG, SUMMARY, SHORT])
    assert [] == lost(LONG, SUMMARY, SHORT)


def test_a_shorter_conversation_without_a_summary_is_not_called_compacted() -> None:
    assert set() == compactions([LONG, SHORT])
    assert [("short", 18_000)] == lost(LONG, SHORT)


def test_a_summary_of_another_agent_explains_nothing() -> None:
    assert set() == compactions([LONG, replace(SUMMARY, agent_id="explore"), SHORT])


def test_a_summary_explains_one_fall() -> None:
    longer = call("longer", 60_000, messages=40, cached=28_000)
    assert {"short"} == compactions([LONG, SUMMARY, SHORT, longer, call("again", 20_000, messages=2)])


def test_a_conversation_that_goes_on_behind_a_summary_was_not_compacted() -> None:
    assert set() == compactions([LONG, SUMMARY, call("next", 91_000, messages=82, cached=90_000)])


def test_a_question_of_the_agent_itself_neither_loses_the_cache_nor_hides_its_loss() -> None:
    title = call("title", 300, messages=1, aside="title")
    assert [] == lost(LONG, title, call("next", 91_000, messages=82, cached=90_000))
    assert ["next"] == [id for id, _ in lost(LONG, title, call("next", 91_000, messages=82))]


def test_a_retry_that_reads_nothing_has_lost_the_cache() -> None:
    assert ["again"] == [id for id, _ in lost(LONG, call("again", 90_000, messages=80, aside="retry"))]


def test_contexts_have_the_falls_with_their_reasons() -> None:
    agent = compacted(words(200, 8))
    agent.wait(400)
    agent.ask("More.")
    found = context_of(agent)
    falls = falls_in([found])
    assert falls.compacted == {found.turns[7].call.id}
    assert {id: each.cause.kind for id, each in falls.lost.items() if each.cause} == {found.turns[9].call.id: "idle"}


@given(*[st.integers(0, 200_000) for _ in range(5)])
def test_no_more_is_lost_than_was_sent_again(old_read: int, old_new: int, read: int, written: int, new: int) -> None:
    before = CallRow("llm-1", 1, cache_read_tokens=old_read, cache_creation_tokens=old_new, input_tokens=9, total_tokens=1)
    call = CallRow("llm-2", 2, cache_read_tokens=read, cache_creation_tokens=written, input_tokens=new, total_tokens=1)
    lost = lost_tokens(before, call)
    assert 0 <= lost <= max(0, call.asked_tokens - read)
    assert lost <= before.cached_tokens
