"""The gaps of a run: each thing once, whoever counted it."""

from __future__ import annotations

from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.store.rows.gaps import Gaps, LeftRunning, gaps_of
from agentsight_rx.store.rows.tally import Tally
from agentsight_rx.view import BlindSpotRow, CallRow

SPOT = BlindSpotRow("b", 1, 7, "uv", "p-7", connections=1, size=5)
ENTRIES = [
    Entry("tls", Reason.FILTERED, 9),
    Entry("tls", Reason.KERNEL_LOST, 5),
    Entry("tls", Reason.UNREADABLE, 1),
    Entry("process", Reason.LEFT_RUNNING, 2),
]


def tallied(*rows: CallRow | BlindSpotRow) -> Tally:
    tally = Tally()
    tally.add(rows)
    return tally


def test_a_run_without_gaps_lacks_nothing() -> None:
    assert Gaps() == gaps_of(tallied(), ENTRIES[:1])
    assert 0 == Gaps().count


def test_what_a_blind_spot_and_what_goes_on_is_said_once() -> None:
    found = gaps_of(tallied(SPOT), ENTRIES, failures=("sink: full",), ended_ms=70)
    assert (ENTRIES[1],) == found.losses
    assert (LeftRunning(2, 70),) == found.left
    assert 4 == found.count, "the blind spot, the loss, the processes, the destination"
    assert ENTRIES[1:3] == list(gaps_of(tallied(), ENTRIES).losses)


def test_a_call_without_an_answer_is_no_gap_while_it_may_get_one() -> None:
    rows = CallRow("a", 1), CallRow("b", 1, status="aborted", reason="closed"), CallRow("c", 1, status="partial", reason="gap")
    found, live = gaps_of(tallied(*rows), ()), gaps_of(tallied(*rows), (), live=True)
    assert (2, 1, 2) == (found.calls_unfinished, found.calls_cut, found.count)
    assert (1, 1, 2) == (live.calls_unfinished, live.calls_cut, live.count)
