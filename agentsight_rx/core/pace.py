"""How event time advances: in steps of 20 ms, and in coarser ones the longer nothing happened."""

from __future__ import annotations

__all__ = ["LATE_NS", "RELEASE_NS", "SLACK_NS", "STEP_NS", "next_step"]

STEP_NS = 20_000_000  # the finest time that operators see
SLACK_NS = 100_000_000  # how far idle time stays behind the clock: readers gather records for so long at most
LATE_NS = SLACK_NS + STEP_NS  # how late an event may be to be ordered among others
RELEASE_NS = 100_000_000  # from one release of ordered events to the next

# (age of the newest event, step): so that a gap of hours, or a recording with a wrong time in it, costs thousands of ticks and
# not billions
_PACE = ((10**9, STEP_NS), (10**12, 10**9), (86_400 * 10**9, 60 * 10**9))
_DAY_NS = 86_400 * 10**9


def next_step(now_ns: int, newest_ns: int, /) -> int:
    """The step after the one at `now_ns`, where the newest event is of `newest_ns`."""
    age_ns = now_ns - newest_ns
    step_ns = next((step_ns for limit_ns, step_ns in _PACE if age_ns < limit_ns), _DAY_NS)
    return (now_ns // step_ns + 1) * step_ns
