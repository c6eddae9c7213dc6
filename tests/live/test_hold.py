"""The control group of a recorded command: held while a file is searched, let go whatever happens to us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentsight_rx.sources.hold import Group, group, held
from tests.live.capture import until

pytestmark = pytest.mark.live

COUNTS = "import itertools, mmap\nshared = mmap.mmap(-1, 8)\nfor _ in itertools.count(): print(flush=True)"
HOLDS = """
import sys, time
from agentsight_rx.sources.hold import group, held
with group() as own:
    own.add(int(sys.argv[1]))
    with held(str(own.path)):
        print(own.path, flush=True)
        time.sleep(600)
"""


@contextmanager
def counting(path: Path) -> Generator[subprocess.Popen[bytes]]:
    """A process that makes the file longer all the time."""
    with path.open("wb") as out, subprocess.Popen([sys.executable, "-c", COUNTS], stdout=out) as process:
        until(lambda: path.stat().st_size > 0)
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def grouped() -> Generator[Group]:
    with group() as own:
        assert own is not None, "no control groups of version 2 here"
        yield own


def goes_on(path: Path) -> bool:
    before = path.stat().st_size
    until(lambda: path.stat().st_size > before)
    return True


def test_nothing_in_the_group_runs_while_it_is_held(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with counting(out) as process, grouped() as own:
        assert own.add(process.pid)
        assert goes_on(out)
        with held(str(own.path)):
            size = out.stat().st_size
            for _ in range(100):
                time.sleep(0.001)
                assert out.stat().st_size == size
        assert goes_on(out)
        assert process.poll() is None


def test_a_process_is_moved_by_a_thread_and_the_answer_says_whether_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with counting(out) as process, grouped() as own:
        is_in_group, is_refused = own.begin_to_add(process.pid), own.begin_to_add(1 << 30)
        assert is_in_group()
        assert own.path.name in Path(f"/proc/{process.pid}/cgroup").read_text()
        assert not is_refused()


def test_at_the_end_processes_are_back_where_they_were_and_the_group_is_gone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with counting(out) as process:
        before = Path(f"/proc/{process.pid}/cgroup").read_text()
        with grouped() as own:
            own.add(process.pid)
            path = own.path
            assert path.name in Path(f"/proc/{process.pid}/cgroup").read_text()
        assert not path.exists()
        assert before == Path(f"/proc/{process.pid}/cgroup").read_text()
        assert goes_on(out)


def test_what_we_held_goes_on_when_we_are_killed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with counting(out) as process:
        before = Path(f"/proc/{process.pid}/cgroup").read_text()
        holder = subprocess.Popen([sys.executable, "-c", HOLDS, str(process.pid)], stdout=subprocess.PIPE, text=True)
        assert holder.stdout is not None
        path = Path(holder.stdout.readline().strip())
        size = out.stat().st_size
        assert "frozen 1" in (path / "cgroup.events").read_text()
        assert out.stat().st_size == size
        holder.kill()
        holder.wait()
        holder.stdout.close()
        assert goes_on(out)
        until(lambda: not path.exists())
        assert before == Path(f"/proc/{process.pid}/cgroup").read_text()


def test_what_a_recorder_left_that_was_killed_with_its_guard_goes_on_at_the_next_run(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with counting(out) as process:
        before = Path(f"/proc/{process.pid}/cgroup").read_text()
        command = [sys.executable, "-c", HOLDS, str(process.pid)]
        holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert holder.stdout is not None
        path = Path(holder.stdout.readline().strip())
        with grouped():
            assert "frozen 1" in (path / "cgroup.events").read_text()  # its recorder lives
        os.killpg(holder.pid, signal.SIGKILL)  # the guard is in its group
        holder.wait()
        holder.stdout.close()
        assert "frozen 1" in (path / "cgroup.events").read_text()
        with grouped():
            assert not path.exists()
        assert before == Path(f"/proc/{process.pid}/cgroup").read_text()
        assert goes_on(out)


def test_without_a_group_processes_run_on() -> None:
    with held("/nowhere"):
        pass
