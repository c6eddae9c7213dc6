"""What a provider clears of a request, or sums up by itself, is told from a lost cache."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from agentsight_rx.events import HttpRequest, HttpResponse, Reply, SseEvent, SseMessage
from agentsight_rx.events.tokens import Usage
from agentsight_rx.store.rows.tables import CALLS
from agentsight_rx.view import CallRow
from agentsight_rx.view.queries.context.edits import Edits, edits_in, kept_tools, may_be_edited, read_edits
from agentsight_rx.view.queries.context.words import sentence_of
from tests.view.page.story import stored
from tests.view.queries.context_story import CLEAR, applied, begun, context_of, edited, is_true, words

COMPACT = {"edits": [{"type": "compact_20260112"}]}


def test_an_answer_says_what_was_cleared() -> None:
    assert edits_in(json.dumps(applied(8, 50_000, turns=3)).encode()) == Edits(8, 3, 50_007)
    assert edits_in(b"{}") == edits_in(b'{"context_management": null, "usage": {}}') == edits_in(b"broken") == Edits()
    usage = {"iterations": [{"type": "compaction", "input_tokens": 9, "cache_read_input_tokens": 2}, {"type": "message"}]}
    assert edits_in(json.dumps({"usage": usage}).encode()) == Edits(usage=Usage(9, cache_read=2))
    assert edits_in(json.dumps({"usage": {"iterations": usage["iterations"][1:]}}).encode()) == Edits()


def test_every_cut_of_an_answer_is_read() -> None:
    body = json.dumps(applied(8, 50_000, turns=3)).encode()
    assert {edits_in(body[:end]) for end in range(len(body))} == {Edits()}


def test_an_answer_is_read_where_the_counts_say_that_it_may_tell_something() -> None:
    before = CallRow("a", 1, input_tokens=1000, cache_read_tokens=9000)
    same = CallRow("b", 2, input_tokens=1500, cache_read_tokens=9000)
    clear, compact = {"context_management": json.dumps(CLEAR).encode()}, {"context_management": json.dumps(COMPACT).encode()}
    assert not may_be_edited({}, before, CallRow("c", 3))
    assert not may_be_edited(clear, before, same)
    assert may_be_edited(clear, before, CallRow("c", 3, input_tokens=12_000))
    assert may_be_edited(clear, before, CallRow("c", 3, cache_read_tokens=9000))
    assert not may_be_edited(clear, None, same)
    assert not may_be_edited(compact, before, same)
    assert may_be_edited(compact, None, CallRow("c", 3, input_tokens=60_000))
    assert kept_tools(clear) == {"Tool9"}
    assert kept_tools({}) == kept_tools(compact) == frozenset()


def test_a_stream_says_it_in_one_of_its_last_events() -> None:
    agent = begun()
    answer = next(event for event in agent.events if isinstance(event, HttpResponse))
    events = tuple(
        SseEvent(each["type"], json.dumps(each))
        for each in ({"type": "message_start"}, {"type": "message_delta", **applied(8, 50_000)}, {"type": "message_stop"})
    )
    stream = SseMessage(
        answer.origin, answer.exchange, "anthropic", Reply(), events, answer.origin.time_ns, status=200, host=answer.host
    )
    agent.events[agent.events.index(answer)] = stream
    store = stored(agent.events)
    first, second, _ = (row for _, row in store.scan(CALLS))
    assert read_edits(store, first.id) == Edits(8, 0, 50_000)
    assert read_edits(store, second.id) == Edits()
    assert read_edits(store, "nobody") == Edits()


def test_cleared_results_have_no_tokens_and_no_cache_is_lost() -> None:
    agent = edited(2)
    agent.turn("Tool2", {"command": "pwd"}, words(90, 23), "Where.")
    agent.ask("Done.")
    found = context_of(agent)
    is_true(agent, found)
    turn = found.turns[4]
    assert turn.cleared is not None
    assert (turn.cleared.results, turn.cleared.turns, turn.cleared.tokens) == (2, 0, 1400)
    assert turn.cleared.usd is not None
    assert turn.cleared.usd > 0
    assert [each.turn for each in found.turns if each.lost is not None] == [4]  # the parameter is new
    assert [each.turn for each in found.turns if each.cleared is not None] == [5]
    said = "At turn 5 the provider cleared 2 tool results from the conversation, 1.4 k, as the request asked."
    assert sentence_of(found, turn, []) == said
    results = [held.tokens for held in found.held if held.piece.origin == "result"]
    assert results[:2] == [0, 0]
    assert all(results[2:])


def test_a_loss_behind_cleared_results_is_one() -> None:
    agent = edited(2)
    agent.wait(400)
    agent.ask("Done.")
    found = context_of(agent)
    is_true(agent, found)
    assert [each.turn for each in found.turns if each.lost is not None] == [4, 6]


def test_results_of_a_tool_that_is_to_be_kept_stay() -> None:
    agent = begun()
    agent.more["context_management"] = {"edits": [{"type": "clear_tool_uses_20250919", "exclude_tools": ["Tool1"]}]}
    agent.says = applied(1, 260)
    agent.turn("Tool2", {"command": "make"}, words(80, 22), "Make.")
    found = context_of(agent)
    assert [found.thread.made[number].kind for number in found.thread.cleared] == ["command"]


def test_a_summary_of_the_provider_is_a_compaction() -> None:
    agent = begun()
    agent.more["context_management"] = COMPACT
    agent.turn("Tool1", {"file_path": "/work/src/long.py"}, words(60_000, 31), "A long one.")
    counted = {"input_tokens": 60_500, "cache_creation_input_tokens": 3000, "cache_read_input_tokens": 0, "output_tokens": 300}
    iterations = [{"type": "compaction", **counted}, {"type": "message", "input_tokens": 400}]
    agent.says = {"usage": {**counted, "iterations": iterations}}
    agent.ask("Going on.")
    agent.says = {}
    agent.messages[-1]["content"].insert(0, {"type": "compaction", "content": words(200, 32)})
    agent.said("Go on.")
    messages = agent.messages
    agent.messages = messages[-1:]  # the model reads no more than that
    agent.ask("Done.")
    at, request = [(at, event) for at, event in enumerate(agent.events) if isinstance(event, HttpRequest)][-1]
    body = json.dumps(json.loads(request.body) | {"messages": messages}).encode()
    agent.events[at] = replace(request, body=body)
    found = context_of(agent)
    turn, before = found.turns[-1], found.turns[-2]
    assert before.total == 63_500
    assert turn.compaction is not None
    assert (turn.compaction.by_provider, turn.compaction.summed_up, turn.lost) == (True, True, None)
    assert sentence_of(found, turn, []).startswith("Compacted by the provider before turn 6: ")
    assert [held.piece.origin for held in found.held][-3:] == ["summary", "answer", "prompt"]
    cost = sum(each.cost for each in (*found.held, *found.thread.gone)) + found.thread.costs.unplaced
    assert cost == pytest.approx(sum(each.cost or 0.0 for each in found.turns))
