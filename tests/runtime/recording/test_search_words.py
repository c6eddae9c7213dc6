"""Typed words, a text -> is it found, and the part that shows where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.runtime.recording.search_words import folded, has_all, marked, trigrams, words_of

LETTERS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\x02\x03"), max_size=60)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("No module named", ("no", "module", "named")),
        ('"No module  named" x', ("no module named", "x")),
        ('"open', ("open",)),
        ("- * NEAR( ^", ("near(",)),
        ("Café café", ("cafe",)),
        ("", ()),
        ('"\'"', ()),
    ],
)
def test_words_between_quotation_marks_stay_together(typed: str, words: tuple[str, ...]) -> None:
    assert words == words_of(typed)


def test_a_part_of_a_word_is_marked() -> None:
    assert "def test_\x02discounted\x03_total():" == marked("def test_discounted_total():", ("discounted",))


def test_case_and_accents_do_not_matter_and_the_text_stays() -> None:
    assert "Das \x02CAFE\u0301\x03 und \x02STRASSE\x03" == marked("Das CAFE\u0301 und STRASSE", words_of("café straße"))
    assert "die \x02Straße\x03" == marked("die Straße", words_of("STRASSE"))


def test_a_long_text_is_shown_around_the_longest_word() -> None:
    shown = marked("a " * 500 + "ModuleNotFoundError: No module named yaml" + " b" * 500, ("no", "module"))
    assert "\x02Module\x03\x02No\x03tFoundError: \x02No\x03 \x02module\x03 named yaml" in shown
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert len(shown) < 300


def unmarked(text: str) -> str:
    return text.replace("\x02", "").replace("\x03", "").strip("…")


@given(LETTERS, LETTERS, LETTERS)
def test_what_is_within_a_text_is_found_and_marked_without_changing_it(before: str, word: str, after: str) -> None:
    text = f"{before}{word}{after}"
    words = words_of(f'"{word}"' if '"' not in word else word)
    if any(each not in folded(text) for each in words):  # spaces that the words do not have, accents over a border
        assert not has_all(text, words)
        return
    assert has_all(text, words)
    shown = marked(text, words)
    assert unmarked(shown) in text
    assert not words or any(folded(each.partition("\x03")[0]) for each in shown.split("\x02")[1:])
    assert all(each in folded(text) for each in trigrams(words))


@given(LETTERS)
def test_folding_again_changes_nothing_of_ascii(text: str) -> None:
    plain = text.encode("ascii", "ignore").decode()
    assert folded(plain) == folded(folded(plain)) == plain.lower()
