"""
Requests of a conversation, one after the other and changed anywhere, are read the same with and without those before in mind.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.llm import PROVIDERS, Provider, resent
from agentsight_rx.llm.resent import Resent

_AGAIN = [provider for provider in PROVIDERS if provider.asks_again is not None]
_FIELDS = ("messages", "input")

texts = st.sampled_from(["", "a", "b", "{", "]}", '"messages":[', "\\", "é", "\ud83d"])
blocks = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "tool_result", "input_text"])}, optional={"text": texts, "content": texts}
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool"])},
    optional={"content": texts | st.lists(blocks, max_size=2), "type": st.sampled_from(["message", "function_call_output"])},
)
others: st.SearchStrategy[Any] = st.sampled_from(
    [None, 1, 12, "x", [], {}, [{}], {"role": 7}, {"content": {"text": "x"}}, 2**200]
)
elements = st.one_of(messages, messages, messages, others)
spaces = st.sampled_from([(",", ":"), (",", ":"), (", ", ": "), (" ,\n", " : ")])


@st.composite
def bodies(draw: st.DrawFn) -> list[bytes]:
    """Bodies that go on from each other: a list that grows, is changed, and stands somewhere among other fields."""
    field = draw(st.sampled_from(_FIELDS))
    said: list[Any] = draw(st.lists(messages, min_size=1, max_size=4))
    made: list[bytes] = []
    for _ in range(draw(st.integers(2, 5))):
        said = [*said, *draw(st.lists(elements, max_size=2))]
        if draw(st.integers(0, 3)) == 0:
            said[draw(st.integers(0, len(said) - 1))] = draw(elements)
        body = _written(draw, field, said)
        if draw(st.integers(0, 5)) == 0:
            at = draw(st.integers(0, len(body)))
            body = (
                body[:at]
                + draw(st.sampled_from([b"", b",", b"]", b"}", b'"', b" ", b"\xff"]))
                + body[at + draw(st.integers(0, 2)) :]
            )
        made.append(body)
    return made


def _written(draw: st.DrawFn, field: str, said: Sequence[Any]) -> bytes:
    before = draw(st.sampled_from([{}, {"model": "m"}, {"metadata": {field: [{"role": "user"}]}}, {field: [{"role": "zz"}]}]))
    after = draw(st.sampled_from([{}, {"model": "m"}, {"tools": [{"name": field}]}, {field: [{"role": "zz"}]}, {field: None}]))
    separators = draw(spaces)
    parts = [json.dumps(each, separators=separators)[1:-1] for each in (before, {field: said}, after) if each]
    text = "{" + separators[0].join(parts) + "}"
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("provider", _AGAIN, ids=lambda provider: provider.name)
@given(sent=bodies())
def test_what_is_read_is_the_same_with_what_was_sent_before(provider: Provider, sent: list[bytes]) -> None:
    least, resent._LEAST = resent._LEAST, 0  # pyright: ignore[reportPrivateUsage]
    try:
        known = Resent(at_once=True)
        path = "/"
        found = [provider.asked(body, path, resent=known) for body in (*sent, *sent)]
    finally:
        resent._LEAST = least  # pyright: ignore[reportPrivateUsage]
    assert [provider.asked(body, path) for body in (*sent, *sent)] == found
