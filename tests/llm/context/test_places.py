"""Where values stand in JSON, whole and cut."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.llm.context import Piece, anatomy
from agentsight_rx.llm.context.places import Place, element_at, member_at, place_at


def pieces(body: str) -> list[Piece]:
    return anatomy(body.encode()).read()


def test_a_deep_value_is_placed_as_a_whole() -> None:
    deep = '{"a":' * 5000 + "1" + "}" * 5000
    body = f'{{"messages":[{{"role":"user","content":[{{"type":"tool_use","id":"t","name":"n","input":{deep}}}]}}],"top_p":1}}'
    assert [each.origin for each in pieces(body)] == ["answer"]
    assert anatomy(body.encode()).parameters() == {"top_p": b"1"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def value_of(body: bytes, place: Place) -> Any:
    return json.loads(body[place.start : place.end])


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_every_value_is_where_it_stands(value: Any, indent: int | None, is_ascii: bool) -> None:
    body = b" " + json.dumps(value, indent=indent, ensure_ascii=is_ascii).encode() + b" , 1"
    place = place_at(body, 0)
    assert place is not None
    assert value_of(body, place) == value
    if isinstance(value, dict):
        assert {json.loads(b'"' + name + b'"'): value_of(body, each) for name, each in place.inner} == value
    elif isinstance(value, list):
        assert [value_of(body, each) for _, each in place.inner] == value


@given(VALUES, st.data())
def test_what_is_cut_ends_with_the_text(value: Any, data: st.DataObject) -> None:
    whole = json.dumps(value).encode()
    body = whole[: data.draw(st.integers(0, len(whole)))]
    place = place_at(body, 0)
    assert place is None or place.end <= len(body)


def test_members_and_elements_one_by_one() -> None:
    body = b'{ "a" : 1, "b\\"c":[ 2 , 3 ]}'
    assert member_at(body, 1) == ("a", 2, 8)
    assert member_at(body, 9) == ('b\\"c', 11, 18)
    assert element_at(body, 19) == 20
    assert element_at(body, 25) is None
    assert member_at(b"{}", 1) is None
    assert place_at(b" ]", 0) is None
    assert place_at(b"", 0) is None
