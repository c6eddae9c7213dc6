"""
Batches of events -> steps of event time: the scheduler of every operator in a run, without threads or clocks.

Longer than 300 lines because a scheduler of RxPY is one class, and events and timers share its time.
"""

from __future__ import annotations

import heapq
import itertools
import sys
import traceback
import weakref
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NoReturn, TypeVar

from msgspec import Struct
from reactivex import abc, typing
from reactivex.disposable import Disposable, SingleAssignmentDisposable
from reactivex.scheduler import CurrentThreadScheduler
from reactivex.scheduler.periodicscheduler import PeriodicScheduler

from ..events import Loss, Tick
from ..events.loss import Ledger, Meter, Reason
from .errors import GraphError
from .hub import Hub, Outlet, Saved, Ticker, run_inline, times_of
from .machine import Halted, Node, graph_error
from .mailbox import Doors, Mailbox
from .messages import say
from .reading import FINE_NS, SLACK_NS, STEP_NS, next_step

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)
E_contra = TypeVar("E_contra", contravariant=True)
S = TypeVar("S")

_LINGER_NS = 60_000_000_000  # how long timers may still run after the last source ended

_LOOK_S = 1.0  # between two looks whether it is still crowded

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class EngineState(Struct, array_like=True):
    """What `Engine.snapshot` keeps."""

    now_ns: int
    newest_ns: int
    next_ns: int | None
    parts: list[list[bytes]]


class Site:
    """Where a stage stands in a run: its path, its meter, and what to do about a bug in it."""

    __slots__ = ("_engine", "_logged", "error", "meter", "ours", "path")

    def __init__(self, engine: Engine, path: str, *, ours: bool = True) -> None:
        self._engine = engine
        self._logged = False
        self.path = path
        self.ours = ours  # of this package; else the author of the graph wrote it
        self.meter: Meter = engine.ledger.meter(path)
        if not ours:
            engine.theirs.append(self.meter)
        self.error: BaseException | None = None  # ends the graph

    @property
    def name(self) -> str:
        """Of the operator."""
        return self.path.rpartition("/")[2]

    def bug(self, error: BaseException, count: int = 1, size: int = 0, event: object = None) -> None:
        """
        An unexpected exception. Raises Halted where it ends the graph: what the stage made before goes on, and then nothing.
        Else it is counted, and logged once a stage. An engine that is strict raises the exception itself.
        """
        engine = self._engine
        if engine.strict:
            raise error
        self.meter.lose(Reason.BUG, count, size)
        if not isinstance(error, Exception):  # sys.exit
            self.error = error
            raise Halted
        if engine.halts and not self.ours:
            self.error = error
            engine.note_failure(error, Node(self.name), event)
            raise Halted
        engine.their_bugs += not self.ours
        if engine.on_bug is not None:
            engine.on_bug(self, error, count, size, event)
        elif not self._logged:
            self._logged = True
            say(f"bug in {self.path}, counted and skipped:")
            traceback.print_exception(error, file=sys.stderr)


