"""report diff: two recordings, two sessions, two calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.errors import UsageError
from tests.cli.report.asking import bytes_of, text, values
from tests.cli.report.effects import effects
from tests.cli.report.story import Story, recorded, small_story
from tests.cli.report.story import text as said


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return effects(tmp_path_factory.mktemp("store") / "run.lmdb")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("store") / "other.lmdb", small_story())


# -- runs --------------------------------------------------------------------------------------------------------------


def test_two_recordings_differ_in_what_only_one_did(store: Path, other: Path) -> None:
    lines = bytes_of("diff", str(store), str(other), "--text").decode().splitlines()
    assert "files written · 2 differences, 2 equal" in lines
    assert "    ×1       –  a.py" in lines
    assert lines[-1].startswith("all equal: models 1 · tools, with their input 2 · programs, and how they ended 2")


def test_json_has_a_difference_a_line(store: Path, other: Path) -> None:
    lines = bytes_of("diff", str(store), str(other)).splitlines()
    assert b'{"kind":"written","what":"a.py","first":1,"second":0}' in lines


def test_a_recording_does_not_differ_from_itself(store: Path) -> None:
    assert bytes_of("diff", str(store), str(store), "--text").decode().splitlines()[0] == "they do not differ"
    assert bytes_of("diff", str(store), str(store)) == b""


def test_two_sessions_of_one_store(tmp_path: Path) -> None:
    second = Story(pid=777, session="another", began_s=100.0)
    second.runs("claude -p other")
    second.asks(said("Something else"), answer=[said("Yes.")], model="claude-haiku-4-5")
    store = recorded(tmp_path / "two.lmdb", small_story(), second)
    found = {(each["kind"], each["what"]): (each["first"], each["second"]) for each in values(store, "diff", "5e55", "anoth")}
    assert found["number", "calls"] == (4, 1)
    assert (found["model", "claude-sonnet-4-5"], found["model", "claude-haiku-4-5"]) == ((4, 0), (0, 1))
    assert found["command", "claude -p other → no end seen"] == (0, 1)


def test_short_numbers_are_turns_though_ids_of_sessions_begin_so(tmp_path: Path) -> None:
    story = small_story()
    story.session = "1abc"
    story.asks(said("one"), answer=[said("a")])
    second = Story(pid=777, session="2abc", began_s=100.0)
    for prompt in ("two", "three"):
        second.asks(said(prompt), answer=[said("b")])
    store = recorded(tmp_path / "two.lmdb", story, second)
    assert [set(each) >= {"parameters", "messages"} for each in values(store, "diff", "1", "2")] == [True]
    assert {each["kind"] for each in values(store, "diff", "1abc", "2abc")} >= {"number"}


# -- calls -------------------------------------------------------------------------------------------------------------


def test_two_calls_show_what_is_new_and_fold_what_is_not(store: Path) -> None:
    lines = text(store, "diff", "1", "2")
    assert lines[0] == "turn 1 → turn 2 · 18.2 k → 27.0 k tokens in"
    assert lines[2:] == [
        "   1 message unchanged",
        " + assistant: I will run the test.",
        "   assistant: tool Bash pytest tests/test_invoice.py -q",
        " + user: failed result of t1, 76 characters: FAILED tests/test_invoice.py::test_discounted_total -…",
    ]


def test_two_calls_as_json(store: Path) -> None:
    (found,) = values(store, "diff", "2", "3")
    assert [(each["change"], each["count"]) for each in found["messages"]] == [("same", 3), ("new", 2)]
    assert found["parameters"] == []


def test_backwards_it_says_what_is_gone(store: Path) -> None:
    assert [line[:2] for line in text(store, "diff", "2", "1")[3:]] == [" -", "  ", " -"]


def test_a_call_asks_the_same_as_itself(store: Path) -> None:
    assert text(store, "diff", "2", "2")[-1] == "they ask the same"


def test_what_is_none_of_them_is_an_error(store: Path) -> None:
    with pytest.raises(UsageError, match="zzz is no recording, no session and no call"):
        text(store, "diff", "zzz", "1")
