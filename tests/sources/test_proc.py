"""Whether a process runs, as /proc says it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentsight_rx.sources import proc
from agentsight_rx.sources.proc import is_alive, is_copy, process_now, read_stat


def test_a_process_is_alive_until_it_ends_and_not_until_it_is_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert is_alive(os.getpid())
        assert is_alive(process.pid)
        assert process.stdin is not None
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(process.pid), "it has ended, and is still in /proc"
    assert not is_alive(process.pid)


@pytest.mark.parametrize(
    ("threads", "runs"),
    [
        ({7: ("R", 0x400000)}, True),
        ({7: ("R", 0x400004)}, False),  # PF_EXITING: the tracepoint of its end may be behind it
        ({7: ("Z", 0x40000C), 8: ("S", 0x400040)}, True),  # its first thread ended, another one runs
        ({7: ("Z", 0x40000C), 8: ("R", 0x400044)}, False),
        ({}, False),
    ],
)
def test_a_thread_that_is_about_to_end_runs_no_more(
    threads: dict[int, tuple[str, int]], runs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proc, "_PROC", tmp_path)
    for number, (state, flags) in threads.items():
        place = tmp_path / "7" / "task" / str(number)
        place.mkdir(parents=True)
        (place / "stat").write_text(f"{number} (a) b) {state} 1 7 7 0 -1 {flags} 0 0 0\n")
    assert is_alive(7) is runs


def test_a_name_may_contain_what_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc, "_PROC", tmp_path)
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text("7 (a) R (b)) S 1 7 9 0\n")
    assert read_stat(7) == ("a) R (b)", ["S", "1", "7", "9", "0"])
    assert process_now("7") == (7, "a) R (b)", 1, 9)
    assert read_stat(8) is None
    assert process_now("8") is None


def test_a_copy_of_this_program_is_its_child_until_it_runs_another() -> None:
    ready, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go)
        os.read(ready, 1)
        os.execv("/bin/sleep", ["sleep", "60"])
    try:
        assert is_copy(pid)
        assert not is_copy(os.getpid())
        os.close(go)
        while is_copy(pid):
            time.sleep(0.01)
        assert is_alive(pid)
    finally:
        os.close(ready)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert not is_copy(pid)
