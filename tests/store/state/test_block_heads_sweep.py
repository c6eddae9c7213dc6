"""The rows of blocks in the order of time, of which no more are open than have to be."""

from __future__ import annotations

from itertools import islice

import pytest

from agentsight_rx.store.state.block_heads import Timed, sweep

BLOCKS = {b"a": [1, 2, 9], b"b": [3, 3, 4], b"c": [5, 12], b"d": [20, 21], b"e": [20]}
ROWS = sorted((time, place + b"%d" % at, place) for place, times in BLOCKS.items() for at, time in enumerate(times))
TIMED = [Timed(min(times), max(times), place) for place, times in BLOCKS.items()]


def in_order(blocks: list[Timed], reverse: bool) -> list[Timed]:
    return sorted(blocks, key=lambda each: -each.last if reverse else each.first)


class Opened:
    def __init__(self) -> None:
        self.places: list[bytes] = []

    def __call__(self, place: bytes) -> list[tuple[int, bytes, bytes]]:
        self.places.append(place)
        return [row for row in ROWS if row[2] == place]


@pytest.mark.parametrize("reverse", [False, True])
def test_rows_come_in_the_order_of_time_and_of_one_time_in_the_order_of_their_keys(reverse: bool) -> None:
    opened = Opened()
    assert list(sweep(in_order(TIMED, reverse), opened, reverse=reverse)) == sorted(ROWS, reverse=reverse)
    assert sorted(opened.places) == sorted(BLOCKS)


def test_blocks_whose_rows_come_later_stay_closed() -> None:
    first, last = Opened(), Opened()
    assert [1, 2] == [time for time, _, _ in islice(sweep(in_order(TIMED, False), first), 2)]
    assert [21, 20, 20] == [time for time, _, _ in islice(sweep(in_order(TIMED, True), last, reverse=True), 3)]
    assert (first.places, last.places) == ([b"a"], [b"d", b"e"])


def test_a_range_that_is_wider_than_its_rows_changes_nothing() -> None:
    wide = [Timed(max(0, first - 2), last + 5, place) for first, last, place in TIMED]
    for reverse in (False, True):
        assert list(sweep(in_order(wide, reverse), Opened(), reverse=reverse)) == sorted(ROWS, reverse=reverse)
