"""The soak measures what is there, and gives each row its share of the time."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.soak.__main__ import head, line, rows
from tests.soak.measured import Figure, slope_of, taken


@given(st.floats(-100, 100), st.floats(-1000, 1000), st.lists(st.integers(0, 10_000), min_size=2, max_size=30, unique=True))
def test_the_slope_of_a_line_is_its_own(slope: float, start: float, times: list[int]) -> None:
    assert slope_of([(at, start + slope * at) for at in times]) == pytest.approx(slope, abs=1e-6)


def test_points_without_a_time_between_them_have_no_slope() -> None:
    assert (0.0, 0.0) == (slope_of([(1, 2)]), slope_of([(1, 2), (1, 3)]))


def test_what_a_process_takes_is_measured_from_outside() -> None:
    seen = taken(os.getpid())
    read, write = os.pipe()
    try:
        assert seen.fds + 2 == taken(os.getpid()).fds
    finally:
        os.close(read)
        os.close(write)
    assert seen.anonymous > 1 << 20
    assert (0, 0) == (seen.links, seen.maps)
    assert taken(os.getpid()).handles == seen.handles


def test_the_table_names_each_row_and_what_was_not_kept() -> None:
    assert 4 == len(head())
    assert "| killed | calls | 4 of 4 | all | yes |" == line(Figure("killed", "calls", "4 of 4", "all", True))
    assert "| sinks | memory | 9 MB | 1 MB | no |" == line(Figure("sinks", "memory", "9 MB", "1 MB", False))
    assert {"no agent", "other programs", "many agents", "killed", "stopped", "sinks", "live page", "shed"} == set(rows(60))
