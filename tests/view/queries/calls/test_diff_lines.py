from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.view.queries.calls.diff import diff_lines

LINES = st.lists(st.sampled_from("abc"), max_size=12)


@given(first=LINES, second=LINES, repeats=st.sampled_from([1, 500]))
def test_the_changes_lead_from_one_text_to_the_other(first: list[str], second: list[str], repeats: int) -> None:
    """Also of long texts, of which only begin and end are compared."""
    first, second = first * repeats, second * repeats
    changes = list(diff_lines(first, second))
    assert [line for change in changes if change.change != "new" for line in change.lines] == first
    assert [line for change in changes if change.change != "gone" for line in change.lines] == second


def test_of_long_texts_the_equal_begin_and_end_are_found() -> None:
    first, second = (["a"] * 3000 + [middle] + ["b"] * 3000 for middle in "xy")
    found = [(each.change, len(each.lines)) for each in diff_lines(first, second)]
    assert found == [("same", 3000), ("gone", 1), ("new", 1), ("same", 3000)]
