"""GATE -> 10 processes that fork 200 more each, 50 at once from 4 threads, half of them programs; prints every pid once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import Thread

from tests.live.gate import wait_for

PROCESSES, THREADS, EACH = 10, 4, 50


def main() -> None:
    gate = Path(sys.argv[1])
    wait_for(gate)
    children = [os.fork() or burst() for _ in range(PROCESSES)]
    for child in children:
        os.waitpid(child, 0)
        os.write(1, f"{child}\n".encode())  # one write for the whole line: `print` may write its end separately


def burst() -> int:
    threads = [Thread(target=some) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os._exit(0)


def some() -> None:
    started = [os.posix_spawn("/bin/true", ["/bin/true", str(number)], {}) for number in range(EACH)]
    for pid in started:
        os.waitpid(pid, 0)
    os.write(1, "".join(f"{pid}\n" for pid in started).encode())


if __name__ == "__main__":
    main()
