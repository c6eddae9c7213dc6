"""A session in one file: every answer that the page asks for is in it once, and what does not fit is named."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from agentsight_rx.llm.prices import Prices
from agentsight_rx.view.page import Embedded, Picture, answer, embedded
from agentsight_rx.view.page.picture import WHOLE
from agentsight_rx.view.page.tables import KINDS
from tests.view.page.story import SESSION, Story, parcel, stored

PARCEL = Picture(stored(parcel()), Prices())
HERE = f"r/parcel/session/{SESSION}"


def read(file: Embedded) -> Any:
    return json.loads(msgspec.json.encode(file))


@pytest.fixture(scope="module")
def whole() -> Any:
    return read(embedded(PARCEL, "parcel", SESSION))


def asked(path: str, picture: Picture = PARCEL, **given: str) -> Any:
    return json.loads(msgspec.json.encode(answer(picture, "parcel", path.removeprefix("r/parcel/"), given)))


def said_by(file: Any, path: str) -> Any:
    """A call whose messages are in their places again."""
    body = file["answers"][path]
    return {**body, "messages": [file["said"][number] for number in body["messages"]]}


@pytest.mark.parametrize("path", [HERE, f"{HERE}/turns", "r/parcel/health", *(f"{HERE}/{kind}" for kind in KINDS)])
def test_a_list_is_what_a_server_answers(whole: Any, path: str) -> None:
    assert asked(path, count="500") == whole["answers"][path]


def test_nothing_of_a_short_session_is_left_out(whole: Any) -> None:
    assert [] == whole["left_out"]
    calls = [call for card in asked(f"{HERE}/turns")["cards"] for call in [card["call"]]]
    assert all(asked(f"call/{call}") == said_by(whole, f"r/parcel/call/{quote(call)}") for call in calls)
    assert {f"r/parcel/diff?a={a}&b={b}" for a, b in pairwise(calls)} <= set(whole["answers"])


def test_a_diff_has_its_messages_in_their_places(whole: Any) -> None:
    path = next(each for each in whole["answers"] if "/diff?" in each)
    made = whole["answers"][path]
    a, b = (each.partition("=")[2] for each in path.partition("?")[2].split("&"))
    served = asked("diff", a=a, b=b)
    fresh = [line for line in served["lines"] if line["change"] != "same"]
    assert [(line["role"], line["parts"]) for line in fresh] == [
        (each["role"], each["parts"]) for each in (whole["said"][number] for number in made["said"])
    ]


def test_a_message_that_is_sent_with_every_turn_is_in_the_file_once() -> None:
    story = Story()
    for turn in range(30):
        story.ask(ms=10, prompt=f"{turn} " + "x" * 4000, says="Done.")
    file = embedded(Picture(stored(story.events), Prices()), "parcel", SESSION)
    contexts = sum(len(answer) for path, answer in file.answers.items() if "/context" in path)
    assert len(msgspec.json.encode(file)) - contexts < 30 * 4000 * 3
    assert contexts < 30 * 4500  # rows of segments in each, and the 4,000 letters of a prompt in none
    assert b"x" * 400 not in b"".join(answer for path, answer in file.answers.items() if "/context" in path)
    assert [] == [each for each in file.left_out if "event" not in each]


def test_every_line_of_the_log_is_of_the_session_and_there_whole(whole: Any) -> None:
    log = whole["answers"][f"{HERE}/events"]
    assert log["total"] == len(log["lines"]) > 50
    assert all(whole["answers"][f"r/parcel/event/{line['at']}"] == asked(f"event/{line['at']}") for line in log["lines"])


@pytest.mark.parametrize("most", [0, 1000, 5000, 20_000, 40_000, 60_000])
def test_a_file_is_no_larger_than_its_limit_and_says_what_it_is_without(most: int) -> None:
    file = embedded(PARCEL, "parcel", SESSION, most=most)
    assert len(msgspec.json.encode(file)) < most + 8000  # what is left out is named beyond the limit
    assert file.left_out


def test_with_fewer_turns_each_bar_of_the_strip_has_its_card() -> None:
    file = read(embedded(PARCEL, "parcel", SESSION, most=10_000))
    head, turns = file["answers"][HERE], file["answers"][f"{HERE}/turns"]
    assert 0 < turns["total"] == len(turns["cards"]) == head["turns"] == len(head["strip"]["n"]) < 12
    assert f"turns after the first {turns['total']} of 12" in file["left_out"]


def test_without_a_call_of_a_model_the_file_is_of_all_that_ran() -> None:
    story = Story()
    file = read(embedded(Picture(stored(story.events), Prices()), "parcel", WHOLE))
    assert [WHOLE] == [row["id"] for row in file["answers"]["sessions"]["sessions"]]
    assert 1 == file["answers"]["r/parcel/session/-/processes"]["total"]


def test_a_session_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        embedded(PARCEL, "parcel", "none")
