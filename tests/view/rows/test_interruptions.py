"""A session that went on between two recordings is said to be interrupted, and no other one is."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.view.rows.interruptions import Interruption, interruptions_of
from agentsight_rx.view.rows.kinds import SessionRow
from agentsight_rx.view.rows.tables import Recording


def session(start: int, end: int | None) -> SessionRow:
    return SessionRow("s", start, end, agent="claude", pid=7)


def recorded(*spans: tuple[int, int], ended: bool = True) -> list[Recording]:
    return [Recording(number, start, end, ended, seconds=1.0) for number, (start, end) in enumerate(spans, 1)]


def test_one_gap_is_said_with_its_time() -> None:
    runs = recorded((1_000, 5_000), (14_000, 20_000), ended=False)
    (found,) = interruptions_of([session(2_000, 15_000)], runs)
    assert Interruption("s", "claude", 7, 1, 9_000, 5_000, 14_000, killed=True) == found
    assert "claude 7 went on for 9.0 s while nothing was recorded" == found.what
    assert "the recorder was killed" == found.why


def test_many_gaps_are_one_sentence() -> None:
    (found,) = interruptions_of([session(1, 30_000)], recorded((1, 5_000), (7_000, 9_000), (12_000, 30_000)))
    assert ("claude 7 went on for 5.0 s in 2 gaps while nothing was recorded", 9_000, 12_000) == (
        found.what,
        found.since_ms,
        found.until_ms,
    )
    assert "the recorder was started anew" == found.why


def test_a_run_that_captured_nothing_ends_no_gap() -> None:
    runs = recorded((1, 5_000), (20_000, 30_000))
    failed = Recording(9, 6_000, 6_500, ended=True)
    assert list(interruptions_of([session(2, 25_000)], [runs[0], failed, runs[1]])) == list(
        interruptions_of([session(2, 25_000)], runs)
    )


def test_a_session_that_did_nothing_behind_a_gap_may_have_ended_in_it() -> None:
    runs = recorded((1, 5_000), (7_000, 9_000))
    for row in (session(2, 4_000), session(2, 7_000), session(2, None), session(5_001, 8_000)):
        assert [] == list(interruptions_of([row], runs))
    assert [] == list(interruptions_of([session(2, 9_000)], runs[:1]))


@given(st.lists(st.integers(1, 60), min_size=2, max_size=12, unique=True), st.integers(0, 61), st.integers(0, 61))
def test_the_gaps_are_those_between_its_first_and_its_last_moment(moments: list[int], start: int, end: int) -> None:
    ordered = sorted(moments)
    spans = [*zip(ordered[::2], ordered[1::2], strict=False)]
    between = [(before[1], after[0]) for before, after in pairwise(spans)]
    hit = [(since, until) for since, until in between if start < since and until < end]
    found = list(interruptions_of([session(start, end)], recorded(*spans)))
    assert [(len(hit), sum(until - since for since, until in hit))] * bool(hit) == [
        (each.gaps, each.total_ms) for each in found
    ]
