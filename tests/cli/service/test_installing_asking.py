"""service status, service logs."""

from __future__ import annotations

import os
from typing import NoReturn

import msgspec
import pytest

from agentsight_rx.cli.service import installing as asking
from agentsight_rx.errors import CaptureError
from tests.cli.guarding import ran

RUNS = """LoadState=loaded
ActiveState=active
SubState=running
StatusText=1 agent runs; memory 84 MB, 43 of it in the kernel; nothing is lost
MainPID=77
NRestarts=0
MemoryCurrent=120000000
ActiveEnterTimestamp=Mon 2026-11-30 01:00:00 UTC
"""


def shown(monkeypatch: pytest.MonkeyPatch, text: str, *more: str, status: int) -> list[str]:
    def systemctl(*words: str) -> str:
        assert words[:2] == ("show", "agentsight-rx.service")
        return text

    monkeypatch.setattr(asking, "systemctl", systemctl)
    return ran("service", "status", *more, status=status)


def test_a_recorder_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [
        "recording since Mon 2026-11-30 01:00:00 UTC, process 77",
        " 1 agent runs; memory 84 MB, 43 of it in the kernel; nothing is lost",
        " its control group takes 120.0 MB",
    ] == shown(monkeypatch, RUNS, status=0)


def test_what_systemd_says_can_be_json(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = shown(monkeypatch, RUNS, "--json", status=0)
    value = msgspec.json.decode(line)
    assert (value["MainPID"], value["ActiveState"], value["MemoryCurrent"]) == ("77", "active", "120000000")


def test_one_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    text = RUNS.replace("=active", "=activating").replace("=running", "=auto-restart").replace("NRestarts=0", "NRestarts=12")
    lines = shown(monkeypatch, text.replace("=120000000", "=[not set]").replace("StatusText=1 agent", "Other="), status=3)
    assert ["it does not run: auto-restart", " started anew 12 times; `agentsight-rx service logs` says why"] == lines


def test_one_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = shown(monkeypatch, "LoadState=not-found\nActiveState=inactive\n", status=3)
    assert line.startswith("it is not installed; ")


def test_the_journal_is_shown_in_our_place(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    def execvp(_: str, words: list[str]) -> NoReturn:
        started.append(words)
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "execvp", execvp)
    for words in ([], ["-f", "-n", "7"], ["--json"]):
        with pytest.raises(CaptureError, match="journalctl cannot be run: No such file"):
            ran("service", "logs", *words)
    unit = ["journalctl", "--unit", "agentsight-rx.service", "--lines"]
    in_json = [*unit, "100", "--no-pager", "--output", "json"]
    assert [[*unit, "100", "--no-pager"], [*unit, "7", "--no-pager", "--follow"], in_json] == started
