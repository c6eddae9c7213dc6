"""Whole numbers in the ratio of weights, and the size of a piece."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.llm.context import Piece
from agentsight_rx.llm.context.held import BYTES, shared, size_of


def test_shares_are_whole_and_add_up() -> None:
    assert shared(10, [1, 1, 1]) == [4, 3, 3]
    assert shared(7, [0, 0]) == [4, 3]
    assert shared(0, [3, 4]) == [0, 0]
    assert shared(3, []) == []


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_no_share_is_a_whole_one_off(tokens: int, weights: list[int]) -> None:
    shares = shared(tokens, weights)
    assert sum(shares) == tokens
    if sum(weights):
        assert all(abs(share - tokens * weight / sum(weights)) < 1 for share, weight in zip(shares, weights, strict=True))


def test_an_image_is_as_large_as_text_of_its_tokens() -> None:
    assert size_of(Piece(0, 7, "prompt", b"a"), "anthropic") == 7
    assert size_of(Piece(0, 7, "media", b"a"), "anthropic") == 0
    assert size_of(Piece(0, 7, "media", b"a", pixels=(300, 250)), "anthropic") == 100 * BYTES
    assert size_of(Piece(0, 7, "media", b"a", pixels=(300, 250)), "cohere") == 0
