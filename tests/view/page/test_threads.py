"""The calls of a session -> the main thread, its sub-agents, and tries of one request that are one turn."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agentsight_rx.llm.prices import Prices
from agentsight_rx.view.page.picture import Picture
from agentsight_rx.view.page.rail import answer
from tests.view.page.story import SESSION, many_agents, stored


def told(agents: int = 11, path: str = "") -> Any:
    picture = Picture(stored(many_agents(agents)), Prices())
    return msgspec.to_builtins(answer(picture, "parcel", f"session/{SESSION}{path}", {}))


@pytest.mark.parametrize("agents", [0, 1, 11, 40])
def test_each_sub_agent_is_a_lane_in_its_own_turns_below_the_turn_that_asked_for_it(agents: int) -> None:
    head = told(agents)
    assert (1, 2, 3, 4) == head["strip"]["n"]
    lanes = head.get("lanes", [])
    assert [(2, 3)] * agents == [(lane["turn"], lane["turns"]) for lane in lanes]
    assert [f"part {at}: find the callers" for at in range(agents)] == [lane["task"] for lane in lanes]
    assert agents == len({lane["tool"] for lane in lanes})
    assert {3} >= {len(lane["context"]) for lane in lanes} | {len(lane["cached"]) for lane in lanes}


def test_a_sub_agent_says_which_turn_got_its_answer() -> None:
    cards = told(2, "/turns")["cards"]
    assert [("Task", 2, 3)] * 2 == [(sub["asker"], sub["asked_in"], sub["answered_in"]) for sub in cards[1]["subs"]]
    assert [[1, 2, 3]] * 2 == [[card["n"] for card in sub["cards"]] for sub in cards[1]["subs"]]


def test_a_call_that_failed_and_was_asked_again_is_one_turn_with_its_tries() -> None:
    card = told(1, "/turns")["cards"][2]
    first, second = card["tries"]
    assert (429, 212, 8200, 8) == (first["status"], first["ms"], first["waited_ms"], first["retry_after_s"])
    assert (200, 8800, "complete") == (second["status"], second["ms"], second["state"])
    assert (card["call"], True) == (second["call"], card["bad"])
    assert "" == card.get("error", "")


def test_an_exchange_names_each_try_of_its_answer_whichever_is_shown() -> None:
    tries = [each["call"] for each in told(1, "/turns")["cards"][2]["tries"]]
    picture = Picture(stored(many_agents(1)), Prices())
    for call in tries:
        raw = msgspec.to_builtins(answer(picture, "parcel", f"raw/{call}", {"session": SESSION}))
        assert [(tries[0], 429), (tries[1], 200)] == [tuple(each) for each in raw["tries"]]
    assert "tries" not in msgspec.to_builtins(answer(picture, "parcel", f"raw/{tries[0]}", {}))
    assert "tries" not in msgspec.to_builtins(answer(picture, "parcel", f"raw/{tries[0]}", {"session": "another"}))


def test_numbers_count_each_try_and_each_turn_of_a_sub_agent() -> None:
    head = told(2)
    assert (11, 6, 1) == (head["numbers"]["calls"], head["numbers"]["sub_calls"], head["numbers"]["failed_calls"])
    assert 4 == head["turns"]
