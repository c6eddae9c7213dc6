"""Whether a process runs, as /proc says it."""

from __future__ import annotations

import os
import subprocess
import sys

from agentsight_rx.sources.target import is_alive


def test_a_process_is_alive_until_it_ends_and_not_until_it_is_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert is_alive(os.getpid())
        assert is_alive(process.pid)
        assert process.stdin is not None
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(process.pid), "it has ended, and is still in /proc"
    assert not is_alive(process.pid)
