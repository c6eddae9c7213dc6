"""Gaps are counted by things, and a loss that a blind spot names is said once."""

from __future__ import annotations

from agentsight_rx.loss import Entry, Reason
from agentsight_rx.view.rows.gaps import Gaps, LeftRunning, left_running, unsaid
from agentsight_rx.view.rows.kinds import BlindSpotRow

SPOT = BlindSpotRow("blind-1", 0, pid=1, comm="uv", process_id="process-1", connections=1, size=5)
UNREAD, LOST, LEFT = (Entry("tls", reason, 3) for reason in (Reason.UNREADABLE, Reason.KERNEL_LOST, Reason.LEFT_RUNNING))
FILTERED = Entry("filter_http", Reason.FILTERED, 3)


def test_nothing_is_no_gap() -> None:
    assert 0 == Gaps().count


def test_each_thing_counts_once_however_often_it_happened() -> None:
    gaps = Gaps(blind_spots=(SPOT,), losses=(LOST,), calls_cut=7, commands_unseen=2, failures=("disk", "net"))
    assert 6 == gaps.count


def test_an_unread_connection_is_said_by_its_blind_spot() -> None:
    assert (UNREAD, LOST) == unsaid([UNREAD, LOST, LEFT, FILTERED], ())
    assert (LOST,) == unsaid([UNREAD, LOST, LEFT, FILTERED], (SPOT,))


def test_processes_that_go_on_have_the_time_of_the_end() -> None:
    assert [LeftRunning(3, 9)] == [*left_running([UNREAD, LEFT], 9)]
