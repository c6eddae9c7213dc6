"""The time of day -> the time that ages are counted by: a clock that was set wrong for a while makes nothing old."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..events import milliseconds

__all__ = ["AgeClock"]

_SLACK_MS = 60_000  # from one look to the next a clock moves ahead so far without a jump
_BELIEVED_MS = 86_400_000  # a clock that was set ahead is right if it is still so a day later


def _day_ms() -> int:
    return milliseconds(time.time_ns())


def _real_ms() -> int:
    """Of a clock that goes on while the machine is suspended, and that no one can set (clock_gettime(2))."""
    return milliseconds(time.clock_gettime_ns(time.CLOCK_BOOTTIME))


class AgeClock:
    """
    Unix time, ms, as the time of day has it. A jump ahead is followed a day later: the hours of a suspension are real and are
    no jump, but a clock that is set years ahead would have all stored data removed. A jump back is followed at once.
    """

    def __init__(self, day_ms: Callable[[], int] = _day_ms, real_ms: Callable[[], int] = _real_ms) -> None:
        self._day_ms = day_ms
        self._real_ms = real_ms
        self._offset_ms = day_ms() - real_ms()
        self._ahead: tuple[int, int] | None = None  # the offset of a clock that jumped, and since when

    def now_ms(self) -> int:
        real_ms = self._real_ms()
        offset_ms = self._day_ms() - real_ms
        if offset_ms <= self._offset_ms + _SLACK_MS:
            self._follow(offset_ms)
        elif self._ahead is None or abs(offset_ms - self._ahead[0]) > _SLACK_MS:
            self._ahead = offset_ms, real_ms
        elif real_ms - self._ahead[1] >= _BELIEVED_MS:
            self._follow(offset_ms)
        return real_ms + self._offset_ms

    def _follow(self, offset_ms: int) -> None:
        self._offset_ms, self._ahead = offset_ms, None
