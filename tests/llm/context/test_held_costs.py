"""Pieces that are sent again and again -> each has its part of the cost, by its place before or behind what was cached."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events.tokens import Usage
from agentsight_rx.llm.context import Piece
from agentsight_rx.llm.context.held import Costs, Held, Rates, Sent

RATES = Rates(0.1, 1.25, 1.0)


def held(*tokens: int) -> list[Held]:
    return [Held(Piece(0, 1, "prompt", bytes([at])), 1, tokens=size) for at, size in enumerate(tokens)]


def test_what_came_from_the_cache_is_cheaper() -> None:
    costs, pieces = Costs(), held(100, 50, 10)
    costs.pay(pieces, Sent(1, Usage(cache_creation=120, input=40), RATES))
    costs.pay(pieces, Sent(2, Usage(cache_read=120, cache_creation=30, input=10), RATES))
    for each in pieces:
        costs.settle(each)
    assert [each.cost for each in pieces] == pytest.approx([125 + 10, 25 + 30 + 2 + 37.5, 10 + 10])
    assert [each.cached_cost for each in pieces] == pytest.approx([10, 2, 0])
    assert [(each.requests, each.carried) for each in pieces] == [(2, 200), (2, 100), (2, 20)]


def test_without_counts_or_prices_a_piece_is_carried_for_nothing() -> None:
    costs, pieces = Costs(), held(100)
    for sent in (Sent(1), Sent(2, Usage(input=100)), Sent(3, Usage(), RATES)):
        costs.pay(pieces, sent)
    costs.settle(pieces[0])
    assert (pieces[0].cost, pieces[0].requests, costs.unplaced) == (0.0, 3, 0.0)


def test_a_request_without_pieces_has_a_cost_that_is_nowhere() -> None:
    costs = Costs()
    costs.pay([], Sent(1, Usage(cache_read=10, cache_creation=4, input=2), RATES))
    assert costs.unplaced == pytest.approx(1 + 5 + 2)


@given(st.lists(st.tuples(st.lists(st.integers(0, 300), min_size=1, max_size=6), st.integers(0, 900), st.integers(0, 900))))
def test_the_costs_of_the_pieces_are_those_of_their_requests(requests: list[tuple[list[int], int, int]]) -> None:
    costs, total, paid = Costs(), 0.0, 0.0
    for turn, (sizes, read, written) in enumerate(requests):
        whole = sum(sizes)
        usage = Usage(cache_read=min(read, whole), cache_creation=min(written, whole - min(read, whole)))
        usage = Usage(input=whole - usage.cached, cache_creation=usage.cache_creation, cache_read=usage.cache_read)
        pieces = held(*sizes)
        for each in pieces:
            costs.begin(each)
        costs.pay(pieces, Sent(turn, usage, RATES))
        for each in pieces:
            costs.settle(each)
        paid += sum(each.cost for each in pieces)
        total += 0.1 * usage.cache_read + 1.25 * usage.cache_creation + usage.input
    assert paid == pytest.approx(total)
