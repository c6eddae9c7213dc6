from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events import Usage
from agentsight_rx.llm.canonical import Answer, Part, ReasoningPart, TextPart, ToolCallPart
from agentsight_rx.view.queries.diff_answers import LineChange, TokenChange, ToolChange, diff_answers


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


LINES = st.lists(st.sampled_from("abc"), max_size=12)


@given(first=LINES, second=LINES, repeats=st.sampled_from([1, 500]))
def test_the_changes_lead_from_one_text_to_the_other(first: list[str], second: list[str], repeats: int) -> None:
    """Also of long texts, of which only begin and end are compared."""
    first, second = first * repeats, second * repeats
    changes = diff_answers(answer(said(*first)), answer(said(*second))).text
    assert [line for change in changes if change.change != "new" for line in change.lines] == first
    assert [line for change in changes if change.change != "gone" for line in change.lines] == second


def test_of_long_texts_the_equal_begin_and_end_are_found() -> None:
    first, second = (["a"] * 3000 + [middle] + ["b"] * 3000 for middle in "xy")
    found = diff_answers(answer(said(*first)), answer(said(*second))).text
    assert [(each.change, len(each.lines)) for each in found] == [("same", 3000), ("gone", 1), ("new", 1), ("same", 3000)]
