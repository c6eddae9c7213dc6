"""Which agents run: added, ended, and all dropped at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator

import pytest

from agentsight_rx.sources.running_agents.choice import Roots


@pytest.fixture
def sleeper() -> Generator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def ended(process: subprocess.Popen[bytes]) -> int:
    """Its pid, once it has ended; its parent has not waited for it."""
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return process.pid


def test_a_process_is_a_root_until_it_ends(sleeper: subprocess.Popen[bytes]) -> None:
    roots = Roots()
    assert roots.add(sleeper.pid)
    assert not roots.add(sleeper.pid), "it is there"
    assert [] == roots.drop_ended()
    assert (1, frozenset({sleeper.pid}), 0.0) == (len(roots), roots.pids, roots.empty_s)
    assert [ended(sleeper)] == roots.drop_ended()
    assert (0, frozenset()) == (len(roots), roots.pids)
    assert [] == roots.drop_ended()


def test_a_process_that_is_gone_is_none(sleeper: subprocess.Popen[bytes]) -> None:
    pid = ended(sleeper)
    sleeper.wait()
    roots = Roots()
    assert not roots.add(pid)
    assert 0 == roots.version


def closed() -> None:
    """A listener of a source that was closed meanwhile."""
    raise ValueError("closed")


def test_sources_are_called_when_one_comes_and_when_no_other_does(sleeper: subprocess.Popen[bytes]) -> None:
    roots, calls = Roots(), list[tuple[int, bool]]()
    roots.listen(lambda: calls.append((roots.version, roots.over)))
    roots.listen(closed)
    roots.add(os.getpid())
    roots.add(sleeper.pid)
    roots.add(sleeper.pid)
    assert [(1, False), (2, False)] == calls
    roots.finish()
    assert (2, True) == calls[-1]
    assert 0 == len(roots)


def test_all_of_them_dropped_are_not_lingered_for(sleeper: subprocess.Popen[bytes]) -> None:
    roots = Roots()
    roots.add(sleeper.pid)
    roots.add(os.getpid())
    assert 2 == roots.clear()
    assert float("inf") == roots.empty_s
    assert roots.add(sleeper.pid), "it may come again"
    assert 0.0 == roots.empty_s


def test_no_descriptor_is_left(sleeper: subprocess.Popen[bytes]) -> None:
    def descriptors() -> list[str]:
        return sorted(os.listdir("/proc/self/fd"))

    roots, before = Roots(), descriptors()
    for _ in range(3):
        roots.add(os.getpid())
        roots.clear()
    roots.add(sleeper.pid)
    ended(sleeper)
    roots.drop_ended()
    assert before == descriptors()


def test_of_whom_the_start_was_emitted_and_what_comes_next(sleeper: subprocess.Popen[bytes]) -> None:
    roots = Roots()
    roots.add(sleeper.pid, started=True)
    roots.add(os.getpid())
    assert [True, False] == [roots.has_started(pid) for pid in (sleeper.pid, os.getpid())]
    assert not roots.is_followed(sleeper.pid)
    roots.follow()
    assert roots.is_followed(sleeper.pid)
    roots.clear()
    assert not roots.is_followed(sleeper.pid)
    assert not roots.has_started(sleeper.pid)
    assert "Roots()" == repr(roots)
