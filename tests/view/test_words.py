"""Words that every view has for numbers and errors."""

from __future__ import annotations

import pytest

from agentsight_rx.view.words import cut, error_said, plural, times_said


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("http_529", "HTTP 529"),
        ("http_404", "HTTP 404"),
        ("overloaded_error", "overloaded_error"),
        ("closed", "closed"),
        ("", ""),
    ],
)
def test_a_status_of_http_is_said_as_one(kind: str, said: str) -> None:
    assert said == error_said(kind)


def test_numbers_have_their_words() -> None:
    assert ["1 call", "2 calls", "1,204 retries"] == [plural(1, "call"), plural(2, "call"), plural(1204, "retry", "retries")]
    assert ["twice", "three times", "1,000 times"] == [times_said(2), times_said(3), times_said(1000)]


def test_a_long_text_ends_in_a_mark() -> None:
    assert ["short", "a lon…"] == [cut("short", 6), cut("a long text", 6)]
