"""A thread that opens something, before others of a busy machine."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress

__all__ = ["hurried"]

_NICE = -15  # nearly thirty times the weight of a usual thread (sched(7))


@contextmanager
def hurried() -> Generator[None]:
    """
    The calling thread, and what it starts meanwhile, runs before others of the machine, where it may. So no command of the user
    is started in it.
    """
    before = os.getpriority(os.PRIO_PROCESS, 0)  # of this thread alone, on Linux
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, min(before, _NICE))
    try:
        yield
    finally:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, before)
