"""Every loss has a span in which it was counted, however many commits and failures come between."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.store.rows.gap_counts import LossClock, LossTime, SessionGaps

STAGES: tuple[str, ...] = ("tls", "process")
COMMITS = st.lists(st.tuples(st.integers(1, 400_000), st.sampled_from(STAGES), st.integers(0, 3), st.booleans()), max_size=60)


def entry(stage: str, count: int) -> Entry:
    return Entry(stage, Reason.KERNEL_LOST, count, 10 * count)


@given(COMMITS)
def test_spans_have_all_losses_at_their_time(commits: list[tuple[int, str, int, bool]]) -> None:
    clock, counted = LossClock(), dict.fromkeys(STAGES, 0)
    stored = dict[tuple[str, int], LossTime]()
    since_ms, now_ms, moments = 0, 0, list[tuple[str, int, int]]()
    for waits_ms, stage, count, is_kept in [*commits, (1, "tls", 0, True)]:
        now_ms += waits_ms
        counted[stage] += count
        entries = [entry(name, total) for name, total in counted.items()]
        if count:
            moments.append((stage, since_ms, now_ms))
        spans = clock.grown(entries, since_ms, now_ms)
        if is_kept:  # else the store took nothing of it, and the next commit has all
            clock.keep(entries, spans)
            stored.update({(span.stage, span.from_ms): span for span in spans})
            since_ms = now_ms
    for stage, total in counted.items():
        spans = sorted((span for span in stored.values() if span.stage == stage), key=lambda span: span.from_ms)
        assert (total, 10 * total) == (sum(span.count for span in spans), sum(span.size for span in spans))
        assert all(before.to_ms < after.from_ms for before, after in pairwise(spans))
        for _, from_ms, to_ms in (moment for moment in moments if moment[0] == stage):
            assert any(span.from_ms <= from_ms and to_ms <= span.to_ms for span in spans)


def test_a_year_of_losses_has_some_hundred_spans() -> None:
    clock, stored = LossClock(), dict[int, LossTime]()
    for number in range(1, 50_000):  # each ten minutes
        entries, now_ms = [entry("tls", number)], number * 600_000
        spans = clock.grown(entries, now_ms - 250, now_ms)
        clock.keep(entries, spans)
        stored.update({span.from_ms: span for span in spans})
    assert len(stored) < 1000
    assert 49_999 == sum(span.count for span in stored.values())


def test_what_is_left_out_on_purpose_has_no_time() -> None:
    assert [] == LossClock().grown([Entry("x", Reason.FILTERED, 5)], 0, 10)


def test_a_clock_that_was_set_back_makes_no_span_that_ends_before_it_begins() -> None:
    [span] = LossClock().grown([entry("tls", 1)], 5_000, 3_000)
    assert (3_000, 3_000) == (span.from_ms, span.to_ms)


def test_gaps_are_added_by_kind() -> None:
    assert SessionGaps(3, 4) == SessionGaps(1, 0) + SessionGaps(2, 4)
