"""The sources of a run -> opened, live ones side by side."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from msgspec import Struct

from .errors import Unavailable
from .hub import Hub
from .messages import passing

# -- hurry ---------------------------------------------------------------------------------------------------------
# A thread that opens something, before others of a busy machine.


@contextmanager
def hurried() -> Generator[None]:
    """
    The calling thread runs before others of the machine, where it may (SCHED_RR of sched(7): a nice value counts among the
    programs of one session alone). What it starts does not.
    """
    policy, before = os.sched_getscheduler(0), os.sched_getparam(0)  # of this thread alone, on Linux
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setscheduler(0, policy, before)


# -- pace ----------------------------------------------------------------------------------------------------------
# How event time advances: in steps of 100 ms, or 20 for operators of RxPY, and in coarser ones the longer nothing happened.


STEP_NS = 100_000_000  # the finest time that our operators see: each step costs every one of them a call
FINE_NS = 20_000_000  # the same in a graph that leads to an observer of RxPY, whose operators have timers
SLACK_NS = 100_000_000  # how far idle time stays behind the clock: readers gather records for so long at most
LATE_NS = SLACK_NS + STEP_NS  # how late an event may be to be ordered among others

# (age of the newest event, step): so that a gap of hours, or a recording with a wrong time in it, costs thousands of ticks and
# not billions
_FRESH_NS = 10**9
_PACE = ((10**12, 10**9), (86_400 * 10**9, 60 * 10**9))
_DAY_NS = 86_400 * 10**9


def next_step(now_ns: int, newest_ns: int, step_ns: int, /) -> int:
    """The step after the one at `now_ns`, where the newest event is of `newest_ns`. `step_ns`: the finest one."""
    age_ns = now_ns - newest_ns
    if age_ns >= _FRESH_NS:
        step_ns = next((step_ns for limit_ns, step_ns in _PACE if age_ns < limit_ns), _DAY_NS)
    return (now_ns // step_ns + 1) * step_ns


def until_multiple_of(step_s: float, /) -> float:
    """For how many seconds of the clock to sleep, so that all that wake at multiples of a step wake together."""
    return step_s - time.monotonic() % step_s


# ------------------------------------------------------------------------------------------------------------------------


_LONGER_AFTER_S = 0.25
_QUIET_S = 0.3  # how long sources may take before the person is shown what is waited for


class Patience:
    """
    How long to wait for something that wakes who waits for it: `short` seconds while it comes, `long` ones once it has not come
    for a while, since each look costs 50 µs of a processor.
    """

    def __init__(self, short: float, long: float) -> None:
        self._short = short
        self._long = long
        self._came_s = time.monotonic()

    def seconds(self) -> float:
        return self._short if time.monotonic() - self._came_s < _LONGER_AFTER_S else self._long

    def came(self) -> None:
        self._came_s = time.monotonic()


class Reading(Struct):
    """A source and the thread that reads it."""

    hub: Hub[Any]
    thread: threading.Thread


def open_all(readings: Sequence[Reading], meanwhile: Callable[[], None] = lambda: None) -> list[Reading]:
    """
    Open them, and do something else `meanwhile`. The kernel takes its time for each live one, so every one of these has a
    thread, which may have begun already. On return, also by an exception, none is being opened any more. Returns the sources
    that the machine does not allow (Unavailable). Raises what `meanwhile` raises, else the first other failure, in the order of
    `readings`.
    """
    opening = [(each, each.hub.opener()) for each in readings if each.hub.live]
    try:
        meanwhile()
        for reading in readings:
            if not reading.hub.live:
                reading.hub.open()
        until = min((each.hub.opening_s for each, _ in opening), default=0.0) + _QUIET_S
        for _, thread in opening:
            thread.join(max(0.0, until - time.monotonic()))
        if any(thread.is_alive() for _, thread in opening):
            _show_what_is_waited_for(opening)
    finally:
        for _, thread in opening:
            thread.join()
    failed = [reading for reading in readings if reading.hub.failure is not None]
    for reading in failed:
        if reading.hub.failure is not None and not isinstance(reading.hub.failure, Unavailable):
            raise reading.hub.failure
    return failed


def _show_what_is_waited_for(opening: Sequence[tuple[Reading, threading.Thread]]) -> None:
    """In one line, until none is left. The first capture on a kernel compiles its programs, later ones do not."""
    with passing() as show:
        for _, thread in opening:
            late = [reading.hub.name for reading, other in opening if other.is_alive()]
            if late:
                show(f"preparing: {', '.join(late)} …")
            thread.join()
