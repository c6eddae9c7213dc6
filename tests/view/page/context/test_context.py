from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.view.page.context.context import pairs_of, run_length


@given(st.lists(st.integers(0, 3), max_size=40).map(tuple))
def test_a_column_by_lengths_of_runs_is_the_column(values: tuple[int, ...]) -> None:
    runs = run_length(values)
    pairs = list(zip(runs[::2], runs[1::2], strict=True))
    assert values == tuple(value for value, times in pairs for _ in range(times))
    assert all(one[0] != other[0] for one, other in pairwise(pairs))
    assert all(times > 0 for _, times in pairs)


def test_a_column_by_lengths_of_runs_comes_back() -> None:
    assert pairs_of(run_length((3, 3, 4))) == [(3, 2), (4, 1)]
