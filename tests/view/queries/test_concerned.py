"""What is missing from a store concerns the sessions that ran then, and no other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.store.rows.gap_counts import LossTime, SessionGaps
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.tables import LOSS_TIMES, SESSION_GAPS
from agentsight_rx.store.state import MemoryStore, Put
from agentsight_rx.view import BlindSpotRow, ProcessRow, Row, SessionRow
from agentsight_rx.view.queries.concerned import Concerned, LossesInTime, Window, window_of
from agentsight_rx.view.queries.sessions.findings import life_of

HOUR_MS = 3_600_000
LOST = Entry("tls", Reason.KERNEL_LOST, 7, 700)
TIMES = (
    LossTime("tls", Reason.KERNEL_LOST, HOUR_MS, HOUR_MS + 5, 2, 200),
    LossTime("tls", Reason.KERNEL_LOST, 9 * HOUR_MS, 9 * HOUR_MS, 5, 500),
)
HOURS = st.lists(st.tuples(st.integers(0, 100), st.integers(1, 9)), max_size=8, unique_by=lambda each: each[0])


def times(*spans: LossTime) -> LossesInTime:
    store = MemoryStore()
    store.commit([Put(LOSS_TIMES, (1, span.stage, span.reason.value, span.from_ms), span) for span in spans])
    return LossesInTime(store)


def test_a_loss_concerns_what_ran_when_it_may_have_happened() -> None:
    found = times(*TIMES)
    assert found.within(1, LOST, Window(2 * HOUR_MS, 8 * HOUR_MS)) is None
    assert Entry("tls", Reason.KERNEL_LOST, 2, 200) == found.within(1, LOST, Window(0, HOUR_MS - 50_000)), "counted late"
    assert found.within(1, LOST, Window(0, HOUR_MS - 70_000)) is None
    assert Entry("tls", Reason.KERNEL_LOST, 5, 500) == found.within(1, LOST, Window(HOUR_MS + 6, 1 << 62))
    assert LOST == found.within(1, LOST, Window(0, 1 << 62))


def test_a_loss_without_times_concerns_all_of_its_run() -> None:
    found, then = times(TIMES[0]), Window(5 * HOUR_MS, 6 * HOUR_MS)
    assert LOST == found.within(1, LOST, then), "5 of 7 have no time"
    assert LOST == found.within(2, LOST, then), "of an earlier release"
    whole = Entry("tls", Reason.NOT_OPENED, 1)
    assert whole == times(LossTime("tls", Reason.NOT_OPENED, 1, 2, 1)).within(1, whole, then)


@given(HOURS, st.integers(0, 100))
def test_two_sessions_one_behind_the_other_have_all_losses(losses: list[tuple[int, int]], cut_h: int) -> None:
    spans = [LossTime("tls", Reason.KERNEL_LOST, at * HOUR_MS, at * HOUR_MS, count) for at, count in losses]
    entry = Entry("tls", Reason.KERNEL_LOST, sum(count for _, count in losses))
    found = times(*spans)
    halves = [found.within(1, entry, each) for each in (Window(0, cut_h * HOUR_MS), Window(cut_h * HOUR_MS + 1, 1 << 62))]
    assert entry.count == sum(half.count for half in halves if half is not None)


def story() -> MemoryStore:
    """Two agents at the same time, a helper of the first with a session of its own, and a program of each that is not read."""
    store = MemoryStore()
    rows: list[Row] = [
        SessionRow("a", 10_000, 50_000, pid=1, process_id="p-1", status="ended"),
        SessionRow("b", 10_000, 50_000, pid=2, process_id="p-2", status="ended"),
        SessionRow("helper", 20_000, 30_000, pid=3, process_id="p-3", status="ended", parent_session_id="a"),
        ProcessRow("p-1", 1, start_timestamp_ms=5_000, end_timestamp_ms=60_000, session_id="a"),
        ProcessRow("p-7", 7, start_timestamp_ms=20_000, end_timestamp_ms=21_000, session_id="a"),
        ProcessRow("p-8", 8, start_timestamp_ms=20_000, end_timestamp_ms=21_000, session_id="b"),
        ProcessRow("p-9", 9, start_timestamp_ms=20_000, end_timestamp_ms=21_000, session_id="helper"),
    ]
    store.commit([put(row) for row in rows])
    return store


def blind(process: str) -> BlindSpotRow:
    return BlindSpotRow(f"blind-{process}", 20_000, 7, "curl", process, connections=1, size=9)


def concerned(session: SessionRow, *processes: str) -> list[str]:
    store = story()
    window = window_of(store, session, life_of(store, session))
    return [row.process_id for row in Concerned(store).of([blind(process) for process in processes], session, window)]


def test_a_program_that_is_not_read_concerns_its_agent_and_those_around_it() -> None:
    a = SessionRow("a", 10_000, 50_000, pid=1, process_id="p-1", status="ended")
    assert ["p-7", "p-9", "p-unknown"] == concerned(a, "p-7", "p-8", "p-9", "p-unknown")
    helper = SessionRow("helper", 20_000, 30_000, pid=3, process_id="p-3", status="ended", parent_session_id="a")
    assert ["p-9"] == concerned(helper, "p-7", "p-8", "p-9")


def test_a_program_that_ran_before_or_behind_a_session_does_not_concern_it() -> None:
    assert [] == concerned(SessionRow("c", 40_000, 50_000, pid=4, process_id="p-4", status="ended"), "p-7")
    assert ["p-7"] == concerned(SessionRow("c", 15_000, status="live"), "p-7"), "nothing is known of its processes"


def test_a_session_begins_with_its_process() -> None:
    store = story()
    a = SessionRow("a", 10_000, 50_000, pid=1, process_id="p-1", status="ended")
    assert Window(4_000, 61_000) == window_of(store, a, life_of(store, a))


def test_gaps_of_a_session_are_its_own() -> None:
    store = MemoryStore()
    store.commit([Put(SESSION_GAPS, "a", SessionGaps(2, 1))])
    found = Concerned(store)
    assert SessionGaps(2, 1) == found.gaps_of(SessionRow("a", 1)) == found.known
    assert SessionGaps() == found.gaps_of(SessionRow("b", 1))
