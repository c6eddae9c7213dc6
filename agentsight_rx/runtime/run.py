"""
A graph and its sinks -> a run: threads for readers and writers, the engine between them, an orderly end, a summary.

Longer than 300 lines because every thread of a run, how they stop each other and what they note on the way is one state.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from msgspec import Struct
from reactivex import Observable
from reactivex.abc import DisposableBase

from ..core.bounded import Spare
from ..core.engine import Engine, Site
from ..core.errors import AgentsightError, GraphError, Unavailable, UsageError, refuse_others, words_of
from ..core.hub import Hub, Reader, Shares, Waiter, Wakes
from ..core.machine import Bug, bug_of
from ..core.mailbox import Mailbox, Overflow, inbox
from ..core.messages import say
from ..core.reading import Patience, Reading, open_all, until_multiple_of
from ..core.signals import EndRequest, asking_to_end
from ..core.sink import Sink, SinkThread
from ..core.start import step
from ..core.stream import as_stream
from ..core.weight import weights_of
from ..events import AnswerProgress, Loss, Origin, Tick
from ..events.loss import Ledger, Meter, Reason, RuleCounts
from ..policy.redaction.redactor import Redactor
from ..sources.names import unseen_names
from ..store.reasons import SOURCES
from ..store.rows.gaps import Gaps, gaps_of
from ..store.rows.tally import Tally
from ..store.words import plural

if TYPE_CHECKING:
    from .resume import Saving

E = TypeVar("E")

OnBug: TypeAlias = 'Literal["raise", "raise_all", "count"] | Sink[Bug]'

_ON_BUG = ("raise", "raise_all", "count")
_BUG_MODES = f"a Sink, or one of {', '.join(_ON_BUG)}"
_BESIDE = frozenset({"system"})  # sources that need nothing of the kernel but /proc: alone they show no agent
_POLL_S, _QUIET_POLL_S = 0.05, 0.1  # how long a reader may wait before it checks whether to stop; once nothing came for a while
_ASLEEP_S = 0.25, 1.0  # the same for a reader that can be woken; so often the kernel is asked what it lost
# How long the engine waits for events at least before it advances time; once only figures of the system came for a while
_IDLE_S, _QUIET_IDLE_S = 0.01, 0.5
# Where no one sees at once what comes, the engine looks for further events at multiples of this time: caches are cold at each
# wake-up, so that events one by one cost three times as much as many at once
_GATHER_S = 0.5
# How often the kernel is asked at most what it lost, and while no event comes: it takes a call for each table and program
_COUNTED_S, _QUIET_COUNTED_S = 0.25, 5.0
# How long a run waits behind the end of its sources for what other threads bring; between two looks whether to stop
GRACE_S, _OTHERS_S = 10.0, 0.1
_DRAIN_S = 10.0  # how long sinks may take to write what they hold at the end
_PART = 128 << 10  # bytes of a batch: compressed, they may become 128 MiB
_ROOM = 0.25  # a recorded source waits while the box of any sink is fuller than this
# The store is waited for, from so full a box on and while the one before the engine is less full: in short steps, and for so
# long at most until it has caught up, since all else waits with it. So much it gets at once
_BEHIND, _CAUGHT_UP, _BEHIND_S, _BEHIND_MOST_S, _AT_ONCE = 0.5, 0.1, 0.002, 30.0, 4096

_SPECIAL: frozenset[type] = frozenset({AnswerProgress, Tick})  # a sink gets those that it wants
_END = object()  # in the inbox: this source has no more


class Summary(Struct):
    """What a run saw and what it lost. `ended_by`: end of input, signal, duration, graph, caller."""

    tally: Tally
    ledger: Ledger
    seconds: float
    ended_by: str
    failures: tuple[str, ...] = ()
    # 1: the graph failed, a function of it or of a plugin did, or a destination whose reader stayed did not take everything
    exit_status: int = 0
    unavailable: dict[str, str] = {}  # source -> why this machine does not allow it
    notes: tuple[str, ...] = ()  # what else the person should know, a sentence each
    error: GraphError | None = None  # a function of the graph raised it, and so the graph ended
    # SystemExit or KeyboardInterrupt of a function of the graph, UsageError where `resume` cannot save the graph
    stopped: BaseException | None = None

    def __repr__(self) -> str:
        end = f"ended by {self.ended_by} after {self.seconds:.1f} s"
        return f"<Summary: {end}, {'; '.join(self.failures) or 'no failure'}; {self.ledger!r}>"

    def raised(self) -> Summary:
        """This summary, where nothing of the graph has raised."""
        if self.stopped is not None:
            raise self.stopped
        if self.error is not None:
            raise self.error
        return self

    @property
    def stages(self) -> dict[str, tuple[int, float]]:
        """Of each operator: the events that it took, and its seconds by the clock. Only of a run with `profile`."""
        return {meter.stage: (meter.seen, meter.spent_ns / 1e9) for meter in self.ledger if meter.spent_ns}

    @property
    def filters(self) -> list[RuleCounts]:
        """How many events each filter with rules saw and dropped."""
        return self.ledger.rules()

    @property
    def gaps(self) -> Gaps:
        """All that is missing."""
        ended_ms = self.ledger.began_ms + round(1000 * self.ledger.seconds)
        return gaps_of(self.tally, self.ledger.entries(), failures=self.failures, ended_ms=ended_ms)

    @property
    def complete(self) -> bool:
        return not self.gaps.count


def run(
    graph: Observable[E],
    sinks: Iterable[Sink[E]] = (),
    *,
    duration: float | None = None,
    ready: Callable[[], None] | None = None,
    required: Collection[str] | None = None,
    on_bug: OnBug = "raise",
    grace: float = GRACE_S,
    profile: bool = False,
    resume: str | os.PathLike[str] | None = None,
) -> Summary:
    """
    Run `graph` into `sinks` until it is done, `duration` seconds passed, or SIGINT, SIGTERM or SIGHUP comes.

    A graph is done when its sources have ended and all that it made of them has come, also from other threads, such as a future
    in `flat_map`. What has not come `grace` seconds behind the end of the sources is counted as `unfinished`.

    `ready` is called once everything is attached. Raises CaptureError, SinkError or StoreError where something cannot be
    opened, before anything is captured. `required` are the names of sources without which there is no run; None: all. Another
    one that this machine does not allow is logged and counted.

    `on_bug`: what an exception in a function of the graph does, such as one that `op.change` was given.

    - "raise": it ends the graph at its event. Sinks get all that came before, and then GraphError is raised. An error of this
      package is counted, and the run goes on.
    - "raise_all": an error of this package is raised too, for tests.
    - "count": it is counted, and the run goes on behind its event.
    - a Sink: the same, and the sink gets a `Bug` for each. Functions of stock operators of RxPY end the graph all the same.

    `profile` measures the time of each operator, for `Summary.stages`.

    `resume` is a file where the state of the run is saved four times a second, and from which the next run of the same graph
    goes on, also after a kill. With `sinks.store` of the same file each event has its effect there once. A file that
    `sources.from_lines` reads goes on at its place, other recorded sources are read again up to theirs, and of a live one it
    is counted that it was not seen meanwhile. An end of the run before that of its input completes nothing. Raises UsageError
    for a graph that cannot be saved, as one with a stock operator that has a state, and for a state of another graph.

    What ends the program, SystemExit and KeyboardInterrupt, ends the run in order and is raised here.
    """
    summary = run_to_end(
        Run(graph, sinks, required=required, on_bug=on_bug, grace=grace, profile=profile, resume=resume),
        duration=duration,
        ready=ready,
    )
    return summary.raised()


def run_to_end(
    given: Run,
    /,
    *,
    duration: float | None = None,
    ready: Callable[[], None] | None = None,
    beat: Callable[[Run], float] | None = None,
    hangup: Callable[[], None] | None = None,
) -> Summary:
    """
    As `run`, but the summary of a graph that failed is returned, with its `error`. `beat` is called now and then: it returns
    after how many seconds the next time is. `hangup`: what SIGHUP does instead of ending the run.
    """
    with given.until_signal(hangup=hangup) as running:
        if ready is not None:
            ready()
        while beat is not None and not running.ended(beat(running)):
            pass
        running.wait(duration)
        return running.stop()  # a second signal changes nothing: each step has its deadline


class Run:
    """A run in steps, for callers that do more than wait: enter, `wait` or do other things, `stop`."""

    singles = 0  # sinks get whole batches

    def __init__(
        self,
        graph: Observable[E],
        sinks: Iterable[Sink[E]] = (),
        *,
        required: Collection[str] | None = None,
        on_bug: OnBug = "raise",
        grace: float = GRACE_S,
        profile: bool = False,
        tally: Tally | None = None,
        resume: str | os.PathLike[str] | None = None,
    ) -> None:
        self._grace_s = grace
        self._required = None if required is None else frozenset(required)
        self._unavailable: dict[str, str] = {}
        self._graph = as_stream(graph)
        self._inbox: Mailbox[Any] = inbox(part=_PART)
        self._engine = Engine(strict=on_bug == "raise_all", halts=on_bug == "raise", box=self._inbox)
        self._engine.profiles = profile
        self._engine.attached = self._attached
        self._ledger = self._engine.ledger
        wanted = "a list of Sinks, such as [sinks.console()]"
        refuse_others("run", wanted, [sinks], lambda each: hasattr(each, "__iter__"))
        refuse_others("on_bug", _BUG_MODES, [on_bug], lambda each: isinstance(each, Sink) or each in _ON_BUG)
        sinks = list(sinks)
        if sinks:
            refuse_others("run", wanted, sinks, lambda each: isinstance(each, Sink))
        self._taking = [SinkThread(sink, self._ledger) for sink in sinks]  # what the graph emits
        self._sinks = list(self._taking)
        self._saving: Saving | None = None
        if resume is not None:
            from .resume import Saving  # imports the store, which other runs may do without

            self._saving = Saving(resume, self._graph, self._taking, self._ledger)
            self._sinks += [self._saving.saver] if self._saving.saver not in self._taking else []
        if isinstance(on_bug, Sink):
            bugs = SinkThread(on_bug, self._ledger)
            self._sinks.append(bugs)
            self._engine.on_bug = _to(bugs)
        self._tally = tally or Tally()
        self._behind_s = 0.0  # waited for the store since it had caught up
        self._readers: list[Reading] = []
        self._attachment: DisposableBase | None = None
        self._polled_here: Reading | None = None  # the source that the engine's thread reads
        self._stopping = threading.Event()
        self._end = EndRequest()
        self._graph_done = False
        self._error: GraphError | None = None
        self._stopped: BaseException | None = None
        self._ended_by = "end of input"
        self._running = False
        self._before_start: Callable[[], object] | None = None
        self._failures: list[str] = []
        self._engine_thread = threading.Thread(target=self._engine_loop, name="engine", daemon=True)
        self._summary: Summary | None = None
        self._looked_s = self._idle_since_s = time.monotonic()
        self._shed_from = 0

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    @property
    def tally(self) -> Tally:
        return self._tally

    @property
    def unavailable(self) -> dict[str, str]:
        """The sources that this machine does not allow, and why."""
        return dict(self._unavailable)

    def __enter__(self) -> Run:
        opened: list[SinkThread] = []

        def open_sinks() -> None:
            with step("the sinks, opened"):
                for sink in self._sinks:
                    sink.open()
                    opened.append(sink)

        try:
            with self._engine, step("the graph, attached"):
                self._attachment = self._graph.attach(self._engine, self)
                self._go_on()
            closed = open_all(self._readers, open_sinks)
            self._do_without(closed)
            if self._before_start is not None:
                self._before_start()
        except BaseException:
            for reading in self._readers:
                reading.hub.give_up()
            for sink in opened:
                sink.abandon()
            raise
        if self._saving is not None:
            self._saving.saver.hold()
        self._running = True
        self._ledger.begin()
        for sink in self._sinks:
            sink.start()
        only = self._readers[0] if len(self._readers) == 1 else None
        if only is not None and not only.hub.live:
            self._polled_here = only  # it can wait, so nothing is gained by a thread and a box before the engine
        opened_here = tuple(self._readers)  # the engine opens others, and starts their threads, from its start on
        self._share([reading for reading in opened_here if reading.hub.opened])
        self._engine_thread.start()
        for reading in opened_here:
            if reading in closed:
                origin, why = Origin(time.monotonic_ns(), 0), str(reading.hub.failure)
                loss = Loss(origin, reading.hub.name, Reason.NOT_OPENED, 1, note=why)
                self._inbox.put_anyway([loss, _END], sender=reading.hub)
            elif reading is not self._polled_here and not reading.thread.ident:  # nor begun with another one
                reading.thread.start()
        return self

    def _go_on(self) -> None:
        """From a saved state: a source that had ended is not opened."""
        if self._saving is not None:
            self._saving.begin(self._engine, self._sinks)
            self._readers = [reading for reading in self._readers if not reading.hub.ended]

    def _share(self, readings: Sequence[Reading]) -> None:
        """Readers that share one have one thread: a wake-up costs more than what one of them reads at most of them."""
        groups: dict[str, list[Reading]] = {}
        for reading in readings:
            if isinstance(reading.hub.reader, Shares) and reading.hub.reader.shares:
                groups.setdefault(reading.hub.reader.shares, []).append(reading)
        for name, together in groups.items():
            if len(together) > 1:
                hubs = [reading.hub for reading in together]
                thread = threading.Thread(target=self._read_together, args=(hubs,), name=f"read:{name}", daemon=True)
                for reading in together:
                    reading.thread = thread

    def _do_without(self, readings: Sequence[Reading]) -> None:
        """The machine does not allow these sources: log and count them. Raises Unavailable where the run needs one of them."""
        by_reason: dict[str, list[Reading]] = {}
        for reading in readings:
            by_reason.setdefault(str(reading.hub.failure), []).append(reading)
        witnesses = [each for each in self._readers if each.hub.opened and each.hub.name not in _BESIDE]
        for why, some in by_reason.items():
            names = [each.hub.name for each in some]
            said = f"NOT captured: {', '.join(SOURCES.get(name, name) for name in names)}: {why}"
            if self._required is None or not witnesses or not self._required.isdisjoint(names):
                raise Unavailable(said)
            say(said)
            self._unavailable.update(dict.fromkeys(names, why))

    def __exit__(self, *_: object) -> None:
        if self._running:
            self.stop()

    @contextmanager
    def until_signal(self, *, hangup: Callable[[], None] | None = None) -> Generator[Run]:
        """
        Enter it, where SIGINT, SIGTERM and SIGHUP end it in order, from before its first event until all is closed. While it is
        being opened, and nothing is captured yet, they do what they do outside. `hangup`: what SIGHUP does instead.
        """
        with ExitStack() as signals:
            self._before_start = lambda: signals.enter_context(asking_to_end(self.end, hangup=hangup))
            with self:
                yield self

    def end(self, reason: str) -> None:
        """Request the end; may be called from a signal handler."""
        self._end.ask(reason)

    @property
    def stuck_s(self) -> float:
        """For how long the engine has not looked for events; it looks at least each second, whether one comes or not."""
        return time.monotonic() - self._looked_s

    @property
    def lag_s(self) -> float:
        """For how long the oldest waiting events wait for the engine at most; 0 where none waits."""
        if not len(self._inbox):
            return 0.0
        return max(0.0, time.monotonic() - max(self._idle_since_s, self._engine.newest_ns / 1e9))

    @property
    def fills(self) -> dict[str, float]:
        """How full the boxes before the engine and before each sink are, from 0 to 1. A full box loses events."""
        return {"engine": self._inbox.fill, **{sink.name: sink.fill for sink in self._sinks}}

    def shed(self, least: int, /) -> None:
        """From now on no content of at least so many bytes is taken, but counted as shed; 0: all is taken."""
        self._shed_from = least

    def ended(self, timeout_s: float) -> str:
        """The reason of the end, as `wait` returns it; empty where nothing asks for one in this time."""
        return self._end.wait(timeout_s)

    def wait(self, duration: float | None = None) -> str:
        """Wait for the end of the input, of the graph or of `duration` seconds, or for `end`; returns the reason."""
        if not self._end.wait(duration):
            self._end.ask("duration")
        return self._end.reason

    def stop(self) -> Summary:
        """Stop the readers, finish open items as partial, drain the sinks, close. A second call returns the same summary."""
        if self._summary is not None:
            return self._summary
        reason = self._end.reason or "caller"
        self._stopping.set()
        for reading in self._readers:
            reading.hub.wake()
        for reading in self._readers:
            if reading.hub.opened and reading is not self._polled_here:
                reading.thread.join()
        self._engine_thread.join()
        self._ledger.end()
        for last in (False, True):  # what keeps the ledger ends last, with the last counts of all the others in it
            sinks = [sink for sink in self._sinks if sink.keeps_ledger is last]
            deadline = time.monotonic() + _DRAIN_S
            for sink in sinks:
                sink.close()
            for sink in sinks:
                sink.end(max(0.0, deadline - time.monotonic()))
        self._running = False
        failures = (*self._failures, *(f"sink {sink.name}: {sink.failure}" for sink in self._sinks if sink.failure))
        self._summary = Summary(
            self._tally,
            self._ledger,
            seconds=self._ledger.seconds,
            ended_by=reason,
            failures=failures,
            exit_status=int(self._failed),
            unavailable=self._unavailable,
            notes=(
                *unseen_names(reading.hub.reader for reading in self._readers),
                *filter(None, map(_silent, self._engine.theirs)),
                *(self._saving.notes if self._saving is not None else ()),
            ),
            error=self._error,
            stopped=self._stopped,
        )
        if self._error is not None:
            self._error.summary = self._summary
        return self._summary

    @property
    def _failed(self) -> bool:
        graph = self._error is not None or self._stopped is not None or self._engine.their_bugs > 0
        return graph or any(sink.failure and not sink.reader_left for sink in self._sinks)

    # -- engine thread ---------------------------------------------------------------------------------------------

    def _attached(self, hub: Hub[Any]) -> None:
        reading = Reading(hub, threading.Thread(target=self._read, args=(hub,), name=f"read:{hub.name}", daemon=True))
        self._readers.append(reading)
        if self._running:  # an operator subscribed to a source during the run
            try:
                hub.reader.open()
            except BaseException:
                hub.ended = True  # there is nothing to wait for
                raise
            hub.opened = True
            reading.thread.start()

    def _engine_loop(self) -> None:
        engine = self._engine
        with engine:
            try:
                if self._polled_here is not None:
                    self._poll_here(self._polled_here.hub)
                self._take_from_readers()
                if not self._leave_open():
                    while self._await_others():
                        self._take_from_readers()
                    self._save_done()
            except Exception as error:
                self._fail(error)
                if engine.strict:
                    self._error = None  # it is raised here
                    raise
            except BaseException as stopped:
                self._let_out()
                self._stop_by(stopped)
                self._ended_by = "graph"
            finally:
                self._leave_graph()
                self._inbox.close()
                self._end.ask(self._ended_by)

    def _save(self) -> None:
        """Between two batches."""
        if self._saving is not None and not self._graph_done:
            try:
                self._saving.look(self._engine)
            except UsageError as error:
                self._refuse_to_save(error)

    def _refuse_to_save(self, error: UsageError) -> None:
        self._failures.append(str(error))
        self._ended_by, self._graph_done, self._stopped = "graph", True, error

    def _leave_open(self) -> bool:
        """All sources have ended. Where another run may go on with them, since this one was stopped, nothing is completed."""
        saving, engine = self._saving, self._engine
        if saving is None or not self._stopping.is_set() or self._graph_done or self._stopped is not None:
            return False
        try:
            saving.end(engine, done=False)
        except UsageError as error:
            self._refuse_to_save(error)
        self._graph_done = True
        engine.doors.give_up(counted=False)
        return True

    def _save_done(self) -> None:
        if self._saving is not None and self._error is None and self._stopped is None:
            self._saving.end(self._engine, done=True)

    def _take_from_readers(self) -> None:
        """Until all sources have ended, or the graph is done."""
        engine, box = self._engine, self._inbox
        patience = Patience(_IDLE_S, _QUIET_IDLE_S)
        flows, spare = True, Spare()  # `flows`: the last look found events
        while self._is_read:
            self._looked_s = time.monotonic()
            live = any(reading.hub.live for reading in self._readers)
            if live:
                engine.start(time.monotonic_ns())
            if live and flows and not len(box) and self._may_gather():
                box.gather(until_multiple_of(_GATHER_S))
                self._looked_s = time.monotonic()
            item = box.get(min(1.0, self._idle_s(patience)) if live else patience.seconds())
            flows = False
            spare.look(self._looked_s)
            if item is None:
                self._idle_since_s = time.monotonic()
                if live:
                    engine.idle(time.monotonic_ns())
                self._save()
                continue
            spare.took(box.taken, self._looked_s)
            if self._take(*item):
                patience.came()
                flows = True
            self._save()

    @property
    def _is_read(self) -> bool:
        """The graph is not done, and gets events of a source."""
        return not self._graph_done and any(not reading.hub.ended for reading in self._readers)

    def _await_others(self) -> bool:
        """
        All sources have ended, and the graph goes on until it is done: for as long as it may, it gets what other threads bring,
        such as the answers of futures. A graph without a source of ours has its input there, so it waits until it is stopped.
        True: an operator has subscribed to another source meanwhile.
        """
        engine, box, doors = self._engine, self._inbox, self._engine.doors
        stopped = bool(self._readers) and self._stopping.is_set()  # which ended the sources, and not what they led to
        until_s = time.monotonic() + self._grace_s
        engine.linger(lambda: self._graph_done or self._is_read)
        while doors.open and not self._graph_done:
            if self._is_read:
                return True
            self._looked_s = now_s = time.monotonic()
            if (self._readers and now_s >= until_s) or (self._stopping.is_set() and not stopped):
                for _ in range(len(box)):  # what is there by now; more may come for ever
                    self._take_next(0)
                break
            answered = doors.answered
            item = box.get(min(_OTHERS_S, until_s - now_s) if self._readers else _OTHERS_S)
            if item is not None:
                self._take(*item)
                engine.linger(lambda: self._graph_done or self._is_read)
                until_s = time.monotonic() + self._grace_s if doors.answered > answered else until_s
        doors.give_up(counted=bool(self._readers))
        return False

    def _let_out(self) -> None:
        """The sinks get all that came before what ends the graph."""
        with suppress(BaseException):  # there is one already
            self._engine.settle()

    def _leave_graph(self) -> None:
        """Whatever it still does on other threads, or holds, is no longer wanted."""
        if self._attachment is not None:
            try:
                self._attachment.dispose()
            except Exception as error:
                self._fail(error)
            except BaseException as stopped:
                self._stop_by(stopped)

    def _fail(self, error: Exception) -> None:
        """An exception that no operator is known for, as of a `finally_action`: the graph ends."""
        self._let_out()
        Site(self._engine, "engine").meter.lose(Reason.BUG, 1)
        self.on_error(error)

    def _stop_by(self, stopped: BaseException) -> None:
        """sys.exit or Ctrl-C in a function of the graph or of a source of one's own; on any thread."""
        self._stopped = stopped
        self._failures.append(f"the graph was ended by {type(stopped).__name__}")
        self._end.ask("graph")

    def _may_gather(self) -> bool:
        """Neither a sink nor an operator of RxPY shows a person what comes."""
        if self._stopping.is_set() or self._engine.is_fine or not self._sinks:
            return False
        return not any(sink.is_watched for sink in self._sinks)

    def _idle_s(self, patience: Patience) -> float:
        """For how long event time need not advance, in s, if no event comes."""
        due_ns = self._engine.due_ns
        return patience.seconds() if due_ns is None else max(patience.seconds(), (due_ns - time.monotonic_ns()) / 1e9)

    def _take(self, sender: Any, batch: Sequence[Any]) -> bool:
        """What a thread has read; False: a figure of the system, behind which nothing else is to be expected."""
        if self._engine.doors.take(sender, batch):
            return True
        hub: Hub[Any] = sender
        if self._saving is not None and self._saving.took(hub, batch):
            return False
        if batch[-1] is _END:
            self._engine.push(hub, batch[:-1])
            self._end_of(hub)
        else:
            self._engine.push(hub, batch)
        return hub.name not in _BESIDE

    def _end_of(self, hub: Hub[Any]) -> None:
        """A source has ended; where the run was stopped, and another one may go on, it only gives nothing more."""
        if self._saving is None:
            self._engine.end(hub)
            return
        whole = not self._stopping.is_set()
        self._saving.reached(hub, self._saving.place(hub, ended=whole))
        if whole:
            self._engine.end(hub)
        hub.ended = True

    def _take_next(self, timeout: float) -> None:
        item = self._inbox.get(timeout)
        if item is not None:
            self._take(*item)

    def _poll_here(self, hub: Hub[Any]) -> None:
        """Read a source to its end, between what the threads of sources have read that were opened since."""
        rest: list[Any] = []
        try:
            for batch in self._batches(hub, _patience(hub.reader), self._take_next):
                self._engine.push(hub, batch)
                if self._saving is not None:
                    if batch:
                        self._saving.reached(hub, self._saving.place(hub))
                    self._save()
                for _ in range(len(self._inbox)):  # what is there by now; more may come for ever
                    if not self._graph_done:
                        self._take_next(0)
                if self._graph_done:
                    break
        finally:
            rest = self._closed(hub)
        self._engine.push(hub, rest)
        self._end_of(hub)

    def on_batch(self, batch: Sequence[Any], /) -> None:
        """The end of the graph: every sink gets every batch, but for ticks and previews of answers, which only some want."""
        special = _SPECIAL.intersection(map(type, batch))
        plain = [item for item in batch if type(item) not in _SPECIAL] if special else batch
        self._tally.add(plain)
        if self._saving is not None:
            self._saving.emitted(len(batch))
        weights = weights_of(plain)
        for sink in self._taking:
            wanted = special.intersection(sink.wants)
            if wanted:
                more = [item for item in batch if type(item) not in _SPECIAL or type(item) in wanted]
                sink.put(more, weights_of(more))
            elif sink.keeps_ledger:
                for start in range(0, len(plain), _AT_ONCE):
                    self._let_catch_up(sink)
                    sink.put(plain[start : start + _AT_ONCE], weights[start : start + _AT_ONCE])
            elif plain:
                sink.put(plain, weights)

    def _let_catch_up(self, store: SinkThread) -> None:
        """
        After a stall of the machine all of it comes at once. A store that is behind, and takes more, is waited for: until the
        box before the engine is half full too, that loses nothing.
        """
        if store.fill < _CAUGHT_UP:
            self._behind_s = 0.0
        while store.fill > _BEHIND > self._inbox.fill and store.takes and self._behind_s < _BEHIND_MOST_S:
            time.sleep(_BEHIND_S)
            self._behind_s += _BEHIND_S
            self._looked_s = time.monotonic()

    def on_completed(self) -> None:
        self._graph_done = True
        if not all(reading.hub.ended for reading in self._readers):
            self._ended_by = "graph"

    def on_error(self, error: Exception, /) -> None:
        self._ended_by = "graph"
        self._graph_done = True
        if self._error is None:
            self._error = self._engine.failure(error)
            self._failures.append(str(self._error))

    # -- reader threads --------------------------------------------------------------------------------------------

    def _read(self, hub: Hub[Any]) -> None:
        dropped = Overflow()
        try:
            for batch in self._batches(hub, _patience(hub.reader)):
                dropped = self._hand_over(hub, batch, dropped)
        except BaseException as stopped:
            self._stop_by(stopped)
        finally:
            self._end_reading(hub, dropped)

    def _end_reading(self, hub: Hub[Any], dropped: Overflow) -> None:
        rest = self._closed(hub)
        if dropped:
            rest.append(_queue_full(dropped))
        self._inbox.put_anyway([*rest, _END], sender=hub)
        for reading in self._readers:  # where all that is watched has ended, theirs has too
            reading.hub.wake()

    def _read_together(self, hubs: Sequence[Hub[Any]]) -> None:
        """Several sources, each without a wait, and one wait for all of them."""
        at_once, patience = Patience(0.0, 0.0), Patience(*_ASLEEP_S)
        reading = {hub: self._batches(hub, at_once) for hub in hubs}
        dropped = dict.fromkeys(hubs, Overflow())
        waiter: Waiter | None = None
        try:
            while reading:
                for hub, batches in tuple(reading.items()):
                    batch = next(batches, None)
                    if batch is None:
                        del reading[hub]
                        if waiter is not None:
                            waiter.close()
                            waiter = None
                        self._end_reading(hub, dropped.pop(hub))
                        continue
                    dropped[hub] = self._hand_over(hub, batch, dropped[hub])
                    if batch:
                        patience.came()
                readers: list[Any] = [hub.reader for hub in reading]
                if readers:
                    if waiter is None:
                        waiter = _waiter_of(readers)
                    waiter.wait(min(patience.seconds(), *(reader.due_s for reader in readers)))
        except Exception as error:
            self._failures.append(f"{', '.join(hub.name for hub in reading)}: their thread stopped: {words_of(error, repr)}")
        except BaseException as stopped:
            self._stop_by(stopped)
        finally:
            if waiter is not None:
                waiter.close()
            for hub in reading:
                self._end_reading(hub, dropped[hub])

    def _batches(
        self, hub: Hub[Any], patience: Patience, pause: Callable[[float], object] = time.sleep
    ) -> Iterator[Sequence[Any]]:
        """The events of a source, until its end, the end of the run, or a failure, which is noted."""
        reader = hub.reader
        counted_s, came = time.monotonic(), False
        try:
            while not self._stopping.is_set() and hub.wanted:
                if not hub.live and self._crowded(hub):
                    pause(_IDLE_S)
                    yield ()
                    continue
                batch = reader.poll(patience.seconds())
                if batch is None:
                    break
                yield batch if self._saving is None else self._saving.unseen(hub, batch)
                if batch:
                    patience.came()
                    came = True
                now_s = time.monotonic()
                if now_s - counted_s >= (_COUNTED_S if came else _QUIET_COUNTED_S):
                    counted_s, came = now_s, False
                    yield reader.lost()
            yield reader.lost()
        except AgentsightError as error:
            self._failures.append(f"{hub.name}: {error}")
        except Exception as error:
            self._failures.append(f"{hub.name}: the reader stopped: {words_of(error, repr)}")

    def _closed(self, hub: Hub[Any]) -> list[Any]:
        """The events that were still under way."""
        try:
            rest = hub.reader.close()
            return list(rest if self._saving is None else self._saving.unseen(hub, rest))
        except Exception as error:
            self._failures.append(f"{hub.name}: the reader did not close: {words_of(error, repr)}")
        except BaseException as stopped:
            self._stop_by(stopped)
        return []

    def _hand_over(self, hub: Hub[Any], batch: Sequence[Any], owed: Overflow) -> Overflow:
        """Put `batch` after a Loss for events that were dropped before; returns the drops that are not reported yet."""
        if self._shed_from:
            batch = _shed(batch, self._shed_from)
        if not batch:
            return owed
        if owed:
            batch = [_queue_full(owed), *batch]
        now = self._inbox.put(batch, sender=hub)
        if self._saving is not None:
            self._inbox.put_anyway([self._saving.place(hub)], sender=hub)
        if owed and now.count == len(batch):
            return Overflow(owed.count + now.count - 1, owed.size + now.size)
        return now

    def _crowded(self, hub: Hub[Any]) -> bool:
        """Its source waits. One that the engine reads itself puts nothing into the box."""
        here = self._polled_here is not None and self._polled_here.hub is hub
        return (
            (self._inbox.fill > _ROOM / 4 and not here)
            or self._engine.doors.are_crowded
            or any(sink.fill > _ROOM for sink in self._sinks)
        )


