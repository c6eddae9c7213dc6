"""A small program of our own, captured for real."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentsight_rx.doctor import Outcome, can_record, trial, try_sources
from agentsight_rx.errors import Unavailable
from agentsight_rx.sources.tls.source import TlsReader
from agentsight_rx.view.reasons import SOURCES

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="loading BPF programs needs root")]


def test_every_source_sees_what_the_program_does() -> None:
    assert try_sources() == [Outcome(name, opened=True, seen=True) for name in SOURCES]


def test_a_source_that_cannot_be_opened_is_named_and_the_others_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TlsReader, "open", _refused)
    found = {each.source: each for each in try_sources()}
    assert found.pop("tls") == Outcome("tls", opened=False, seen=False, why="the kernel takes no probe: a reason")
    assert all(each.seen for each in found.values())
    assert can_record(list(found.values()))


def test_what_is_seen_is_told_from_what_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a program that does nothing only its processor time is seen."""
    idle = tmp_path / "idle.py"
    idle.write_text("import sys\nsys.stdin.readline()\n")
    monkeypatch.setattr(trial, "_PROGRAM", idle)
    found = try_sources()
    assert all(each.opened for each in found)
    assert {each.source for each in found if each.seen} <= {"system"}


def _refused(_: TlsReader) -> None:
    raise Unavailable("the kernel takes no probe: a reason")
