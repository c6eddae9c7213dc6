"""What the demo's model counts: words and signs, and the begin of a request up to a mark of one before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.runtime.demo.prompt_cache import MARK, Counted, PromptCache, count, text_of, texts_of

_LIFE_MS = 300_000


def request(*said: str, mark: bool = True, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": [{"type": "text", "text": text}]} for text in said]
    if mark:
        messages[-1]["content"][-1] |= MARK  # type: ignore[index, operator]
    return {"model": "m", "messages": messages, **more}


def test_a_token_is_a_word_or_a_sign() -> None:
    assert 0 == count(" \n")
    assert 6 == count("It's 5 €.")


def test_the_model_reads_tools_then_the_system_then_what_was_said() -> None:
    use = {"type": "tool_use", "id": "t", "name": "bash", "input": {"command": "ls"}}
    asked = {
        "messages": [
            {"role": "user", "content": "list it"},
            {"role": "assistant", "content": [use | {"cache_control": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "a.py"}]},
        ],
        "system": "Be kind.",
        "tools": [{"name": "bash"} | MARK],
    }
    assert [
        ('{"name": "bash"}', True),
        ("Be kind.", False),
        ("list it", False),
        ('{"type": "tool_use", "id": "t", "name": "bash", "input": {"command": "ls"}}', True),
        ("a.py", False),
    ] == list(texts_of(asked))
    assert '{"type": "image"}' == text_of({"type": "image"} | MARK)


def test_what_was_marked_is_read_again_for_five_minutes() -> None:
    cache = PromptCache()
    assert Counted(0, 2, 0) == cache.counted(request("one two"), 0)
    assert Counted(0, 1, 2) == cache.counted(request("one two", "three"), 1000)
    assert Counted(0, 0, 3) == cache.counted(request("one two", "three"), 1000 + _LIFE_MS)
    assert Counted(0, 3, 0) == cache.counted(request("one two", "three"), 1001 + 2 * _LIFE_MS)
    cache.forget()
    assert Counted(0, 3, 0) == cache.counted(request("one two", "three"), 1002 + 2 * _LIFE_MS)


@pytest.mark.parametrize(
    "other", [request("one", "two", model="n"), request("one", "two", tool_choice={}), request("One", "two"), request("onetwo")]
)
def test_any_difference_before_it_loses_it(other: dict[str, Any]) -> None:
    cache = PromptCache()
    cache.counted(request("one", "two"), 0)
    assert 0 == cache.counted(other, 1).read


def test_what_says_how_long_an_answer_may_be_is_no_difference() -> None:
    cache = PromptCache()
    cache.counted(request("one", max_tokens=1, stream=True), 0)
    assert 1 == cache.counted(request("one", max_tokens=2, metadata={"user_id": "u"}), 1).read


def test_without_a_mark_nothing_is_read_or_written() -> None:
    cache = PromptCache()
    cache.counted(request("one"), 0)
    assert Counted(1, 0, 0) == cache.counted(request("one", mark=False), 1)


@given(st.lists(st.tuples(st.lists(st.sampled_from(["a", "b c", "."]), min_size=1, max_size=4), st.booleans()), max_size=6))
def test_the_three_counts_are_the_request_and_nothing_is_read_that_was_not_written(asked: list[tuple[list[str], bool]]) -> None:
    cache, longest = PromptCache(), 0
    for now, (said, mark) in enumerate(asked):
        counted = cache.counted(request(*said, mark=mark), now)
        assert sum(map(count, said)) == sum(counted)
        assert min(counted) >= 0
        assert counted.read <= longest
        longest = max(longest, counted.read + counted.written)
