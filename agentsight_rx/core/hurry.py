"""A thread that opens something, before others of a busy machine."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress

__all__ = ["hurried"]


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
