"""The kept lines by which a store compresses its rows are those of the rows as they are now."""

from __future__ import annotations

from scripts.typical_rows import PLACE, typical_rows


def test_the_kept_rows_are_those_that_the_view_makes() -> None:
    assert typical_rows() == PLACE.read_bytes(), "the rows have changed: python -m scripts.typical_rows"
