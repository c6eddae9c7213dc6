"""Alerts are delivered at the 1st, 10th, 100th and 1,000th deed; what a delivery cannot take is counted, and delays nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx.events.loss import Ledger, Reason
from agentsight_rx.sinks.alerts import sink as module
from agentsight_rx.sinks.alerts.sink import Delivery, alerts
from agentsight_rx.view import AlertRow, Output

ROW = AlertRow("alert-1", 1, "loop", "warn", "claude ran make", "make", number=1)


def delivered(rows: list[Output], *, level: str = "warn", deliver: Callable[[Mapping[str, object]], None] | None = None) -> Any:
    """What a delivery got, its counts, and what was stopped."""
    got, halted, ledger = list[Mapping[str, object]](), list[AlertRow](), Ledger()
    writer = alerts([Delivery("test", level, deliver or got.append)], halted.append).open(ledger)
    writer.write(rows)
    writer.flush()
    writer.close()
    return got, next(meter for meter in ledger if meter.stage == "deliver test"), halted


def test_an_alert_comes_again_at_each_step() -> None:
    got, meter, _ = delivered([replace(ROW, count=count) for count in (1, 1, 2, 9, 10, 11, 99, 100, 5000, 9000)])
    assert [1, 10, 100, 5000] == [value["count"] for value in got]
    assert (4, 4) == (meter.seen, meter.passed)
    assert ("a1", "loop") == (got[0]["name"], got[0]["rule"])


def test_notes_and_parts_are_not_delivered() -> None:
    got, _, halted = delivered([replace(ROW, do="note"), replace(ROW, part_of="alert-2")])
    assert [] == got == halted


def test_a_delivery_of_stops_gets_no_warning() -> None:
    stop = replace(ROW, id="alert-2", do="stop")
    got, _, halted = delivered([ROW, stop, replace(stop, count=10)], level="stop")
    assert ["alert-2", "alert-2"] == [value["id"] for value in got]
    assert [stop] == halted


def test_a_delivery_that_fails_is_counted_and_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_: Mapping[str, object]) -> None:
        raise ValueError("no")

    _, meter, _ = delivered([replace(ROW, id=f"alert-{number}") for number in range(3)], deliver=fails)
    assert 3 == meter.lost(Reason.SINK_FAILED)
    assert 1 == capsys.readouterr().err.count("alerts are not delivered by test: no; what it does not take is counted")


def test_a_delivery_that_hangs_delays_nothing_and_is_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_END_S", 0.05)
    going_on = threading.Event()

    def hangs(_: Mapping[str, object]) -> None:
        going_on.wait()

    _, meter, _ = delivered([replace(ROW, id=f"alert-{number}") for number in range(105)], deliver=hangs)
    assert (105, 0, 5, 100) == (meter.seen, meter.passed, meter.lost(Reason.QUEUE_FULL), meter.lost(Reason.SINK_FAILED))
    assert "100 alerts were not delivered by test before the end" in capsys.readouterr().err
    going_on.set()