def _silent(stage: Meter) -> str:
    """A sentence on a stage that is not of this package, where it emitted nothing and counted nothing."""
    if not stage.seen or stage.passed or stage.lost():
        return ""
    return f"{stage.stage.rpartition('/')[2]} took {plural(stage.seen, 'event')} and emitted none."


def _to(bugs: SinkThread) -> Callable[[Site, Exception, int, int, object], None]:
    redact = Redactor(os.urandom(32)).short

    def give(site: Site, error: Exception, count: int, size: int, event: object) -> None:
        bugs.put([bug_of(site.name, error, event, (count, size), redact)])

    return give


def _waiter_of(readers: Sequence[Shares]) -> Waiter:
    return readers[0].waiter(readers)


def _patience(reader: Reader[Any]) -> Patience:
    return Patience(*(_ASLEEP_S if isinstance(reader, Wakes) else (_POLL_S, _QUIET_POLL_S)))


def _shed(batch: Sequence[Any], least: int) -> Sequence[Any]:
    """The batch without the contents of at least so many bytes, and a Loss for them."""
    weights = weights_of(batch)
    shed = [weight for weight in weights if weight >= least]
    if not shed:
        return batch
    now, note = Origin(time.monotonic_ns(), 0), "memory was over the soft limit"
    loss = Loss(now, "inbox", reason=Reason.SHED, count=len(shed), size=sum(shed), note=note)
    return [loss, *(item for item, weight in zip(batch, weights, strict=True) if weight < least)]


def _queue_full(dropped: Overflow) -> Loss:
    now, note = Origin(time.monotonic_ns(), 0), "the engine was too slow"
    return Loss(now, "inbox", reason=Reason.QUEUE_FULL, count=dropped.count, size=dropped.size, note=note)
