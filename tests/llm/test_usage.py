from __future__ import annotations

import json

import pytest
from msgspec import Raw

from agentsight_rx.llm.usage import restated


def test_a_later_count_takes_the_place_of_the_former_even_if_it_is_smaller() -> None:
    assert json.loads(bytes(restated('{"a":5,"b":1}', Raw(b'{"a":3}')))) == {"a": 3, "b": 1}


def test_what_is_null_or_not_sent_stays() -> None:
    assert json.loads(bytes(restated('{"a":5,"b":1}', Raw(b'{"a":null}')))) == {"a": 5, "b": 1}


@pytest.mark.parametrize("raw", [b"", b"1", b"[]", b"{"])
def test_what_is_no_object_is_left_as_it_is(raw: bytes) -> None:
    assert bytes(restated('{"a":5}', Raw(raw))) == raw
