from __future__ import annotations

import pytest

from agentsight_rx.llm.agents.session_files.fields import count, mapping, moment, objects, shown, spoken


@pytest.mark.parametrize(
    ("value", "time_ms"),
    [
        ("1970-01-01T00:00:01.5Z", 1500),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:02", 2000),
        (1_793_527_200, 1_793_527_200_000),
        (1_793_527_200_123, 1_793_527_200_123),
        (1_793_527_200.5, 1_793_527_200_500),
        ("soon", 0),
        ("0001-01-01T00:00:00+14:00", 0),
        ("9999-12-31T23:59:59Z", 0),
        (True, 0),
        (-5, 0),
        (float("inf"), 0),
        (float("nan"), 0),
        (None, 0),
        ([], 0),
    ],
)
def test_a_moment_is_known_or_nothing(value: object, time_ms: int) -> None:
    assert time_ms == moment(value)


@pytest.mark.parametrize(("value", "number"), [(7, 7), (-1, 0), (True, 0), (2**60, 0), (1.5, 0), ("7", 0), (None, 0)])
def test_a_count_is_a_number_of_tokens_or_nothing(value: object, number: int) -> None:
    assert number == count(value)


def test_what_is_of_another_type_is_empty() -> None:
    assert ({}, {"a": 1}, {}) == (mapping(3), mapping({"x": {"a": 1}}, "x"), mapping({"x": 1}, "x", "y"))
    assert ([], [{"a": 1}]) == (objects("x"), objects([1, {"a": 1}, None]))
    assert ("", "a\nb", "x") == (spoken({"text": "a"}), spoken(["a", {"text": "b"}, 3, {"text": 4}]), spoken("x"))
    assert ("", "x", '{"a":[1]}') == (shown(None), shown("x"), shown({"a": [1]}))
