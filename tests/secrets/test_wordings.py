"""Of 800 wordings that are promised no secret leaks; of its rarer alphabets, in long texts and in pieces at most a few do."""

from __future__ import annotations

import pytest

from tests.secrets.wordings import ALPHABETS, COMMANDS, NOT_PROMISED, TEXTS, WHOLE, broken, leaks

MOST_OF_RARE = 0.03  # of letters only, and with signs
MOST_OF_LONG = {"letters and digits": 0.05, "hexadecimal digits": 0.03, "letters": 0.09, "with signs": 0.3}
MOST_IN_PIECES = 0.03


@pytest.mark.parametrize(("wordings", "is_command"), [(COMMANDS, True), (TEXTS, False)])
def test_no_secret_of_a_promised_wording_leaks(wordings: list[str], is_command: bool) -> None:
    planted, leaked, lines = leaks(wordings, is_command=is_command)
    assert [] == [line for line in lines if broken(line)]
    for (alphabet, place), count in planted.items():
        most = MOST_OF_LONG[alphabet] if place == "long text" else MOST_IN_PIECES if "pieces" in place else MOST_OF_RARE
        assert leaked[alphabet, place] <= most * count, (alphabet, place)


def test_the_lists_are_long_and_have_no_wording_twice() -> None:
    every = [*COMMANDS, *TEXTS, *NOT_PROMISED]
    assert len(every) == len(set(every)) > 800
    assert set(WHOLE) < set(ALPHABETS)


def test_what_is_not_promised_mostly_leaks() -> None:
    """Else it may be promised."""
    planted, leaked, _ = leaks(NOT_PROMISED)
    assert leaked.total() > 0.7 * planted.total()
