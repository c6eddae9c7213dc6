"""Each cell of the table in docs/redaction.md is a test: so many secrets of this kind show of this place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.secrets.kinds import KINDS
from tests.secrets.matrix import Matrix, is_usual, measured
from tests.secrets.places import CANNOT, PLACES

pytestmark = pytest.mark.xdist_group("the matrix of secrets")  # two workers would measure it twice

DOCS = Path(__file__).parents[2] / "docs" / "redaction.md"
BEGIN, END = "<!-- places -->\n", "<!-- end of places -->\n"


def exists(place: str, kind: str) -> bool:
    return PLACES[place](0, KINDS[kind]([])) is not None


def mark(place: str, kind: str) -> str:
    return "–" if not exists(place, kind) else "shows" if place in CANNOT else "✓"


def table() -> str:
    """The table of the documentation."""
    rows = [["", *KINDS], ["---"] * (len(KINDS) + 1), *([place, *(mark(place, kind) for kind in KINDS)] for place in PLACES)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


CELLS = [
    pytest.param(place, kind, marks=() if is_usual(place, kind) else pytest.mark.thorough)
    for place in PLACES
    for kind in KINDS
    if exists(place, kind)
]


@pytest.fixture(scope="module")
def matrix(request: pytest.FixtureRequest) -> Matrix:
    return measured(usual=not request.config.getoption("--all"))


@pytest.fixture(scope="module")
def unredacted(request: pytest.FixtureRequest) -> Matrix:
    return measured(remove_auth=False, usual=not request.config.getoption("--all"))


@pytest.mark.parametrize(("place", "kind"), CELLS)
def test_no_secret_of_this_kind_shows_of_this_place(matrix: Matrix, place: str, kind: str) -> None:
    found = matrix.leaks.get((place, kind), set())
    if place in CANNOT:
        assert found, "it is hidden: then the documentation may say so"
    else:
        assert found == set(), matrix.where[place, kind]


@pytest.mark.parametrize(("place", "kind"), CELLS)
def test_the_search_finds_what_is_not_removed(unredacted: Matrix, place: str, kind: str) -> None:
    found = unredacted.leaks.get((place, kind), set())
    assert len(found) > 0.9 * len(set(unredacted.parts[place, kind]))


def test_the_documentation_has_this_table() -> None:
    text = DOCS.read_text()
    assert text.partition(BEGIN)[2].partition(END)[0] == table()


def test_the_search_sees_what_is_shipped(unredacted: Matrix) -> None:
    found = {cell for cell, where in unredacted.where.items() if "shipped" in where}
    assert len(found) > 0.9 * len(unredacted.parts)
