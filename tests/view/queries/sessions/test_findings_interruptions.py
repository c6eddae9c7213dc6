"""The runs that a session went through, and what is said where nothing was recorded between them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.tables import Recording
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view import ProcessRow, SessionRow
from agentsight_rx.view.queries.sessions.findings import Life, gone_on, life_of, runs_through

RUNS = [
    Recording(1, 1_000, committed_ms=10_000, ended=True),
    Recording(2, 12_000, committed_ms=20_000),
    Recording(3, 28_000, committed_ms=40_000),
]
SESSION = SessionRow("s", 2_000, agent="claude", pid=7, process_id="p-7", end_timestamp_ms=30_000)


def test_a_session_that_went_on_says_for_how_long_nothing_was_recorded() -> None:
    found = gone_on(SESSION, Life(2_000, 30_000, over=True), RUNS)
    assert found is not None
    expected = "claude 7 went on while nothing was recorded, for 10.0 s, in 2 gaps, what it did then was not seen"
    assert found.said == expected
    one = gone_on(SESSION, Life(13_000, 30_000, over=True), RUNS)
    assert one is not None
    assert one.what == "claude 7 went on while nothing was recorded, for 8.0 s"


def test_a_session_within_one_run_lacks_nothing() -> None:
    assert gone_on(SESSION, Life(13_000, 19_000, over=True), RUNS) is None
    assert [2] == [run.number for run in runs_through(Life(13_000, 19_000, over=True), RUNS)]


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50), st.booleans()), min_size=1, max_size=8), st.data())
def test_the_gaps_and_the_runs_are_all_of_a_life(lengths: list[tuple[int, int, bool]], data: st.DataObject) -> None:
    """Time goes on through runs and the gaps behind them."""
    runs, now_ms = list[Recording](), 0
    for number, (took_ms, gap_ms, ended) in enumerate(lengths, 1):
        runs.append(Recording(number, now_ms, committed_ms=now_ms + took_ms, ended=ended))
        now_ms += took_ms + gap_ms
    begin_ms = data.draw(st.sampled_from([run.started_ms for run in runs]))
    last_ms = data.draw(st.sampled_from([run.committed_ms for run in runs if run.committed_ms >= begin_ms]))
    through = runs_through(Life(begin_ms, last_ms, over=True), runs)
    numbers = [run.number for run in through]
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "no run between two of them is left out"
    assert all(run in through for run in runs if begin_ms < run.committed_ms and run.started_ms < last_ms)
    found = gone_on(SESSION, Life(begin_ms, last_ms, over=True), runs)
    assert (found is not None) == any(begin_ms < run.started_ms <= last_ms for run in runs)


def test_the_last_that_is_known_is_the_end_of_its_process() -> None:
    store = MemoryStore()
    assert Life(2_000, 30_000, over=False) == life_of(store, SESSION)
    store.commit([put(ProcessRow("p-7", 7, end_timestamp_ms=39_000))])
    assert Life(2_000, 39_000, over=True) == life_of(store, SESSION)
    assert Life(2_000, 30_000, over=True) == life_of(
        MemoryStore(), SessionRow("t", 2_000, end_timestamp_ms=30_000, status="ended")
    )
