"""GATE -> 101 processes of every kind; prints a JSON line for each: [pid, wait status, argv or null]."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.live.gate import wait_for

RUNS = 20


def main() -> None:
    gate = Path(sys.argv[1])
    wait_for(gate)
    for number in range(RUNS):
        report(*spawned(["/bin/sh", "-c", f"exit {number}"]))
        report(*spawned(["/bin/true", "", "two words", f"{number}é"]))
        report(*spawned(["/bin/sh", "-c", "kill -9 $$"]))
        report(*forked(lambda number=number: os._exit(number)))  # type: ignore[misc]
        report(*forked(lambda: os.kill(os.getpid(), signal.SIGTERM)))
    report(*spawned(["/bin/true", "x" * 3000]))


def spawned(argv: list[str]) -> tuple[int, int, list[str]]:
    pid = os.posix_spawn(argv[0], argv, {"PATH": os.defpath})
    return pid, os.waitpid(pid, 0)[1], argv


def forked(inside: Callable[[], object]) -> tuple[int, int, None]:
    pid = os.fork()
    if pid == 0:
        inside()
        time.sleep(60)
    return pid, os.waitpid(pid, 0)[1], None


def report(pid: int, status: int, argv: list[str] | None) -> None:
    print(json.dumps([pid, status, argv]), flush=True)


if __name__ == "__main__":
    main()
