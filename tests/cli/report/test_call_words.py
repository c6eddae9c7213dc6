"""What a call said that was new, in a few words."""

from __future__ import annotations

import pytest

from agentsight_rx.cli.report.call_words import call_name, cost_of, new_in_call, tokens_of, took_by
from agentsight_rx.llm.prices import Prices
from agentsight_rx.view import CallRow
from agentsight_rx.view.queries.calls.costs import priced


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (CallRow("1", 0, prompt="list the files", messages=1), "“list the files”"),
        (CallRow("1", 0, prompt="list them", messages=1, repeat=2), "the same again (3rd time)"),
        (CallRow("1", 0, prompt="list them", messages=1, repeat=1, retry=True), "a retry"),
        (CallRow("1", 0, new_results=2, messages=5), "2 tool results"),
        (CallRow("1", 0, written="Go on.", messages=3), "words of the agent itself: “Go on.”"),
        (CallRow("1", 0, messages=3), "no new message"),
        (CallRow("1", 0, agent_id="a-1", agent_name="explore", prompt="look", messages=1), "sub-agent explore: “look”"),
        (CallRow("1", 0), ""),
    ],
)
def test_what_is_new(call: CallRow, said: str) -> None:
    assert said == new_in_call(call)


def test_a_call_without_an_end_has_no_duration() -> None:
    assert ["", "40 ms"] == [took_by(CallRow("1", 2)), took_by(CallRow("1", 2, end_timestamp_ms=42))]


def test_numbers_are_empty_where_no_tokens_are_known_of_a_call() -> None:
    some, none = CallRow("1", 0, input_tokens=7, total_tokens=9), CallRow("1", 0)
    assert ["7", ""] == [tokens_of(call, call.asked_tokens) for call in (some, none)]
    assert ["unknown", ""] == [cost_of(priced(call, Prices())) for call in (some, none)]


def test_a_call_is_named_by_its_turn_else_by_its_id() -> None:
    assert ["turn 3", "llm-1"] == [call_name(CallRow("llm-1", 0, turn=turn)) for turn in (3, 0)]
