"""The table of kinds: each beginning is found by the one search for all of them, as its own kind."""

from __future__ import annotations

import re

import pytest

from agentsight_rx.policy.redaction.kinds import AHEAD_MOST, HYPHEN_OF_KEYS, IN_RUN, KINDS, UNDERSCORE_OF_KEYS, by_first_letter

KEY = "a9B" * 20  # behind the beginning
SEARCHES = {"_": re.compile(f"_{UNDERSCORE_OF_KEYS}"), "-": re.compile(f"-{HYPHEN_OF_KEYS}")}
OTHER = re.compile(IN_RUN)


@pytest.mark.parametrize("begin", sorted({kind.begin for kind in KINDS}))
def test_each_beginning_is_found(begin: str) -> None:
    text = f"say {begin}{KEY} now"
    search = SEARCHES.get(begin[-1])
    hits = [hit.start(hit.lastindex or 0) if search else hit.start() for hit in (search or OTHER).finditer(text)]
    assert 4 in hits


def test_a_mark_is_followed_by_a_key_within_reach() -> None:
    for mark, search in SEARCHES.items():
        begin = next(kind.begin for kind in KINDS if kind.begin.endswith(mark))
        at = len(begin) - 1
        assert search.match(f"{begin}{KEY}"[: at + AHEAD_MOST], at)
        assert not search.match(f"{begin}{'a' * 60}", at), "a word"


def test_of_beginnings_with_one_letter_the_first_has_precedence() -> None:
    pattern = re.compile(by_first_letter(["ab_c", "ab", "b"]))
    assert [3, 1, 2] == [hit.lastindex for text in ("b", "ab_c", "abx") if (hit := pattern.match(text))]
