"""Any rows -> pages of at most 20 KB that have each row once, in order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.cli.mcp.paging import MOST, NOTE, Answer, page, row_of
from agentsight_rx.core.errors import UsageError

_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text() | st.integers(0, 30_000).map(lambda n: 'é"' * n),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
_ROWS = st.lists(st.dictionaries(st.text(max_size=8), _JSON, max_size=3), max_size=40)


def _pages(answer: Answer, most: int = 200) -> list[dict[str, Any]]:
    found, cursor = list[dict[str, Any]](), ""
    for _ in range(most):
        text = page(answer, question=b"q", cursor=cursor)
        assert len(text.encode()) <= MOST
        found.append(json.loads(text))
        cursor = found[-1].get("cursor", "")
        if not cursor:
            return found
    pytest.fail("the pages do not end")


@given(_ROWS, st.text(), st.dictionaries(st.text(), _JSON, max_size=3))
def test_every_row_is_on_one_page_and_no_page_is_too_long(rows: list[dict[str, Any]], said: str, head: dict[str, Any]) -> None:
    numbered: list[dict[str, object]] = [
        {"number": number, **{f"_{name}": each for name, each in row.items()}} for number, row in enumerate(rows)
    ]
    answer = Answer(said=said, not_seen=said, recording=said, head=head, rows=numbered, ask_next=("session()", "turns()"))
    pages = _pages(answer)
    shown = [row for each in pages for row in each["recorded"].get("rows", [])]
    assert len(rows) == len(shown)
    assert [each["number"] for each in shown if "cut" not in each] == [
        number for number, each in enumerate(shown) if "cut" not in each
    ]
    assert all(NOTE == each["recorded"]["note"] for each in pages)


def test_a_short_row_is_not_changed_and_a_long_one_says_what_is_cut() -> None:
    (only,) = _pages(Answer(said="two rows", rows=[{"text": "a" * 3000}, {"text": "b" * 9000}]))
    first, second = only["recorded"]["rows"]
    assert {"text": "a" * 3000} == first
    assert f"{'b' * 4000}… (5,000 more characters)" == second["text"]
    assert "cursor" not in only


def test_a_half_of_a_surrogate_pair_is_a_question_mark() -> None:
    assert "a?b" == _pages(Answer(said="one", rows=[{"text": "a\ud800b"}]))[0]["recorded"]["rows"][0]["text"]


def test_a_cursor_leads_to_the_rest_and_not_to_that_of_another_question() -> None:
    answer = Answer(said="many", rows=[{"text": "a" * 3000} for _ in range(20)])
    first = json.loads(page(answer, question=b"q"))
    assert "rows 1 to 2; for the next ones ask the same with this cursor" == first["more"]
    second = json.loads(page(answer, question=b"q", cursor=first["cursor"]))
    assert second["more"].startswith("rows 3 to 8")
    for wrong in ("x", "6-00000000", f"{first['cursor']} "):
        with pytest.raises(UsageError, match="is not of this question"):
            page(answer, question=b"q", cursor=wrong)
    with pytest.raises(UsageError):
        page(answer, question=b"another", cursor=first["cursor"])


def test_behind_the_end_there_are_no_rows() -> None:
    long = Answer(said="many", rows=[{"text": "a" * 3000} for _ in range(20)])
    cursor = json.loads(page(long, question=b"q"))["cursor"]
    found = json.loads(page(Answer(said="none left"), question=b"q", cursor=cursor))
    assert "no rows are behind this cursor: the answer has ended" == found["answer"]


def test_a_row_has_the_fields_that_say_something() -> None:
    assert {"zero": 0, "no": False, "pair": [1, 2]} == row_of(zero=0, no=False, pair=(1, 2), none=None, empty="", nothing=())


def test_a_row_that_no_limit_makes_short_says_so() -> None:
    row: object = "x"
    for _ in range(5):
        row = {str(number): row for number in range(10)}
    assert [{"cut": "this has more than 6,000 bytes"}] == _pages(Answer(said="one", rows=[{"row": row}]))[0]["recorded"]["rows"]
