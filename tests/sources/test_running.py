"""Processes that ran already."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from subprocess import PIPE

from agentsight_rx.sources.running import running

WORDS = ["/bin/cat", "-", "", "a b"]


def test_a_process_is_as_it_was_started(tmp_path: Path) -> None:
    with subprocess.Popen(WORDS, cwd=tmp_path, stdin=PIPE, stdout=PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"up\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"up\n"  # Popen returns a moment before the kernel has the arguments
        (seen,) = running([child.pid])
        child.stdin.close()
    assert (seen.origin.pid, seen.ppid, seen.origin.uid, seen.origin.comm) == (child.pid, os.getpid(), os.getuid(), "cat")
    assert (seen.argv, seen.filename, seen.cwd) == (tuple(WORDS), os.path.realpath("/bin/cat"), str(tmp_path))
    assert seen.origin.time_ns > seen.start_ns > 0


def test_a_process_that_is_gone_is_left_out() -> None:
    with subprocess.Popen(["/bin/true"]) as child:
        pass
    assert running([child.pid]) == []


def test_parents_come_before_their_children() -> None:
    pid, parent = os.getpid(), os.getppid()
    assert [seen.origin.pid for seen in running([pid, parent])] == [parent, pid]
