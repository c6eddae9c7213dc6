from __future__ import annotations

import pytest

from agentsight_rx.llm.by_order import CallOrder, is_made_up, made_up_id, new_results
from agentsight_rx.llm.canonical import Message, TextPart, ToolCallPart, ToolResultPart


def test_results_without_ids_answer_the_calls_in_order() -> None:
    order = CallOrder([(None, "ls"), ("given", "ls"), (None, "pwd")])
    assert [order.answered(None) for _ in range(3)] == ["ls-0", "given", "pwd-2"]


def test_a_result_that_names_a_call_answers_it_and_the_others_keep_their_order() -> None:
    order = CallOrder([("a", "ls"), ("b", "ls")])
    assert [order.answered("b"), order.answered(None)] == ["b", "a"]


def test_a_result_more_than_calls_keeps_its_own_id() -> None:
    assert [CallOrder().answered("x"), CallOrder().answered(None)] == ["x", ""]


def test_a_result_has_the_id_that_its_call_has_where_the_api_gave_none() -> None:
    messages = [
        Message("user", (TextPart("go"),)),
        Message("assistant", (ToolCallPart("old", "ls"),)),
        Message("tool", (ToolResultPart("old", "a"),)),
        Message("assistant", (TextPart("and"), ToolCallPart("x", "ls"))),
        Message("assistant", (ToolCallPart("y", "ls"),)),
        Message("tool", (ToolResultPart("y", "b"), ToolResultPart("x", "c"), ToolResultPart("z", "d"))),
    ]
    assert [(result.output, id) for result, id in new_results(messages)] == [("b", "ls-1"), ("c", "ls-0"), ("d", "")]


def test_without_an_answer_no_result_is_new() -> None:
    assert new_results([Message("tool", (ToolResultPart("x", "a"),))]) == new_results([]) == []


@pytest.mark.parametrize(
    ("id", "name", "expected"),
    [
        ("ls-0", "ls", True),
        ("read-file-12", "read-file", True),
        ("ls-", "ls", False),
        ("ls-x1", "ls", False),
        ("ls-1764266404000-1", "ls", False),  # as Gemini CLI makes them: name, time, number
        ("ls-1764266404000", "ls", False),
        ("call_1", "ls", False),
        ("", "ls", False),
    ],
)
def test_an_id_that_was_made_up_is_known(id: str, name: str, expected: bool) -> None:
    assert is_made_up(id, name) is expected
    assert is_made_up(made_up_id(name, 3), name)
