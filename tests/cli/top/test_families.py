"""Families of agents in /proc, read from a directory that is as /proc is."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agentsight_rx.cli.top.families import Families
from tests.fake_proc import FakeProc


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path / "proc")


def test_an_agent_has_its_descendants(proc: FakeProc) -> None:
    proc.put(1, "/sbin/init")
    proc.put(100, "claude", "-p", "fix", rss_mb=200, start_s=90)
    proc.put(101, "sh", "-c", "pytest", ppid=100, rss_mb=4)
    proc.put(102, "pytest", ppid=101, rss_mb=50)
    proc.put(200, "vim", "notes")
    (found,) = Families(proc.path).look()
    assert (found.pid, found.agent, found.argv, found.cwd) == (100, "claude", ("claude", "-p", "fix"), "/home/ada/code")
    assert (found.processes, found.rss_mb, found.commands) == (3, 254, {"sh": 1, "pytest": 1})
    assert found.start_ms == (proc.booted_s + 90) * 1000


def test_processor_use_is_that_of_the_family_since_the_look_before(proc: FakeProc, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1_000_000_000, 3_000_000_000])
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(times))
    families = Families(proc.path)
    proc.put(100, "claude", cpu_s=5)
    assert [each.cpu_percent for each in families.look()] == [None]
    proc.put(100, "claude", cpu_s=5.5)
    proc.put(101, "sh", ppid=100, cpu_s=0.5)
    assert [each.cpu_percent for each in families.look()] == [50.0]


def test_a_pid_that_is_used_again_is_another_process(proc: FakeProc) -> None:
    families = Families(proc.path)
    proc.put(100, "claude", cpu_s=100)
    families.look()
    proc.put(100, "codex", cpu_s=1, start_s=3000)
    assert [(each.agent, each.cpu_percent) for each in families.look()] == [("codex", None)]


def test_an_agent_that_an_agent_started_is_part_of_it(proc: FakeProc) -> None:
    proc.put(100, "node", "/opt/npm/bin/codex", "exec")
    proc.put(101, "codex", ppid=100, files=("/home/ada/.codex/sessions/2026/rollout-1.jsonl", "/dev/null"))
    (found,) = Families(proc.path).look()
    assert (found.pid, found.processes, found.open_files) == (100, 2, ("/home/ada/.codex/sessions/2026/rollout-1.jsonl",))


def test_zombies_and_broken_entries_are_none(proc: FakeProc) -> None:
    proc.put(100, "claude", state="Z")
    (proc.path / "101").mkdir()
    proc.put(102, "claude", comm="a) b (c")
    (proc.path / "102" / "cwd").unlink()
    assert [(each.pid, each.comm, each.cwd) for each in Families(proc.path).look()] == [(102, "a) b (c", "")]


def test_a_directory_that_is_no_proc_has_none(tmp_path: Path) -> None:
    assert Families(tmp_path / "none").look() == []


def test_processes_that_name_each_other_as_parents_end(proc: FakeProc) -> None:
    """As it may be where pids are used again while they are read."""
    proc.put(100, "sh", ppid=101)
    proc.put(101, "claude", ppid=100)
    assert [(each.pid, each.processes) for each in Families(proc.path).look()] == [(101, 2)]
