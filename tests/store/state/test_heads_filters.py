"""A filter has the bits of its values, also folded; and few others."""

from __future__ import annotations

import pytest

from agentsight_rx.store.state.heads import FILTER, bits_of, expanded, folded


def bits(count: int) -> int:
    found = 0
    for number in range(count):
        found |= bits_of(b"value %d" % number)
    return found


@pytest.mark.parametrize(("count", "size"), [(0, 0), (1, 8), (3, 8), (7, 16), (20, 64), (40, 128), (200, 512), (5000, 512)])
def test_a_filter_is_as_short_as_its_values_let_it_be(count: int, size: int) -> None:
    assert len(folded(bits(count))) == size


@pytest.mark.parametrize("count", [1, 3, 20, 40, 200])
def test_a_folded_filter_has_its_values_and_few_others(count: int) -> None:
    kept = int.from_bytes(expanded(folded(bits(count))), "little")
    assert kept & bits(count) == bits(count)
    others = [bits_of(b"other %d" % number) for number in range(5000)]
    assert sum(kept & other == other for other in others) < 5000 / 200


@pytest.mark.parametrize("count", [0, 1, 20, 200])
def test_folding_again_changes_nothing_and_more_values_can_come(count: int) -> None:
    once = folded(bits(count))
    whole = int.from_bytes(expanded(once), "little")
    assert folded(whole) == once
    more = int.from_bytes(expanded(folded(whole | bits(FILTER))), "little")
    assert more & bits(FILTER) == bits(FILTER)