class Engine(PeriodicScheduler):
    """
    The scheduler of one run. Everything in it happens on the thread that calls `push`, `idle` and `end`: what another thread
    emits, schedules or subscribes to comes in by `doors`.

    Time is event time and advances in steps: before the first event at or past a step, and when idle up to a slack behind
    the clock. At a step first the timers of stock RxPY operators run, then every chain ticks, upstream before downstream.
    """

    def __init__(
        self,
        *,
        ledger: Ledger | None = None,
        strict: bool = True,
        halts: bool = False,
        box: Mailbox[Any] | None = None,
    ) -> None:
        super().__init__()
        self.ledger = ledger or Ledger()
        self.doors = Doors(self.ledger, box, self._step)
        self.strict = strict
        self.halts = halts
        self.profiles = False  # whether the time of each stage is measured
        self.theirs: list[Meter] = []  # of stages that are not of this package
        self.their_bugs = 0  # of functions and operators that are not of this package
        self.on_bug: Callable[[Site, Exception, int, int, object], None] | None = None
        self.attached: Callable[[Hub[Any]], None] | None = None
        self._hubs: dict[object, Hub[Any]] = {}
        self._states: dict[object, Any] = {}
        self._tickers: dict[Ticker, int] = {}  # and the place of each among all that were added
        self._added = 0
        self._timers: list[tuple[int, int, Callable[[], None]]] = []  # event time, number, what to do
        self._early: list[tuple[int, int, Callable[[], None]]] = []  # set before the first event: delay, number, what to do
        self._begun = False  # an event has come
        self._numbers = itertools.count()
        self._ready: deque[Callable[[], None]] = deque()
        self._later: deque[Callable[[], None]] = deque()
        self._acting = False
        self._stepping = False
        self._subscribing = self._again = False
        self._failed: tuple[Exception, Node, object] | None = None  # and the event at which it failed; None: not known
        self.step_ns = STEP_NS  # the finest step of time
        self._now_ns = 0
        self._newest_ns = 0
        self._next_ns: int | None = None
        self._last_ns: int | None = None  # no timer runs after this, set when the last source ended
        self._tokens: list[Token[Engine | None]] = []
        self._queued: Callable[[], object] = lambda: self  # returns None once the function that runs this engine is gone

    # -- finding the run -------------------------------------------------------------------------------------------

    @classmethod
    def current(cls) -> Engine:
        """The run of this thread, else a private one."""
        current = _current.get()
        if current is not None and current._queued() is not None:
            return current
        engine = cls()
        _current.set(engine)

        def run_privately(_: abc.SchedulerBase, __: object = None) -> None:
            _current.set(None)
            engine.run_inline()

        engine._queued = weakref.ref(run_privately)  # RxPY forgets its queue when a subscription raises
        CurrentThreadScheduler.singleton().schedule(run_privately)
        return engine

    def __enter__(self) -> Engine:
        self.doors.enter()
        self._tokens.append(_current.set(self))
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._tokens.pop())

    def join(self, key: object, make: Callable[[], Hub[E]], outlet: Outlet[E]) -> abc.DisposableBase:
        """Subscribe to a source in this run. Its hub is made for the first subscriber, and read from then on."""
        found: Hub[E] | None = self._hubs.get(key)
        if found is not None:
            return found.join(outlet)
        hub = self._hubs[key] = make()
        hub.meter = self.ledger.shared(hub.name)
        joined = hub.join(outlet)
        if self.attached is not None:
            self.attached(hub)
        return joined

    @property
    def hubs(self) -> list[Hub[Any]]:
        return list(self._hubs.values())

    def state(self, key: object, make: Callable[[], S]) -> S:
        """What belongs to `key` in this run, made at the first call."""
        if key not in self._states:
            self._states[key] = make()
        found: S = self._states[key]
        return found

    # -- other threads ---------------------------------------------------------------------------------------------

    @property
    def inside(self) -> bool:
        """Whether the calling thread is the one of this run."""
        return self.doors.inside

    def take_handed(self) -> None:
        """Take what other threads have handed over to a box of its own. While it is crowded, wait for more."""
        self.doors.take_all()
        while self.doors.are_crowded:
            entry = self.doors.box.get(_LOOK_S)
            if entry is not None:
                self.doors.take(*entry)

    def here(self, subscribe: Callable[[], abc.DisposableBase]) -> abc.DisposableBase:
        """Subscribe on the thread of this run, or schedule something, and dispose there."""
        made = SingleAssignmentDisposable()

        def begin() -> None:
            if not made.is_disposed:
                made.disposable = subscribe()

        def dispose() -> None:
            if self.inside:
                made.dispose()
            else:
                self.doors.call(made.dispose, anyway=True)

        if self.inside:
            begin()
        else:
            self.doors.call(begin)
        return Disposable(dispose)

    # -- events and time -------------------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        return self._now_ns

    @property
    def newest_ns(self) -> int:
        """The time of the newest event that was taken."""
        return self._newest_ns

    @property
    def now(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self._now_ns / 1000)

    def be_fine(self) -> None:
        """From here on time has fine steps: the graph leads to operators of RxPY, which may have timers."""
        if not self.is_fine:
            self.step_ns = FINE_NS
            self._next_ns = None if self._next_ns is None else min(self._next_ns, self._border_ns)

    @property
    def is_fine(self) -> bool:
        return self.step_ns == FINE_NS

    @property
    def _border_ns(self) -> int:
        """Where the next step begins."""
        return (self._now_ns // self.step_ns + 1) * self.step_ns

    def start(self, clock_ns: int) -> None:
        """Begin event time at the clock, before any event came."""
        if self._next_ns is None:
            self._now_ns = self._newest_ns = clock_ns // self.step_ns * self.step_ns
            self._next_ns = self._border_ns

    def _begin(self, time_ns: int) -> None:
        """The first event has come: timers that were set before count from it, live and where a recording is replayed."""
        self.start(time_ns)
        self._begun = True
        self._see(time_ns)
        begun_ns = max(self._now_ns, time_ns // self.step_ns * self.step_ns)
        for delay_ns, number, action in self._early:
            heapq.heappush(self._timers, (begun_ns + delay_ns, number, action))
        self._early = []

    def push(self, hub: Hub[E], batch: Sequence[E]) -> None:
        """Take one batch of a source: cut at the steps it crosses, tick, deliver."""
        if not batch:
            return
        hub.meter.seen += len(batch)
        hub.meter.passed += len(batch)
        kinds = set(map(type, batch))  # asking each event with isinstance takes three times as long
        if Loss in kinds:
            for event in batch:
                if isinstance(event, Loss):
                    self.ledger.shared(event.stage).lose(event.reason, event.count, event.size)
        if hub.time_of is None:
            self._deliver(hub, batch)
            return
        times = times_of(hub.time_of, batch)
        self.start(times[0])
        if Tick in kinds:
            self._replay(hub, batch, times)
        else:
            self._take(hub, batch, times)

    def _replay(self, hub: Hub[E], batch: Sequence[E], times: list[int]) -> None:
        """A `Tick` is no event: it advances time as it advanced in the recorded run when no event came."""
        start = 0
        for index, (event, time_ns) in enumerate(zip(batch, times, strict=True)):
            if isinstance(event, Tick):
                if index > start:
                    self._take(hub, batch[start:index], times[start:index])
                self._advance(time_ns)
                start = index + 1
        if start < len(batch):
            self._take(hub, batch[start:], times[start:])

    def _take(self, hub: Hub[E], batch: Sequence[E], times: list[int]) -> None:
        if not self._begun:
            self._begin(times[0])
        top = max(times)
        if top >= self._border_ns:
            batch = self._cut(hub, batch, times)
        elif top > self._newest_ns:
            self._see(top)
        self._deliver(hub, batch)

    def _cut(self, hub: Hub[E], batch: Sequence[E], times: list[int]) -> Sequence[E]:
        start = 0
        newest = list(itertools.accumulate(times, max))  # a step is crossed by the first event at or past it
        while (index := bisect_left(newest, self._border_ns, start)) < len(newest):
            if index > start:
                if newest[index - 1] > self._newest_ns:
                    self._see(newest[index - 1])
                self._deliver(hub, batch[start:index])
                start = index
            self._reach_step_of(newest[index])
        if newest[-1] > self._newest_ns:
            self._see(newest[-1])
        return batch[start:]

    def _see(self, time_ns: int) -> None:
        """The newest event so far: from here on steps are fine again."""
        self._newest_ns = time_ns
        self._next_ns = self._border_ns

    def idle(self, clock_ns: int) -> None:
        """No event came: advance time to a slack behind the clock."""
        if self._next_ns is not None and clock_ns - SLACK_NS >= self._next_ns:
            self._advance(clock_ns - SLACK_NS)

    @property
    def due_ns(self) -> int | None:
        """By the clock: when `idle` has something to do, if no event comes."""
        return None if self._next_ns is None else self._next_ns + SLACK_NS

    def _advance(self, until_ns: int) -> None:
        while self._next_ns is not None and self._next_ns <= until_ns:
            now_ns = self._next_ns
            self._next_ns = next_step(now_ns, self._newest_ns, self.step_ns)
            self._tick(now_ns)

    def _reach_step_of(self, time_ns: int) -> None:
        """Advance to the last fine step at or before this time, also from coarse ones."""
        self._advance(time_ns)
        if time_ns >= self._border_ns:  # the steps were coarse
            self._tick(time_ns // self.step_ns * self.step_ns)

    def _tick(self, now_ns: int) -> None:
        while self._timers and self._timers[0][0] <= now_ns:
            due_ns, _, action = heapq.heappop(self._timers)
            self._now_ns = max(self._now_ns, due_ns)
            try:
                action()
            except Exception as error:
                self.state("timers", lambda: Site(self, "timers")).bug(error)
        self._now_ns = now_ns
        self.settle()
        for ticker in tuple(self._tickers):
            self._stepping = True  # as in _step, which takes as long as most ticks
            try:
                ticker.tick(now_ns)
            finally:
                self._stepping = False
            if self._later:
                self.settle()

    def _deliver(self, hub: Hub[E], batch: Sequence[E]) -> None:
        self._step(partial(self.apart, hub.on_batch, batch) if hub.apart else partial(hub.on_batch, batch))

    def end(self, hub: Hub[Any]) -> None:
        """The source has ended: complete its subscribers."""
        self._step(hub.on_completed)

    def _step(self, act: Callable[[], None]) -> None:
        self._stepping = True
        try:
            act()
        finally:
            self._stepping = False
        self.settle()

    def apart(self, deliver: Callable[[Sequence[E]], None], batch: Sequence[E]) -> None:
        """Deliver single events: all that one leads to comes before the next, also what operators gather until a step ends."""
        outer, self._later = self._later, deque()
        try:
            for event in batch:
                deliver([event])
                self.settle()
                self._stepping = True  # as the caller left it
        finally:
            outer.extend(self._later)
            self._later = outer

    def linger(self, done: Callable[[], bool] = lambda: False) -> None:
        """All sources ended: let the timers of stock operators run out, for at most 60 s of event time."""
        if self._last_ns is None:
            if not self._begun:
                self._begin(self._now_ns)
            self._last_ns = self._now_ns + _LINGER_NS
        while self._timers and not done() and self._timers[0][0] <= self._last_ns:
            self._advance(max(self._timers[0][0], self._next_ns or 0))

    def after_step(self, action: Callable[[], None]) -> None:
        """Run `action` after the current delivery; at once if there is none."""
        if self._stepping or self._acting:
            self._later.append(action)
        else:
            action()

    def settle(self) -> None:
        """What operators have gathered in a step goes on, also of one that was broken off."""
        while self._later:
            self._stepping = True
            try:
                self._later.popleft()()
            finally:
                self._stepping = False

    # -- stopping and going on -------------------------------------------------------------------------------------

    def snapshot(self) -> EngineState:
        """
        The state of the whole run between two batches: its time, and of every chain and merge in the order in which they were
        attached. Raises TypeError where a part of it cannot be saved: timers of stock operators, and machines that are not
        Checkpointed. What stock operators keep besides is not known here.
        """
        if self._timers or self._early or self._later or self._ready:
            raise TypeError("stock operators wait for timers, so that the run cannot be saved")
        parts: list[list[bytes]] = [[] for _ in range(self._added)]
        for ticker, place in self._tickers.items():
            parts[place] = ticker.snapshot() if isinstance(ticker, Saved) else _refuse(ticker)
        return EngineState(self._now_ns, self._newest_ns, self._next_ns, parts)

    def restore(self, state: EngineState) -> None:
        """
        Go on where `state` was taken, in a run of the same graph that has seen no event. Sources that had ended are ended
        again behind it.
        """
        self._now_ns, self._newest_ns, self._next_ns = state.now_ns, state.newest_ns, state.next_ns
        self._begun = state.next_ns is not None
        for ticker, part in zip(tuple(self._tickers), state.parts, strict=True):
            if part and isinstance(ticker, Saved):
                ticker.restore(part)
            elif not part:
                del self._tickers[ticker]  # it was done

    def add(self, ticker: Ticker) -> abc.DisposableBase:
        """Tick `ticker` from now on, after those added before it."""
        self._tickers[ticker] = self._added
        self._added += 1

        def remove() -> None:
            self._tickers.pop(ticker, None)

        return Disposable(remove)

    def run_inline(self) -> None:
        """Read every source to its end on this thread. What other threads bring later is done on theirs, one at a time."""
        try:
            run_inline(self)
        finally:
            self.doors.leave()

    # -- subscribing -----------------------------------------------------------------------------------------------

    @property
    def subscribes_again(self) -> bool:
        """What subscribes now may do so again during the run: a scheduled action, or a graph that `within` was asked of."""
        return self._again or self._acting

    @contextmanager
    def within(self, again: Callable[[], bool]) -> Generator[None]:
        """Inside, a graph is subscribed to; `again` is asked once for the whole of it: may a part subscribe later?"""
        if self._subscribing or self._stepping:
            yield
            return
        self._subscribing, self._again = True, again()
        try:
            yield
        finally:
            self._subscribing = self._again = False

    # -- failing ---------------------------------------------------------------------------------------------------

    def note_failure(self, error: Exception, node: Node, event: object = None) -> None:
        """
        An operator passes an error on. The first that does so has raised it. Another one on the same single input is made of it
        by RxPY, and is the one that the author of the graph wrote.
        """
        first = self._failed is None or self._failed[0] is not error
        if first or (len(node.inputs) == 1 and self._failed is not None and self._failed[1].inputs == node.inputs):
            self._failed = error, node, event

    def failure(self, error: Exception) -> GraphError:
        """The error of a run whose graph was ended by this one, with the operator and the event, where they are known."""
        if self._failed is None or self._failed[0] is not error:
            return graph_error(error, "")
        _, node, event = self._failed
        return graph_error(error, node.name, event)

    # -- the scheduler of stock RxPY operators ---------------------------------------------------------------------

    def schedule(self, action: abc.ScheduledAction[S], state: S | None = None) -> abc.DisposableBase:
        """Run `action` now; inside another action, right after it."""
        if not self.inside:
            return self.here(lambda: self.schedule(action, state))
        disposable = SingleAssignmentDisposable()

        def act() -> None:
            if not disposable.is_disposed:
                disposable.disposable = self.invoke_action(action, state)

        self._act(act)
        return disposable

    def _act(self, act: Callable[[], None]) -> None:
        self._ready.append(act)
        if self._acting:
            return
        self._acting = True
        try:
            while self._ready:
                self._ready.popleft()()
        finally:
            self._acting = False
        if not self._stepping:
            self.settle()

    def schedule_relative(
        self, duetime: typing.RelativeTime, action: abc.ScheduledAction[S], state: S | None = None
    ) -> abc.DisposableBase:
        """Run `action` at the step at which `duetime` (seconds or timedelta) has passed."""
        if not self.inside:
            return self.here(lambda: self.schedule_relative(duetime, action, state))
        delay_ns = round(self.to_seconds(duetime) * 1e9)
        if delay_ns <= 0:
            return self.schedule(action, state)
        self.be_fine()
        disposable = SingleAssignmentDisposable()

        def act() -> None:
            if not disposable.is_disposed:
                disposable.disposable = self.invoke_action(action, state)

        if self._begun:
            heapq.heappush(self._timers, (self._now_ns + delay_ns, next(self._numbers), lambda: self._act(act)))
        else:
            self._early.append((delay_ns, next(self._numbers), lambda: self._act(act)))
        return disposable

    def schedule_absolute(
        self, duetime: typing.AbsoluteTime, action: abc.ScheduledAction[S], state: S | None = None
    ) -> abc.DisposableBase:
        """Run `action` at the step that reaches `duetime`, on the scale of `now`."""
        return self.schedule_relative(self.to_datetime(duetime) - self.now, action, state)


def _refuse(ticker: Ticker) -> NoReturn:
    raise TypeError(f"{type(ticker).__name__} cannot be saved, so that the run cannot")


_current: ContextVar[Engine | None] = ContextVar("engine", default=None)
