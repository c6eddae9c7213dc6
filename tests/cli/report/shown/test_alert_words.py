"""An alert in words: its flag, its head, its thread, and how sure it is."""

from __future__ import annotations

from agentsight_rx.cli.report.shown.alert_words import alert_head, alert_lines, flag_said, thread_said
from agentsight_rx.cli.report.shown.screen import Screen, render
from agentsight_rx.view import AlertRow

ROW = AlertRow(
    "alert-1",
    1_800_000_000_000,
    "loop",
    "warn",
    "codex ran make three times",
    "make",
    number=31,
    count=3,
    pid=7,
    command="/usr/bin/make all",
    tool="Bash make",
    prompt="build it",
    proven=2,
    cost=0.5,
    complete=False,
)


def test_an_alert_in_words() -> None:
    assert alert_head(ROW) == "loop ×3"
    assert thread_said(ROW) == '"build it" → Bash make → make 7 → make'
    lines = [render(line, Screen()) for line in alert_lines([ROW])]
    assert lines[1].endswith("2 of 3 links proven, seen in part, $0.50")
    assert thread_said(AlertRow("a", 1, "r", "warn", "s", "/root/x")) == "prompt not known → ~/x"
    assert flag_said(AlertRow("a", 1, "r", "note", "s", "x")) == " "
    assert flag_said(ROW) in "⚑*"
    assert ["seen", "allowed"] == [flag_said(ROW, state) for state in ("seen", "allowed")]
    assert flag_said(ROW, "stopped") in ("⚑‖", "*=")
