"""An agent without a control group of ours is halted with all that it started, and goes on or ends when a person says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from agentsight_rx.cli.capturing import stopping
from agentsight_rx.cli.capturing.stopping import Stopper, end_halted, go_on
from agentsight_rx.errors import CaptureError
from agentsight_rx.view import AlertRow

ROW = AlertRow("alert-1", 1, "loop", "stop", "claude ran make", "make", number=3, agent="claude")


@pytest.fixture
def agent() -> Generator[subprocess.Popen[str]]:
    """A shell with a child, both of which run."""
    script = "sleep 600 & echo $!; wait"
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True) as running:
        yield running
        with suppress(ProcessLookupError):  # the test may have ended all of it
            os.killpg(running.pid, signal.SIGKILL)


def child_of(agent: subprocess.Popen[str]) -> int:
    assert agent.stdout is not None
    return int(agent.stdout.readline())


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def halted(agent: subprocess.Popen[str]) -> list[str]:
    """Halt it; what was said."""
    said: list[str] = []
    Stopper(None, said.append)(replace(ROW, agent_pid=agent.pid))
    return said


def until_state(pid: int, states: str) -> None:
    while state_of(pid) not in states:
        os.sched_yield()


def test_all_of_it_stands_still_until_it_goes_on(agent: subprocess.Popen[str]) -> None:
    child = child_of(agent)
    first, second = halted(agent)
    assert first.endswith("claude ran make (loop, a3)")
    assert second.startswith(f"  stopped: claude {agent.pid} and 1 process are halted, nothing was ended · ")
    assert second.endswith(f"guard continue {agent.pid} · agentsight-rx guard end {agent.pid}")
    for pid in (agent.pid, child):
        until_state(pid, "T")
    assert 2 == go_on(agent.pid)
    for pid in (agent.pid, child):
        until_state(pid, "SR")


def test_it_ends_when_it_shall(agent: subprocess.Popen[str]) -> None:
    child_of(agent)
    halted(agent)
    assert 2 == end_halted(agent.pid)
    assert -signal.SIGTERM == agent.wait(60)


def test_it_goes_on_where_we_are_gone(agent: subprocess.Popen[str]) -> None:
    child = child_of(agent)
    program = f"""
        from agentsight_rx.cli.capturing.stopping import Stopper
        from agentsight_rx.view import AlertRow
        Stopper()(AlertRow("alert-1", 1, "loop", "stop", "claude ran make", "make", agent_pid={agent.pid}))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert "stopped: the agent" in done.stderr
    for pid in (agent.pid, child):
        until_state(pid, "SR")


def test_what_cannot_be_stopped_is_named() -> None:
    said: list[str] = []
    stop = Stopper(Path("/none"), said.append)
    stop(ROW)
    stop(replace(ROW, agent_pid=2**22 + 1))
    assert said == [
        "  it is not stopped: the process of claude is not known",
        f"  it is not stopped: claude {2**22 + 1} has ended, or the kernel refused",
    ]
    for act in (go_on, end_halted):
        with pytest.raises(CaptureError, match="there is no process"):
            act(2**22 + 1)


@pytest.mark.needs("root")
def test_another_user_is_refused(agent: subprocess.Popen[str]) -> None:
    child_of(agent)
    program = f"import os; os.setuid(65534)\nfrom agentsight_rx.cli.capturing.stopping import go_on\ngo_on({agent.pid})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd="/")
    assert "is of another user: run it as the user that records, or as root" in done.stderr or "ModuleNotFound" in done.stderr


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent: subprocess.Popen[str]) -> Path:
    """A folder with the files of a control group, in which the agent is."""
    for name, text in (("cgroup.freeze", "0"), ("cgroup.events", "frozen 1\n"), ("cgroup.procs", f"{agent.pid}\n")):
        (tmp_path / name).write_text(text)

    def found(_: int) -> Path:
        return tmp_path

    monkeypatch.setattr(stopping, "halted_group", found)
    return tmp_path


def test_a_control_group_is_frozen_and_goes_on(group: Path, agent: subprocess.Popen[str]) -> None:
    said: list[str] = []
    Stopper(group, said.append)(replace(ROW, agent_pid=agent.pid))
    assert "1" == (group / "cgroup.freeze").read_text()
    assert said[1].startswith(f"  stopped: claude {agent.pid} is halted")
    assert 1 == go_on(agent.pid)
    assert "0" == (group / "cgroup.freeze").read_text()


def test_a_control_group_is_asked_to_end(group: Path, agent: subprocess.Popen[str]) -> None:
    assert 1 == end_halted(agent.pid)
    assert -signal.SIGTERM == agent.wait(60)


def test_missing_rights_are_named(group: Path, agent: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (group / "cgroup.freeze").unlink()
    (group / "cgroup.freeze").mkdir()
    with pytest.raises(CaptureError, match=r"cgroup.freeze cannot be written: .*; run it as root"):
        go_on(agent.pid)

    def refused(*_: int) -> None:
        raise PermissionError

    with monkeypatch.context() as without:
        without.setattr(os, "kill", refused)
        with pytest.raises(CaptureError, match="is of another user"):
            end_halted(agent.pid)
