"""report context and report cache: as text and as JSON, of a scripted agent and a model that counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.errors import UsageError
from tests.cli.report.asking import text, values
from tests.view.page.story import recorded
from tests.view.queries.context_story import Agent, words


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    agent = Agent()
    agent.said("Fix the totals.")
    agent.turn("Tool1", {"file_path": "/work/src/post.py"}, words(1300, 1), "I read it.")
    agent.turn("Tool2", {"command": "pytest -q"}, words(400, 2), "Now the tests.")
    agent.add_tool("mcp__ledger__close")
    agent.turn("Tool2", {"command": "pytest -q"}, words(40, 3), "Again.")
    agent.system = agent.system.replace("2026-11-26", "2026-11-27")
    agent.ask("Done.")
    return recorded(tmp_path_factory.mktemp("context") / "run.lmdb", agent.events)


def test_the_first_lines_say_what_it_is_and_where_the_numbers_come_from(store: Path) -> None:
    lines = text(store, "context")
    assert lines[0] == "At turn 4 the cache was lost: the system prompt changed: a date."
    assert " ".join(lines[1:3]).startswith("Counted by the provider: ")
    assert "The parts add up to it." in " ".join(lines[1:3])
    rows = [line.split() for line in lines]
    assert ["tool", "definitions"] in [row[:2] for row in rows]
    assert next(row for row in rows if row[-1:] == ["Tool1"])[:3] == ["1,300", "3", "2"]


@pytest.mark.parametrize("name", ["context", "cache"])
def test_the_example_of_the_docs_is_what_it_prints(name: str, store: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "context.md").read_text()
    example = page.partition(f"$ agentsight-rx report {name}\n")[2].partition("```")[0].splitlines()
    printed = [line for line in text(store, name) if not line.startswith("next: ")]
    while printed and not printed[-1]:
        printed.pop()
    assert example == printed


def test_a_turn_of_before_is_what_it_was_then(store: Path) -> None:
    assert text(store, "context", "2")[0].startswith("At turn 2, ")
    (two,), (four,) = values(store, "context", "2"), values(store, "context")
    assert (two["turn"], four["turn"]) == (2, 4)
    assert two["total"] == sum(two["sums"].values()) == sum(each["tokens"] for each in two["segments"])
    assert len(two["segments"]) < len(four["segments"])
    assert sum(each["cost"] for each in two["carried"]) < sum(each["cost"] for each in four["carried"])


def test_each_turn_is_a_line(store: Path) -> None:
    lines = text(store, "context", "--over-time")
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3", "4"]
    assert "cache lost: the tool list changed," in lines[3]
    assert [bool(each["lost"]) for each in values(store, "context", "--over-time")] == [False, False, True, True]


def test_every_loss_has_its_reason_and_its_price(store: Path) -> None:
    lines = text(store, "cache")
    assert lines[0].startswith("The cache was lost 2 times: ")
    assert "$" in lines[0]
    assert [row["why"] for row in values(store, "cache")] == [
        "the tool list changed, mcp__ledger__close was added",
        "the system prompt changed: a date",
    ]
    dates = values(store, "cache")[1]["cause"]
    assert (dates["old"], dates["new"]) == ("2026-11-26.", "2026-11-27.")


def test_the_first_screen_names_the_reason(store: Path) -> None:
    shown = " ".join(" ".join(text(store)).split())
    assert "could be saved" in shown
    assert "the cache was lost twice (turns 3, 4)" in shown


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("origin", "tool definitions"),
        ("tool", "Tool1"),
        ("file", "/work/src/post.py"),
        ("mcp-server", "built-in tools"),
        ("prompt", "turn 1: Fix the totals."),
        ("sub-agent", "main agent"),
        ("commit", "no commit was seen"),
        ("branch", "unknown"),
    ],
)
def test_tokens_by_parts_and_by_work(kind: str, first: str, store: Path) -> None:
    assert values(store, "tokens", "--group-by", kind)[0]["group"] == first
    assert first in text(store, "tokens", "--group-by", kind)[1]


def test_a_call_that_is_not_there_is_named(store: Path) -> None:
    with pytest.raises(UsageError, match="there is no call '99'"):
        text(store, "context", "99")


def test_a_recording_without_calls_says_so(tmp_path: Path) -> None:
    empty = recorded(tmp_path / "run.lmdb", Agent().events)
    assert text(empty, "context") == [f"nothing of a model's context is in {empty}"]
    assert text(empty, "cache") == ["The cache was not lost in 0 sessions."]


def test_the_context_of_a_question_of_the_agent_itself_is_its_own_request(tmp_path: Path) -> None:
    agent = Agent()
    agent.said("Fix the totals.").ask("Done.")
    agent.ask_for_title()
    agent.said("Thanks.").ask("Welcome.")
    path = recorded(tmp_path / "run.lmdb", agent.events)
    (found,) = values(path, "context", "2")
    assert (2, sum(agent.truth[1])) == (found["turn"], found["total"])
    assert {"system", "prompt"} == set(found["sums"])
    assert [1, 3] == [turn["turn"] for turn in values(path, "context", "--over-time")]


def test_the_dearest_part_is_in_the_list_also_where_it_was_dropped(tmp_path: Path) -> None:
    agent = Agent()
    agent.said("Read all.")
    agent.turn("Tool1", {"file_path": "/work/src/large.py"}, words(9000, 1), "I read it.")
    agent.ask("Done.")
    agent.messages = []
    agent.said("Something else.").ask("Yes.")
    path = recorded(tmp_path / "run.lmdb", agent.events)
    lines = text(path, "context")
    rows = lines[next(at for at, line in enumerate(lines) if line.split()[:2] == ["tokens", "requests"]) + 1 :]
    assert rows[0].endswith("/work/src/large.py, from Tool1, dropped behind turn 2")
    assert rows[0].split()[:2] == ["1", "2"], "it has no tokens now: requests, and since when"
