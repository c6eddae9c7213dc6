"""
FILE -> the checks of this guest, one after the other; FILE, a serial port, gets a line for each result at once.

    python -m tests.kernels.guest FILE

Each check runs in a process of its own, which is killed with all that it started when its time is over.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tests.kernels.checks import Check, checks_for
from tests.kernels.facts import facts
from tests.kernels.results import End, Head, Line, Outcome, Verdict, encoded
from tests.kernels.statuses import VERDICTS

__all__ = ["main"]

_MORE_MOST = 3000  # bytes of output that are passed on where a check fails


def main(arguments: Sequence[str]) -> int:
    (path,) = arguments
    out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOCTTY)
    if os.isatty(out):
        tty.setraw(out, termios.TCSANOW)
    begin = time.monotonic()
    said = _said_to_kernel()
    expected: Literal["works", "refused"] = "refused" if said.get("kernels_expected") == "refused" else "works"
    chosen = tuple(filter(None, said.get("kernels_checks", "").split(",")))
    _write(out, Head(said.get("kernels_name", "here"), expected, facts(), chosen))
    for check in checks_for(expected, chosen):
        _write(out, _done(check))
    _write(out, End(time.monotonic() - begin))
    if os.isatty(out):
        termios.tcdrain(out)
    return 0


def _said_to_kernel() -> dict[str, str]:
    words = Path("/proc/cmdline").read_text().split()
    return dict(word.split("=", 1) for word in words if "=" in word)


def _write(out: int, line: Line) -> None:
    left = encoded(line)
    while left:
        left = left[os.write(out, left) :]


def _done(check: Check) -> Outcome:
    begin = time.monotonic()
    command = [sys.executable, "-m", "tests.kernels.doing", check.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True) as process:
        try:
            printed, _ = process.communicate(timeout=check.deadline_s)
            verdict: Verdict = VERDICTS.get(process.returncode, "fails")
        except subprocess.TimeoutExpired:
            _end(process)
            printed, _ = process.communicate()
            printed += f"\nit did not end within {check.deadline_s:.0f} s".encode()
            verdict = "fails"
    text = printed.decode(errors="replace").strip()
    last = text.splitlines()[-1] if text else f"exit status {process.returncode}"
    more = text[-_MORE_MOST:] if verdict == "fails" else ""
    return Outcome(check.name, verdict, last[:400], round(time.monotonic() - begin, 1), more)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it and its descendants, which may have sessions of their own."""
    ours = {os.getpid(), *_ancestors(os.getpid())}
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        if pid not in ours and process.pid in _ancestors(pid) | {pid}:
            os.kill(pid, signal.SIGKILL)


def _ancestors(pid: int) -> set[int]:
    found: set[int] = set()
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            break
        found.add(pid)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
