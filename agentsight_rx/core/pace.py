"""How event time advances: in steps of 100 ms, or 20 for operators of RxPY, and in coarser ones the longer nothing happened."""

from __future__ import annotations

import time

__all__ = ["FINE_NS", "LATE_NS", "SLACK_NS", "STEP_NS", "next_step", "until_multiple_of"]

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
