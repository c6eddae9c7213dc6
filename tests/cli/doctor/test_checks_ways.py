"""Each way to see what agents do: works, or why not and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.cli.doctor import Check, Outcome, can_record_at_all, ways
from agentsight_rx.cli.doctor import ways as module
from tests.sources.session_files.test_source import NAME, write
from tests.view.transcripts.samples import CLAUDE

FINE = Check("BPF programs", True, "the kernel takes a program")
REFUSED = Check("BPF programs", False, "the kernel refuses it", "no capture", "start it as root")
TLS = Outcome("tls", True, True)


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    import sys

    monkeypatch.setattr(sys.modules["agentsight_rx.cli.doctor.checks"], "why_not", lambda: str(request.param))
    assert module is ways


@pytest.mark.parametrize("hooks", [""], indirect=True)
@pytest.mark.usefixtures("hooks")
def test_where_both_work_both_are_said_to() -> None:
    found = ways([FINE], [TLS])
    assert ["the kernel", "breakpoints", "recordings", "session files"] == [each.name for each in found if each.ok]
    assert can_record_at_all(found)


@pytest.mark.parametrize("hooks", [""], indirect=True)
@pytest.mark.usefixtures("hooks")
def test_what_the_kernel_lacks_is_named_with_what_to_do() -> None:
    kernel, hooks, *_ = ways([REFUSED], [])
    assert (False, "BPF programs: the kernel refuses it", "start it as root") == (kernel.ok, kernel.seen, kernel.remedy)
    assert hooks.ok
    assert can_record_at_all([kernel, hooks])


@pytest.mark.parametrize("hooks", ["only root may trace: sysctl kernel.yama.ptrace_scope=1"], indirect=True)
@pytest.mark.usefixtures("hooks")
def test_where_neither_works_recordings_still_do() -> None:
    found = ways([REFUSED], [])
    assert [False, False, True, True] == [each.ok for each in found]
    assert "sysctl kernel.yama.ptrace_scope=1" == found[1].remedy
    assert not can_record_at_all(found)


@pytest.mark.parametrize("hooks", [""], indirect=True)
@pytest.mark.usefixtures("hooks")
def test_how_long_agents_keep_their_files_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SUDO_USER", raising=False)
    write(tmp_path, NAME, CLAUDE)
    seen = ways([FINE], [TLS])[-1].seen
    assert "import` reads what agents wrote down themselves. Claude Code deletes session files after 30 days" in seen
