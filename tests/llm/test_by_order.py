from __future__ import annotations

from agentsight_rx.llm.by_order import CallOrder


def test_results_without_ids_answer_the_calls_in_order() -> None:
    order = CallOrder([(None, "ls"), ("given", "ls"), (None, "pwd")])
    assert [order.answered(None) for _ in range(3)] == ["ls-0", "given", "pwd-2"]


def test_a_result_that_names_a_call_answers_it_and_the_others_keep_their_order() -> None:
    order = CallOrder([("a", "ls"), ("b", "ls")])
    assert [order.answered("b"), order.answered(None)] == ["b", "a"]


def test_a_result_more_than_calls_keeps_its_own_id() -> None:
    assert [CallOrder().answered("x"), CallOrder().answered(None)] == ["x", ""]
