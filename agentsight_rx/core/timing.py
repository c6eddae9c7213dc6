"""
What a start does -> its steps, each with its time on the clock and its processor time, for `doctor --timing`.

Steps are always noted, which takes 2 µs each: a start has some twenty of them, and no step begins once the command runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import NamedTuple

__all__ = ["Step", "Steps", "so_far", "step"]

_MOST = 100  # sources of agents that come later are opened during the run


class Step(NamedTuple):
    """
    `begin_ms` counts from the start of the process. Steps of other threads than the main one are `beside` it. The processor
    time is the one of the step's own thread.
    """

    name: str
    begin_ms: float
    took_ms: float
    processor_ms: float
    beside: bool = False


class Steps:
    """In the order in which they ended. Any thread may add one."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        began_s, used_s = _now_s(), time.thread_time()
        try:
            yield
        finally:
            if len(self._steps) < _MOST:
                took_ms = (_now_s() - began_s) * 1000
                processor_ms = (time.thread_time() - used_s) * 1000
                beside = current_thread() is not main_thread()
                begin_ms = (began_s - _BEGUN_S) * 1000
                self._steps.append(Step(name, begin_ms, took_ms=took_ms, processor_ms=processor_ms, beside=beside))

    def so_far(self) -> list[Step]:
        """In the order in which they began, and before them the time until this module was imported."""
        before = Step("Python, and the command line", 0.0, took_ms=_IMPORTED_MS, processor_ms=_IMPORTED_PROCESSOR_MS)
        return [before, *sorted(self._steps, key=lambda each: each.begin_ms)]


def _now_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _read_begin_s() -> float:
    """When this process began, in s since the machine started; the kernel says it to 10 ms."""
    with open("/proc/self/stat", "rb") as file:  # proc(5): field 22, behind a name that may hold blanks
        ticks = int(file.read().rpartition(b")")[2].split()[19])
    return ticks / os.sysconf("SC_CLK_TCK")


_BEGUN_S = _read_begin_s()
_IMPORTED_MS = max(0.0, _now_s() - _BEGUN_S) * 1000
_IMPORTED_PROCESSOR_MS = time.process_time() * 1000
_STEPS = Steps()
step, so_far = _STEPS.step, _STEPS.so_far
