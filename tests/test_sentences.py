"""The sentences of the project stay easy to read: scripts/house.py counts them, this test holds its goals."""

from __future__ import annotations

import pytest

from scripts.house import Sentence, sentences, sentences_of_text, shares

HANGING_MOST = 0.01
LONG_MOST = 0.02


@pytest.mark.parametrize("kind", ["docs", "messages", "docstrings"])
def test_few_sentences_are_long_or_point_at_a_noun_that_is_not_there(kind: str) -> None:
    found = shares(sentences(kind))
    assert found.total > 100, "the count finds the texts"
    assert found.hanging_share < HANGING_MOST, [f"{each.place}: {each.text}" for each in found.hanging]
    assert found.long_share < LONG_MOST, [f"{each.place}: {each.text}" for each in found.long]


@pytest.mark.parametrize(
    "text",
    [
        "It reads those that are open and leaves the others.",
        "The key is that of the host which recorded it.",
        "A probe shows what is in the ring of the kernel.",
        "TLS code that is mapped and not used is none.",
    ],
)
def test_a_hanging_pronoun_is_found(text: str) -> None:
    assert [True] == [each.hanging for each in sentences_of_text(text, "")]


def test_plain_english_with_none_is_no_riddle() -> None:
    found = list(sentences_of_text("It returns None where there is none. The value is None at first.", ""))
    assert [False, False] == [each.hanging for each in found]


def test_a_pronoun_with_its_noun_is_no_riddle() -> None:
    (sentence,) = sentences_of_text("Those connections stay open, and the reader knows that they do.", "")
    assert not sentence.hanging


def test_words_are_counted_and_code_is_one_word() -> None:
    assert 35 == Sentence("", " ".join(["word"] * 35)).words
    assert not Sentence("", " ".join(["word"] * 35)).long
    assert Sentence("", " ".join(["word"] * 36)).long
    (sentence,) = sentences_of_text("The flags `--a b c`, `--d` and `--e` of [this page](https://example.org) are new.", "")
    assert 8 == sentence.words


def test_a_sentence_ends_at_its_stop_and_not_inside_a_name() -> None:
    found = [each.text for each in sentences_of_text("It reads run.json and 0.5 MB. It ends! `Then` what? The end", "")]
    assert ["It reads run.json and 0.5 MB.", "It ends!", "CODE what?", "The end"] == found
