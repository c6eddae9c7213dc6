"""
What a capture with all its sources costs system calls of a program that it does not watch, and of one that it does (root).

A call is measured in units of an empty call of the same program in the same second, since machines change their speed by the
minute. Python's own part of a call is taken out.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import reactivex as rx

from agentsight_rx import sources
from agentsight_rx.runtime.run import Run
from agentsight_rx.sources import (
    FileOptions,
    NetOptions,
    PlainHttpOptions,
    ProcessOptions,
    ReadlineOptions,
    StdioOptions,
    Target,
    TlsOptions,
)
from benchmarks.figures import Figure, Size

__all__ = ["figures"]

_CALLS = 20_000
_GETPPID, _READ, _WRITE, _OWN_FILE = "getppid", "read of a device", "write to a device", "write to a file of its own"
# (call, most times of what it takes without a capture): not watched, and watched
_NOT_WATCHED: dict[str, float | None] = {_WRITE: 1.5, _READ: 1.5, _GETPPID: None}
_WATCHED: dict[str, float | None] = {_OWN_FILE: 1.8, _READ: None, _GETPPID: None}

# Runs in a process of its own: a line of a count and a name in, ns of the call and of an empty one out
_WORKER = """
import os, sys, tempfile, time
zero, null = os.open("/dev/zero", os.O_RDONLY), os.open("/dev/null", os.O_WRONLY)
own = tempfile.TemporaryFile(dir="/dev/shm", buffering=0)
calls = {
    "getppid": os.getppid,
    "read of a device": lambda: os.read(zero, 1),
    "write to a device": lambda: os.write(null, b"x"),
    "write to a file of its own": lambda: os.pwrite(own.fileno(), b"x", 0),
}
def empty():
    pass
def took(call, count):
    start = time.perf_counter_ns()
    for _ in range(count):
        call()
    return (time.perf_counter_ns() - start) / count
for line in sys.stdin:
    count, name = line.rstrip().split(" ", 1)
    parts, bare = [], []
    for _ in range(20):
        bare.append(took(empty, int(count) // 20 + 1))
        parts.append(took(calls[name], int(count) // 20 + 1))
    print(min(parts), min(bare), flush=True)
"""


def figures(size: Size) -> Iterator[Figure]:
    with _worker() as ask, _worker() as other:
        count = size.many(_CALLS, 100)
        bare = {name: min(ask(name, count) for _ in range(size.runs)) for name in _NOT_WATCHED | _WATCHED}
        for whose, pid, chosen in (("not watched", other.pid, _NOT_WATCHED), ("watched", ask.pid, _WATCHED)):
            with Run(_all(Target(pid))):
                beside = {name: min(ask(name, count) for _ in range(size.runs)) for name in chosen}
            for name, most in chosen.items():
                yield Figure(
                    group="calls",
                    name=f"{name}, by a program that is {whose}, to the same without a capture",
                    value=beside[name] / bare[name],
                    target=most,
                    note=f"{bare[name]:.1f} and {beside[name]:.1f} empty calls",
                )


def _all(target: Target) -> Any:
    return rx.merge(
        sources.process(ProcessOptions(target)),
        sources.files(FileOptions(target)),
        sources.net(NetOptions(target)),
        sources.stdio(StdioOptions(target)),
        sources.plain_http(PlainHttpOptions(target)),
        sources.readline(ReadlineOptions(target)),
        sources.tls(TlsOptions(target)),
    )


class _Worker:
    """A process that makes system calls when it is asked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def __call__(self, name: str, count: int) -> float:
        """What the call takes, less an empty one, in units of an empty one."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{count} {name}\n")
        self._process.stdin.flush()
        took, empty = map(float, self._process.stdout.readline().split())
        return (took - empty) / empty


@contextmanager
def _worker() -> Generator[_Worker]:
    words = [sys.executable, "-I", "-c", _WORKER]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _Worker(process)
        finally:
            process.kill()
