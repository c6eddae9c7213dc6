"""Bytes that an engine has taken -> when the memory of a burst of them is given back to the kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import suppress

__all__ = ["Spare", "given_back"]

_BURST = 32 << 20  # bytes of content
_LARGE = 64 << 10  # a batch of less is no part of a burst
_QUIET_S = (1.0, 4.0, 16.0)  # behind a burst: writers of sinks may have some of it for a while


def given_back() -> None:
    """Give free memory back to the kernel, as far as the C library can."""
    with suppress(AttributeError):  # glibc has it
        ctypes.CDLL(None).malloc_trim(0)


class Spare:
    """
    The C library keeps what is freed, so a burst of content would cost its memory until the end of the run. It is given back
    once no more of it has come for a second, and twice later.
    """

    def __init__(self, give_back: Callable[[], None] = given_back) -> None:
        self._give_back = give_back
        self._taken = 0  # bytes, since it was given back
        self._newest_s = 0.0
        self._waits: tuple[float, ...] = ()

    def took(self, size: int, now_s: float) -> None:
        """A batch of so many bytes."""
        if size >= _LARGE:
            self._taken += size
            self._newest_s = now_s
            if self._taken >= _BURST:
                self._taken, self._waits = 0, _QUIET_S

    def look(self, now_s: float) -> None:
        if self._waits and now_s - self._newest_s >= self._waits[0]:
            self._waits = self._waits[1:]
            self._give_back()
