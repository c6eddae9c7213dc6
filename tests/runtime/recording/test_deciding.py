"""What is known of alerts beside their recordings: seen ones, the rules of now, and whether an agent stands still."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from agentsight_rx.errors import UnwritableError
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.runtime.recording import deciding
from agentsight_rx.runtime.recording.deciding import Deciding, has_begun_before, is_halted
from agentsight_rx.runtime.recording.guard_file import guard_rules
from agentsight_rx.runtime.recording.seen_file import SeenFile
from agentsight_rx.view import AlertRow
from agentsight_rx.view.queries.decided import state_of

ROW = AlertRow("alert-1", 1, "new-host", "warn", "curl spoke to a", "a", number=1, host="paste.example", session_id="s")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_a_seen_alert_and_one_that_is_not_any_more(tmp_path: Path) -> None:
    known = Deciding(SeenFile(tmp_path / "seen.jsonl"))
    assert "new" == state_of(ROW, known.now())
    known.mark([ROW], seen=True)
    assert "seen" == state_of(ROW, known.now())
    assert "" == known.now().refusal
    known.mark([ROW], seen=False)
    assert "new" == state_of(ROW, known.now())


def test_without_a_file_nothing_is_kept() -> None:
    known = Deciding()
    assert "this page stores nothing" == known.now().refusal
    with pytest.raises(UnwritableError):
        known.mark([ROW], seen=True)


def test_the_rules_are_read_again_where_they_have_changed(tmp_path: Path) -> None:
    place = tmp_path / "guard.toml"
    known = Deciding(rules=lambda: guard_rules(own=place), place=place)
    assert ("new", "") == (state_of(ROW, known.now()), known.now().wrong)
    place.write_text('[rule.new-host]\nallow.append = [{ host = "paste.example" }]')
    assert "allowed" == state_of(ROW, known.now())
    place.write_text('[rule.new-host]\nallow.append = [{ hst = "paste.example" }]\n')
    assert "new" == state_of(ROW, known.now())
    assert "hst" in known.now().wrong
    assert built_in_rules() == known.now().rules


def test_an_agent_that_stands_still_is_halted() -> None:
    with subprocess.Popen(["sleep", "600"]) as agent:
        row = replace(ROW, do="stop", agent_pid=agent.pid, timestamp_ms=now_ms())
        decisions = Deciding().now()
        assert (False, True) == (is_halted(row), decisions.running(row))
        agent.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, agent.pid, os.WSTOPPED)
        assert is_halted(row)
        assert "stopped" == state_of(row, decisions)
        assert not is_halted(replace(row, timestamp_ms=now_ms() - 600_000)), "another process had this pid then"
        agent.kill()
    assert not is_halted(row)
    assert not decisions.running(row)
    assert not is_halted(replace(row, agent_pid=None))


def test_a_frozen_group_of_ours_is_halted(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(_: int) -> Path:
        return Path("/none")

    monkeypatch.setattr(deciding, "halted_group", found)
    assert is_halted(replace(ROW, agent_pid=os.getpid(), timestamp_ms=now_ms()))


def test_a_process_is_no_later_one() -> None:
    assert has_begun_before(os.getpid(), now_ms())
    assert not has_begun_before(os.getpid(), now_ms() - 3_600_000_000)
    assert not has_begun_before(4_194_305, now_ms())
