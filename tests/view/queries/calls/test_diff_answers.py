from __future__ import annotations

from agentsight_rx.events import Usage
from agentsight_rx.llm.canonical import Answer, Part, ReasoningPart, TextPart, ToolCallPart
from agentsight_rx.view.queries.calls.diff import LineChange, TokenChange, ToolChange, diff_answers


def answer(*parts: Part, **more: object) -> Answer:
    return Answer(parts=parts, **more)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def said(*lines: str) -> TextPart:
    return TextPart("\n".join(lines))


def test_lines_that_differ_stand_between_equal_ones() -> None:
    found = diff_answers(answer(said("a", "b", "c")), answer(ReasoningPart("hm"), said("a", "x", "y"), said("c")))
    assert found.text == (
        LineChange("same", ("a",)),
        LineChange("gone", ("b",)),
        LineChange("new", ("x", "y")),
        LineChange("same", ("c",)),
    )
    assert not found.equal


def test_inputs_of_tools_are_compared_as_json() -> None:
    first = answer(
        ToolCallPart("1", "Bash", '{"a": 1, "b": 2}'),
        ToolCallPart("2", "Edit", '{"path": "x"}'),
        ToolCallPart("3", "Apply", "*** patch"),
        ToolCallPart("4", "Gone"),
    )
    second = answer(
        ToolCallPart("9", "Bash", '{"b":2,"a":1}'),
        ToolCallPart("8", "Edit", '{"path": "y"}'),
        ToolCallPart("7", "Apply", "*** patch"),
        ToolCallPart("6", "New", "{}"),
    )
    assert diff_answers(first, second).tools == (
        ToolChange("same", "Bash", '{"a": 1, "b": 2}', '{"a": 1, "b": 2}'),
        ToolChange("changed", "Edit", '{"path": "x"}', '{"path": "y"}'),
        ToolChange("same", "Apply", "*** patch", "*** patch"),
        ToolChange("gone", "Gone", first=""),
        ToolChange("new", "New", second="{}"),
    )


def test_what_is_said_of_the_answers_is_paired() -> None:
    one = answer(said("a"), model="m", finish_reasons=("stop",), usage=Usage(input=3, output=5))
    other = answer(said("a"), model="n", finish_reasons=("length", "stop"), error="overloaded")
    found = diff_answers(one, other)
    assert (found.model, found.ended, found.error) == (("m", "n"), ("stop", "length, stop"), (None, "overloaded"))
    assert found.tokens[:2] == (TokenChange("input", 3, None), TokenChange("output", 5, None))
    assert not found.equal


def test_other_counts_and_ids_are_no_difference() -> None:
    one = answer(said("a"), ToolCallPart("1", "Bash", "{}"), usage=Usage(input=3), id="x")
    assert diff_answers(one, answer(said("a"), ToolCallPart("2", "Bash", "{}"), usage=Usage(input=4), id="y")).equal
