"""The clock of ages: what was set wrong for hours makes nothing old, a suspension and a clock that stays do."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.sinks.web import AgeClock

MINUTE, HOUR, DAY, YEAR = 60_000, 3_600_000, 86_400_000, 31_536_000_000
BOOT = 1_700_000_000_000


class Times:
    """The time of day, and a clock that no one sets."""

    def __init__(self) -> None:
        self.real_ms, self.set_ms = 0, BOOT
        self.clock = AgeClock(lambda: self.real_ms + self.set_ms, lambda: self.real_ms)

    def after(self, passed_ms: int) -> int:
        """What the clock of ages says, which is asked each minute."""
        for _ in range(passed_ms // MINUTE):
            self.real_ms += MINUTE
            self.clock.now_ms()
        return self.clock.now_ms()


@given(st.lists(st.tuples(st.integers(-10 * YEAR, 10 * YEAR), st.integers(0, 600)), max_size=6))
def test_jumps_of_less_than_a_day_make_nothing_older_than_it_is(jumps: list[tuple[int, int]]) -> None:
    times = Times()
    for jump_ms, minutes in jumps:
        times.set_ms = BOOT + jump_ms
        times.after(minutes * MINUTE)
        times.set_ms = BOOT
        assert times.after(MINUTE) <= BOOT + times.real_ms + MINUTE


@given(st.integers(-10 * YEAR, 10 * YEAR))
def test_a_clock_that_stays_is_followed_a_day_later(jump_ms: int) -> None:
    times = Times()
    times.set_ms += jump_ms
    assert times.after(DAY + MINUTE) == times.real_ms + BOOT + jump_ms


@given(st.integers(0, YEAR))
def test_a_suspension_is_real_time(suspended_ms: int) -> None:
    """Both clocks go on meanwhile, and nothing is asked."""
    times = Times()
    times.real_ms += suspended_ms
    assert times.clock.now_ms() == BOOT + suspended_ms


def test_a_clock_that_is_hastened_is_followed() -> None:
    times = Times()
    for _ in range(1000):
        times.set_ms += 30  # 500 millionths of a minute
        times.after(MINUTE)
    assert times.clock.now_ms() == times.real_ms + times.set_ms


def test_the_clocks_of_this_machine_agree() -> None:
    assert abs(AgeClock().now_ms() - time.time() * 1000) < MINUTE
