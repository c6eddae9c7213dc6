from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.llm.by_path import json_at


def made(*pieces: tuple[str, Any]) -> Any:
    return json.loads(json_at([path for path, _ in pieces], [json.dumps(value) for _, value in pieces]))


def test_values_are_put_where_their_paths_say() -> None:
    pieces = [("$.a", 1), ("$.b.c", True), ("$.d[0].e", "x"), ("$.d[1]", None), ("$['f g']", 2), ('$["h\\"i"].j', 3)]
    assert made(*pieces) == {"a": 1, "b": {"c": True}, "d": [{"e": "x"}, None], "f g": 2, 'h"i': {"j": 3}}


def test_strings_at_one_path_are_one_string_even_where_others_stand_between() -> None:
    assert made(("$.a", "New "), ("$.b", 1), ("$.a", "Del"), ("$.a", "hi")) == {"a": "New Delhi", "b": 1}


def test_another_value_at_a_path_takes_the_place_of_the_former() -> None:
    assert made(("$.a", 1), ("$.a", 2)) == {"a": 2}


def test_the_root_is_an_object_that_others_add_to() -> None:
    assert made(("$", {"a": 1}), ("$.b", 2)) == {"a": 1, "b": 2}


@pytest.mark.parametrize("path", ["", "a", "$a", "$..a", "$.", "$[", "$[-1]", "$[*]", "$[99999999999]", "$.b[999999]", "$.a.b"])
def test_a_path_that_is_none_or_does_not_fit_is_left_out(path: str) -> None:
    assert made(("$.a", 1), (path, 2)).get("a") == 1


def test_a_value_that_is_no_json_is_null() -> None:
    assert json_at(["$.a"], ["{"]) == '{"a":null}'
