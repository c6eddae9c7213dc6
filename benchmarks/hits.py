"""
What a hit of a user probe costs the probed process (root): ns by the probed instruction, and us of a call of TLS by placement.

The first table is of machine code written here, with a program of the kernel that returns at once: a probe on the instruction,
and a return probe of the function that begins with it. The second is of a write and a read of TLS in one process, 200 bytes,
with all that the TLS source does. Times are those of the processor.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from struct import pack
from typing import get_args

from agentsight_rx import sources
from agentsight_rx.runtime.run import Run
from agentsight_rx.sources import Target, TlsOptions
from agentsight_rx.sources.kernel.features import has_uprobe_multi
from agentsight_rx.sources.kernel.probes import Probes, Site
from agentsight_rx.sources.kernel.program import Program
from agentsight_rx.sources.tls.stacks.finding import Placement
from benchmarks.apart import environment
from benchmarks.figures import Figure, Size

__all__ = ["figures", "main"]

_ROUNDS = 7
_CALLS = 5_000  # that are timed at once

# What stands at the probed place of a function, and the function from there on
_FUNCTIONS = {
    "nop": "90 c3",
    "push": "55 5d c3",  # push rbp; pop rbp; ret
    "jump": "eb 00 c3",
    "jump on a condition": "78 00 c3",
    "call": "e8 01 00 00 00 c3 c3",
    "endbr64": "f3 0f 1e fa c3",
    "sub rsp, 8": "48 83 ec 08 48 83 c4 08 c3",
    "mov": "48 89 f8 c3",
    "test": "85 d2 c3",
    "ret": "c3",
}
_LOOP = "53 48 89 fb e8 %s 48 ff cb 75 f6 5b c3"  # push rbx; mov rbx, rdi; 1: call; dec rbx; jnz 1b; pop rbx; ret
_APART = 64  # bytes from one loop to the next; its function is in the middle

# Runs in a process of its own: a line of a place and a count in, the fastest of five rounds in ns out
_CALLER = """
import ctypes, sys, time
libc = ctypes.CDLL(None)
libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
with open(sys.argv[1], "rb") as file:
    code = libc.mmap(None, 4096, 5, 2, file.fileno(), 0)  # PROT_READ | PROT_EXEC, MAP_PRIVATE
for line in sys.stdin:
    place, count = map(int, line.split())
    call, best = ctypes.CFUNCTYPE(None, ctypes.c_long)(code + place), 1e9
    for _ in range(5):
        start = time.thread_time_ns()
        call(count)
        best = min(best, (time.thread_time_ns() - start) / count)
    print(best, flush=True)
"""
_TALKER = """
import sys, time
from %s.tls_worker import in_memory
write, read, *_ = in_memory()
data = b"x" * 200
for line in sys.stdin:
    count, best = int(line), 1e9
    for _ in range(5):
        start = time.thread_time_ns()
        for _ in range(count):
            write(data)
            read(300)
        best = min(best, (time.thread_time_ns() - start) / count)
    print(best, flush=True)
"""


def figures(size: Size) -> Iterator[Figure]:
    count = size.many(_CALLS, 50)
    for name, alone, at_return, both in _by_instruction(count, size.runs):
        note = f"a return probe {at_return:,.0f} ns, both {both:,.0f} ns"
        yield Figure(group="hits", name=f"a probe on {name}", value=alone, unit="ns", note=note)
    bare, placed = _by_placement(count, size.runs)
    for name, took in placed.items():
        yield Figure(
            group="hits",
            name=f"write and read of TLS in memory, probes placed by {name}: slowdown",
            value=took / bare,
            note=f"{(took - bare) / 1e3:.2f} µs added",
        )


def main(count: int = _CALLS) -> int:
    """Print the two tables; `count` calls are timed at once."""
    print(f"{'instruction':22}{'probe':>9}{'return probe':>14}{'both':>9}   ns a hit")
    for name, alone, at_return, both in _by_instruction(count):
        print(f"{name:22}{alone:9.0f}{at_return:14.0f}{both:9.0f}")
    print()
    bare, placed = _by_placement(count)
    print(f"{'write and read of TLS':22}{'us':>9}{'added':>14}{'ratio':>9}")
    print(f"{'without probes':22}{bare / 1e3:9.2f}")
    for name, took in placed.items():
        print(f"{name:22}{took / 1e3:9.2f}{(took - bare) / 1e3:14.2f}{took / bare:9.2f}")
    return 0


def _by_instruction(count: int, rounds: int = _ROUNDS) -> Generator[tuple[str, float, float, float]]:
    code = b"".join(_code(bytes.fromhex(each)) for each in _FUNCTIONS.values())
    program: Program[int] = Program("readline", Target(1), ring_size=1 << 16, decode=lambda view, at, size: None)
    try:
        with tempfile.NamedTemporaryFile() as file, _process(_CALLER, file.name) as ask:
            file.write(code)
            file.flush()
            probes = Probes(program.bpf, multi=has_uprobe_multi())
            for number, name in enumerate(_FUNCTIONS):
                loop = number * _APART
                here, back = (Site("on_leave", loop + _APART // 2, 0, at_return=each) for each in (False, True))
                bare = ask(f"{loop} {count}")
                costs: list[float] = []
                for sites in ([here], [back], [here, back]):
                    attached = probes.attach(file.name, sites)
                    costs.append(min(ask(f"{loop} {count}") for _ in range(rounds)) - bare)
                    attached.close()
                yield name, costs[0], costs[1], costs[2]
    finally:
        program.close()


def _code(function: bytes) -> bytes:
    begin = bytes.fromhex(_LOOP.split("%s")[0])
    loop = begin + pack("<i", _APART // 2 - len(begin) - 4) + bytes.fromhex(_LOOP.split("%s")[1])
    return loop.ljust(_APART // 2, b"\xcc") + function.ljust(_APART // 2, b"\xcc")


def _by_placement(count: int, rounds: int = _ROUNDS) -> tuple[float, dict[Placement, float]]:
    bare: list[float] = []
    placed: dict[Placement, float] = {}
    with _process(_TALKER % __package__) as ask:
        for placement in get_args(Placement):
            bare += [ask(str(count)) for _ in range(rounds)]
            with Run(sources.tls(TlsOptions(Target(ask.pid), placement=placement))):
                placed[placement] = min(ask(str(count)) for _ in range(rounds))
    return min(bare), placed


class _Asked:
    """A process that answers a line with a number."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def __call__(self, line: str) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


@contextmanager
def _process(program: str, *arguments: str) -> Generator[_Asked]:
    words = [sys.executable, "-c", program, *arguments]
    pipes = subprocess.PIPE
    with subprocess.Popen(words, env=environment(), stdin=pipes, stdout=pipes, text=True) as process:
        try:
            yield _Asked(process)
        finally:
            process.kill()


if __name__ == "__main__":
    sys.exit(main())
