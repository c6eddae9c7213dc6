"""The health of a session is of the runs that it went through; of a store, of all of them."""

from __future__ import annotations

from msgspec.structs import replace

from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.store.rows.gap_counts import LossTime, SessionGaps
from agentsight_rx.store.rows.gaps import LeftRunning
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.tables import LOSS_TIMES, LOSSES, RUNS, SESSION_GAPS, TOTALS, Recording
from agentsight_rx.store.rows.tally import Totals
from agentsight_rx.store.state import MemoryStore, Put
from agentsight_rx.view import BlindSpotRow, SessionRow
from agentsight_rx.view.queries.sessions.gaps import missing_things
from agentsight_rx.view.queries.sessions.health import Healths, read_health

LOST = Entry("tls", Reason.KERNEL_LOST, 5)


def machine(*runs: Recording) -> MemoryStore:
    """A store with these runs, of which the second lost something and has a cut call and a program that could not be read."""
    store = MemoryStore()
    for run in runs:
        totals = Totals(calls=3, calls_cut=int(run.number == 2))
        store.commit([Put(RUNS, run.number, run), Put(TOTALS, run.number, totals)])
    store.commit([Put(LOSSES, (2, LOST.stage, LOST.reason.value), LOST)])
    store.commit([put(BlindSpotRow("b", 15_000, 9, "curl", "p-9", connections=1, size=5))])
    return store


FIRST = Recording(1, 1_000, committed_ms=10_000, ended=True)
SECOND = Recording(2, 12_000, committed_ms=20_000)
THIRD = Recording(3, 28_000, committed_ms=40_000)


def session(start_ms: int, end_ms: int) -> SessionRow:
    return SessionRow(f"s-{start_ms}", start_ms, agent="claude", pid=7, end_timestamp_ms=end_ms, status="ended")


def test_what_another_run_lost_is_missing_in_no_session_of_this_one() -> None:
    healths = Healths(machine(FIRST, SECOND, THIRD), being_written=True)
    for whole in (session(2_000, 9_000), session(29_000, 39_000)):
        found = healths.of(whole)
        assert (0, 3, (), ()) == (found.missing, found.calls, found.losses, found.blind_spots)
    hit = healths.of(session(13_000, 19_000))
    assert ((LOST,), 1, ["b"]) == (hit.losses, hit.calls_cut, [row.id for row in hit.blind_spots])
    assert (9, healths.whole.losses) == (healths.whole.calls, hit.losses)


def test_a_run_that_was_killed_is_missed_by_the_sessions_that_it_cut() -> None:
    healths = Healths(machine(FIRST, SECOND, THIRD), being_written=True)
    over, through = healths.of(session(13_000, 19_000)), healths.of(session(13_000, 30_000))
    assert ((), ()) == (over.unended, over.beginnings), "it had ended before"
    assert ((SECOND,), 1) == (through.unended, len(through.beginnings))
    assert "went on while nothing was recorded, for 8.0 s" in through.beginnings[0].what
    assert through.missing == over.missing + 2


def test_the_store_says_what_any_of_its_sessions_lacks() -> None:
    store = machine(FIRST, SECOND, THIRD)
    before = read_health(store, being_written=True).missing
    store.commit([put(session(2_000, 13_000)), put(session(29_000, 39_000))])
    found = read_health(store, being_written=True)
    assert before + 1 == found.missing
    assert ["claude 7 went on while nothing was recorded, for 2.0 s"] == [each.what for each in found.beginnings]


def test_a_store_with_one_run_has_one_health() -> None:
    healths = Healths(machine(SECOND))
    assert healths.of(session(13_000, 14_000)) is healths.whole


def test_within_a_run_of_months_a_gap_is_of_the_sessions_that_it_hit() -> None:
    """Two agents, a day apart, in one run that goes on: each has its own cut call, and the loss was in the first one's time."""
    day_ms = 86_400_000
    store, run = MemoryStore(), Recording(1, 1_000, committed_ms=30 * day_ms)
    first, second = session(2_000, 9_000), session(day_ms, day_ms + 9_000)
    time = LossTime(LOST.stage, LOST.reason, 5_000, 5_200, LOST.count)
    store.commit(
        [
            *map(put, (first, second)),
            Put(RUNS, 1, run),
            Put(TOTALS, 1, Totals(calls=9, calls_cut=3, commands_alone=1, processes=5)),
            Put(LOSSES, (1, LOST.stage, LOST.reason.value), LOST),
            Put(LOSS_TIMES, (1, LOST.stage, LOST.reason.value, time.from_ms), time),
            Put(SESSION_GAPS, first.id, SessionGaps(calls_cut=1, commands_alone=1)),
            Put(SESSION_GAPS, second.id, SessionGaps(calls_cut=2)),
        ]
    )
    healths = Healths(store, being_written=True)
    one, other = healths.of(first), healths.of(second)
    assert ((LOST,), 1, 1, 3) == (one.losses, one.calls_cut, one.commands_unseen, one.missing)
    assert ((), 2, 0, 1) == (other.losses, other.calls_cut, other.commands_unseen, other.missing)
    assert ((LOST,), 3, 1, 3) == (
        healths.whole.losses,
        healths.whole.calls_cut,
        healths.whole.commands_unseen,
        healths.whole.missing,
    )


def test_a_store_that_does_not_say_whose_calls_are_cut_says_it_of_each_session() -> None:
    store = machine(SECOND)
    store.commit([put(session(13_000, 14_000)), put(session(15_000, 16_000))])
    healths = Healths(store)
    assert [1, 1] == [healths.of(each).calls_cut for each in (session(13_000, 14_000), session(15_000, 16_000))]


def test_processes_that_a_run_left_are_missing_from_its_end_on() -> None:
    store = machine(replace(FIRST, seconds=8.0), replace(SECOND, ended=True), replace(THIRD, ended=True))
    left = Entry("process", Reason.LEFT_RUNNING, 2)
    store.commit([Put(LOSSES, (1, left.stage, left.reason.value), left)])
    healths = Healths(store)
    first, third = healths.of(session(2_000, 9_000)), healths.of(session(29_000, 39_000))
    assert ((LeftRunning(2, 9_000),), (), 1) == (first.left, first.losses, first.missing)
    assert ((), 0) == (third.left, third.missing)
    (said,) = missing_things(first.gaps)
    assert said.what.startswith("2 processes go on, unseen from ")
    assert healths.whole.left == first.left
