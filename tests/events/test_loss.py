"""What the ledger says of what was not delivered."""

from __future__ import annotations

import pytest

from agentsight_rx.events.loss import Entry, Ledger, Meter, Reason


@pytest.mark.parametrize("reason", Reason)
def test_only_what_is_left_out_on_purpose_is_intended(reason: Reason) -> None:
    kept_out = ("filtered", "sampled", "repeated", "overhead", "other_protocol", "limited", "paused")
    assert reason.intended == (reason in kept_out)


def test_a_meter_adds_up_counts_and_sizes_for_each_reason() -> None:
    meter = Meter("tls")
    meter.lose(Reason.KERNEL_LOST, 2, 10)
    meter.lose(Reason.TRUNCATED, 1)
    meter.lose(Reason.KERNEL_LOST, 3, 5)
    assert meter.entries() == [Entry("tls", Reason.KERNEL_LOST, 5, 15), Entry("tls", Reason.TRUNCATED, 1, 0)]
    assert meter.lost(Reason.KERNEL_LOST) == 5
    assert meter.lost(Reason.EVICTED) == 0
    assert meter.lost() == 6


def test_losing_nothing_leaves_no_entry() -> None:
    meter = Meter("tls")
    meter.lose(Reason.QUEUE_FULL, 0)
    assert meter.entries() == []


def test_bytes_may_be_lost_without_a_count() -> None:
    meter = Meter("tls")
    meter.lose(Reason.TRUNCATED, 0, 7)
    assert meter.entries() == [Entry("tls", Reason.TRUNCATED, 0, 7)]


def test_stages_of_one_name_have_meters_of_their_own() -> None:
    ledger = Ledger()
    names = [ledger.meter("tls/keep").stage for _ in range(3)]
    assert names == ["tls/keep", "tls/keep#2", "tls/keep#3"]


def test_a_shared_meter_is_one_object() -> None:
    ledger = Ledger()
    assert ledger.shared("tls") is ledger.shared("tls")
    assert ledger.meter("tls").stage == "tls#2"


def test_entries_come_in_the_order_in_which_the_stages_started() -> None:
    ledger = Ledger()
    first, second = ledger.meter("b"), ledger.meter("a")
    second.lose(Reason.FILTERED, 1)
    first.lose(Reason.BUG, 1)
    assert [entry.stage for entry in ledger.entries()] == ["b", "a"]
    assert [meter.stage for meter in ledger] == ["b", "a"]


def test_a_capture_with_intended_losses_only_is_complete() -> None:
    ledger = Ledger()
    meter = ledger.meter("keep")
    meter.lose(Reason.FILTERED, 5)
    assert ledger.complete
    meter.lose(Reason.EVICTED, 1, 3)
    assert not ledger.complete
    assert ledger.unintended() == [Entry("keep", Reason.EVICTED, 1, 3)]
