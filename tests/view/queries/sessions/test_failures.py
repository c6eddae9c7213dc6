"""Failures of a session: equal ones are one, but for numbers, and an exit code that is an answer is none."""

from __future__ import annotations

from typing import Any

from agentsight_rx.llm.prices import Prices
from agentsight_rx.view import CallRow, ToolRow
from agentsight_rx.view.queries.calls.costs import priced
from agentsight_rx.view.queries.sessions.failures import Failures, failures_of


def tool(turn: int, command: str = "pytest -q", *, output: str = "", code: int = 1, **more: Any) -> ToolRow:
    return ToolRow(f"tool-{turn}", turn, f"llm-{turn}", "t", "Bash", input=command, output=output, exit_code=code, **more)


def found(*tools: ToolRow, calls: tuple[CallRow, ...] = ()) -> Failures:
    turns = {f"llm-{turn}": turn for turn in range(1, 100)}
    return failures_of([priced(call, Prices()) for call in calls], tools, turns)


def test_lines_that_differ_in_numbers_are_equal() -> None:
    (group,) = found(tool(3, output="x\n1 failed in 5.9 s"), tool(9, output="y\n2 failed in 6.1 s\n")).groups
    assert ((3, 9), ("tool-3", "tool-9"), "1 failed in 5.9 s", True) == (group.turns, group.rows, group.line, group.differs)


def test_another_command_outcome_or_error_is_another_failure() -> None:
    tools = tool(1, output="boom"), tool(2, "make", output="boom"), tool(3, output="boom", code=2), tool(4, output="bang")
    assert 4 == len(found(*tools).groups)


def test_the_most_frequent_failure_is_first() -> None:
    groups = found(tool(1, "make"), tool(2), tool(3)).groups
    assert [(2, 3), (1,)] == [group.turns for group in groups]


def test_of_several_lines_the_last_that_names_an_error_is_taken() -> None:
    (group,) = found(tool(1, output="Error: no such table\n\nDone in 3 s")).groups
    assert "Error: no such table" == group.line


def test_of_a_result_that_is_cut_no_last_line_is_known() -> None:
    assert "" == found(tool(1, output="x\n" * 500)).groups[0].line


def test_an_answer_is_no_failure_and_has_its_meaning() -> None:
    rows = found(tool(4, "rg x", is_answer=True, related_argv=("rg", "x")), tool(5, "true", code=0))
    (answer,) = rows.answers
    assert ("rg x", "exit 1", "no line was selected", 4) == (answer.what, answer.outcome, answer.meaning, answer.turn)
    assert () == rows.groups


def test_a_call_that_failed_is_one_too() -> None:
    calls = tuple(
        CallRow(
            f"llm-{at}", at, host="a.example", path="/v1?x=1", status="error", status_code=429, error_type="rate_limit_error"
        )
        for at in (1, 5)
    )
    (group,) = found(calls=calls).groups
    assert ("HTTP 429", "a.example/v1", (1, 5), ("", "")) == (group.outcome, group.what, group.turns, group.rows)


def test_groups_beyond_the_limit_are_counted() -> None:
    rows = found(*(tool(at, f"make {at}") for at in range(1, 61)))
    assert (50, 10) == (len(rows.groups), rows.more)
