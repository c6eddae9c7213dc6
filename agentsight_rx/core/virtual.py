"""
A scheduler of virtual time, such as RxPY's TestScheduler -> the engine of what subscribes with it: its time is the scheduler's.

An engine of its own would pass all events in the moment of the subscription, since it waits for no clock.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, ref

from reactivex import abc, typing
from reactivex.disposable import Disposable, SerialDisposable
from reactivex.scheduler import VirtualTimeScheduler

from .engine import Engine
from .hub import Hub, run_inline

S = TypeVar("S")

_SILENT_MOST_NS = 86_400 * 10**9  # how long a stream that is silent is ticked: a scheduler runs until it has nothing to do


def engine_on(scheduler: VirtualTimeScheduler, /) -> Engine:
    """The one engine of this scheduler, so that branches of a shared stream meet in it."""
    found = _engines.get(scheduler)
    if found is None:
        found = _engines[scheduler] = _VirtualEngine(scheduler)
    return found


class _VirtualEngine(Engine):
    """Timers are the scheduler's. Ticks come before the events of their time, and while none comes, at the usual pace."""

    def __init__(self, scheduler: VirtualTimeScheduler) -> None:
        super().__init__()
        self.doors.anywhere = True  # a virtual scheduler knows no threads
        self.be_fine()
        self._found = ref(scheduler)  # who runs an engine holds its scheduler
        self._waking = SerialDisposable()
        self._wakes_ns: int | None = None  # when the scheduler wakes this engine
        self._reads = False
        self.attached = self._read

    @property
    def _scheduler(self) -> VirtualTimeScheduler:
        scheduler = self._found()
        assert scheduler is not None, "a scheduler lives as long as what subscribed with it"
        return scheduler

    @property
    def now(self) -> datetime:
        return self._scheduler.now

    def schedule(self, action: abc.ScheduledAction[S], state: S | None = None) -> abc.DisposableBase:
        return self._scheduler.schedule(action, state)

    def schedule_relative(
        self, duetime: typing.RelativeTime, action: abc.ScheduledAction[S], state: S | None = None
    ) -> abc.DisposableBase:
        return self._scheduler.schedule_relative(duetime, action, state)

    def schedule_absolute(
        self, duetime: typing.AbsoluteTime, action: abc.ScheduledAction[S], state: S | None = None
    ) -> abc.DisposableBase:
        return self._scheduler.schedule_absolute(duetime, action, state)

    def after_step(self, action: Callable[[], None]) -> None:
        """Time is the time of the event, before the event leads to anything."""
        if not self._stepping:
            self._reach(self._clock_ns())
        super().after_step(action)

    def _clock_ns(self) -> int:
        return round(self.to_seconds(self.now) * 1e6) * 1000  # a scheduler counts microseconds

    def _reach(self, clock_ns: int) -> None:
        self.start(clock_ns)
        self._reach_step_of(clock_ns)
        if clock_ns > self._newest_ns:
            self._see(clock_ns)
        self._wait()

    def _wait(self) -> None:
        """Have the scheduler wake this engine at the next step."""
        due_ns = self._next_ns
        if due_ns is None or due_ns == self._wakes_ns or not self._tickers or due_ns > self._newest_ns + _SILENT_MOST_NS:
            return
        self._wakes_ns = due_ns
        self._waking.disposable = self._scheduler.schedule_relative((due_ns - self._clock_ns()) / 1e9, self._wake)

    def _wake(self, _: abc.SchedulerBase, __: Any = None) -> abc.DisposableBase:
        self._wakes_ns = None
        if self._tickers:
            self._advance(self._clock_ns())
            self._wait()
        return Disposable()

    def _read(self, _: Hub[Any]) -> None:
        """A source of batches: it is read to its end now, as without a scheduler."""
        if not self._reads:
            self._reads = True
            self._scheduler.schedule(self._run)

    def _run(self, _: abc.SchedulerBase, __: Any = None) -> abc.DisposableBase:
        self._reads = False
        run_inline(self)
        return Disposable()


_engines: WeakKeyDictionary[VirtualTimeScheduler, _VirtualEngine] = WeakKeyDictionary()


# -- run of --------------------------------------------------------------------------------------------------------
# The scheduler of a subscription -> the engine of the run that it belongs to.


def engine_of(scheduler: abc.SchedulerBase | None, /) -> Engine:
    """Its scheduler, or what runs on that, else the run of this thread, else a private one."""
    if isinstance(scheduler, Engine):
        return scheduler
    return engine_on(scheduler) if isinstance(scheduler, VirtualTimeScheduler) else Engine.current()
