"""What watching costs the watched: ns a system call without a program, watched by one that is not meant, and traced (root)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from agentsight_rx import sources
from agentsight_rx.core.stream import Stream
from agentsight_rx.runtime.run import Run
from agentsight_rx.sources import FileOptions, NetOptions, PlainHttpOptions, StdioOptions, Target

__all__ = ["main"]

_ROUNDS = 7

# Runs in a process of its own: a line of a name and a count in, the fastest of five rounds in ns a call out
_WORKER = """
import os, socket, sys, time
a, b = os.pipe()
zero = os.open("/dev/zero", os.O_RDONLY)
void = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.bind(("127.0.0.1", 0))
with socket.create_server(("127.0.0.1", 0)) as server:
    near = socket.create_connection(server.getsockname())
    far, _ = server.accept()
asked = b"GET /" + b"x" * 46 + b" HTTP/1.1\\r\\n\\r\\n"  # 64 bytes
def ask():
    near.send(asked)
    far.recv(64)
def pipe():
    os.write(b, data)
    os.read(a, 64)
data = b"x" * 64
calls = {
    "getppid": os.getppid,
    "read 64 B of a device": lambda: os.read(zero, 64),
    "write and read 64 B of a pipe": pipe,
    "write and read a GET of TCP": ask,
    "open and close": lambda: os.close(os.open("/etc/hostname", os.O_RDONLY)),
    "connect (UDP)": lambda: void.connect(peer.getsockname()),
}
for line in sys.stdin:
    name, count = line.rsplit(" ", 1)
    call, best = calls[name], 1e9
    for _ in range(5):
        start = time.perf_counter_ns()
        for _ in range(int(count)):
            call()
        best = min(best, (time.perf_counter_ns() - start) / int(count))
    print(best, flush=True)
"""

# (source, call, most ns that tracing may add)
_CASES: list[tuple[str, Callable[[Target], Stream[Any]], str, int]] = [
    ("stdio", lambda target: sources.stdio(StdioOptions(target)), "getppid", 100),
    ("stdio", lambda target: sources.stdio(StdioOptions(target)), "read 64 B of a device", 600),
    ("stdio", lambda target: sources.stdio(StdioOptions(target)), "write and read 64 B of a pipe", 2 * 1200),
    ("plain", lambda target: sources.plain_http(PlainHttpOptions(target)), "getppid", 100),
    ("plain", lambda target: sources.plain_http(PlainHttpOptions(target)), "read 64 B of a device", 600),
    ("plain", lambda target: sources.plain_http(PlainHttpOptions(target)), "write and read 64 B of a pipe", 2 * 1200),
    ("plain", lambda target: sources.plain_http(PlainHttpOptions(target)), "write and read a GET of TCP", 2 * 1800),
    ("files", lambda target: sources.files(FileOptions(target)), "open and close", 6000),
    ("net", lambda target: sources.net(NetOptions(target)), "connect (UDP)", 6000),
]


def main(count: int = 100_000) -> int:
    """Print the table; each figure is the least of seven rounds, the three states taken in turn."""
    print(f"{'source':8}{'call':32}{'bare':>8}{'others':>9}{'ratio':>7}{'traced':>9}{'ratio':>7}{'added':>8}{'most':>7}")
    with _process(["-c", _WORKER]) as worker, _process(["-c", "input()"]) as other:
        for name, source, call, most in _CASES:
            bare: list[float] = []
            others: list[float] = []
            traced: list[float] = []
            for target, into in ((other.pid, others), (worker.pid, traced)):
                bare += [_measure(worker, call, count // _ROUNDS) for _ in range(_ROUNDS)]
                with Run(source(Target(target))):
                    into += [_measure(worker, call, count // _ROUNDS) for _ in range(_ROUNDS)]
            low, there, on = min(bare), min(others), min(traced)
            print(f"{name:8}{call:32}{low:8.0f}{there:9.0f}{there / low:7.2f}{on:9.0f}{on / low:7.2f}{on - low:8.0f}{most:7}")
    return 0


@contextmanager
def _process(words: list[str]) -> Generator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _measure(worker: subprocess.Popen[str], call: str, count: int) -> float:
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(f"{call} {count}\n")
    worker.stdin.flush()
    return float(worker.stdout.readline())


if __name__ == "__main__":
    sys.exit(main())
