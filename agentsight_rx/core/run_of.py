"""The scheduler of a subscription -> the engine of the run that it belongs to."""

from __future__ import annotations

from reactivex import abc
from reactivex.scheduler import VirtualTimeScheduler

from .engine import Engine
from .virtual import engine_on

__all__ = ["engine_of"]


def engine_of(scheduler: abc.SchedulerBase | None, /) -> Engine:
    """Its scheduler, or what runs on that, else the run of this thread, else a private one."""
    if isinstance(scheduler, Engine):
        return scheduler
    return engine_on(scheduler) if isinstance(scheduler, VirtualTimeScheduler) else Engine.current()
