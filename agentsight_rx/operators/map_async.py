"""
A coroutine, or a function that blocks, for each event -> its answers: looking up, asking a model, writing to a database.

The function runs on other threads, at most `limit` calls at once; all else happens on the thread of the run.

Longer than 300 lines because the calls under way, the order of their answers and the end are one state.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, Generic, TypeAlias, TypeVar, cast, overload

import msgspec
from msgspec import Struct
from reactivex import abc
from reactivex.disposable import CompositeDisposable, Disposable

from ..core.engine import Engine, Site
from ..core.errors import UsageError
from ..core.hub import Outlet
from ..core.machine import Halted, Kernel, Node, encode_state
from ..core.options import Options, above, at_least
from ..core.stream import Operator, Root, Stream
from ..events import Event
from ..events.loss import Reason

A = TypeVar("A")
B = TypeVar("B")

_ROOM = 65_536  # events that wait to be asked about; a recorded source waits from _CROWD calls on
_CROWD = 4
HELD = 64  # times as many answers as calls may wait for an earlier one


class MapAsync(Options, frozen=True):
    limit: Annotated[int, at_least(1)] = 8
    timeout: Annotated[float, above(0)] | None = None


@overload
def map_async(
    function: Callable[[A], Awaitable[B]],
    *,
    limit: int = 8,
    ordered: bool = True,
    timeout: float | None = None,
    event_type: Any = Event,
    name: str = "map_async",
) -> Operator[A, B]: ...
@overload
def map_async(
    function: Callable[[A], B],
    *,
    limit: int = 8,
    ordered: bool = True,
    timeout: float | None = None,
    event_type: Any = Event,
    name: str = "map_async",
) -> Operator[A, B]: ...
def map_async(
    function: Callable[[Any], Any],
    *,
    limit: int = 8,
    ordered: bool = True,
    timeout: float | None = None,
    event_type: Any = Event,
    name: str = "map_async",
) -> Operator[Any, Any]:
    """
    Replace each event by what `function` answers: a coroutine function, which runs in a loop of its own, or one that blocks,
    which runs in a thread. At most `limit` calls are under way. Answers come in the order of the events, or as they come.

        --a--b-----------|
        [   map_async()  ]
        -------A---B-----|

    While many events wait, a recorded source waits too. A live one does not: events beyond 65,536 are counted as `queue_full`.
    A call that raises, or takes longer than `timeout` seconds, is an error at its event, as `on_bug` of `run` says; a function
    that blocks goes on in its thread. A run that is saved keeps the events, of `event_type`, that have no answer yet, and asks
    about them again.
    """
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise UsageError(f"op.{name} wants a function that returns one answer, and {function.__name__} yields")
    options = MapAsync(limit=limit, timeout=timeout)
    return _MapAsync(name, function, options=options, ordered=ordered, event_type=event_type)


class _MapAsync(Operator[A, B]):
    def __init__(self, name: str, function: Callable[[A], Any], options: MapAsync, *, ordered: bool, event_type: Any) -> None:
        super().__init__(
            name,
            partial(_no_kernel, name),
            f"limit={options.limit}" + ("" if ordered else ", as they come"),
            authors=(function,),
        )
        self.function = function
        self.limit = options.limit
        self.timeout = options.timeout
        self.ordered = ordered
        self.event_type = event_type

    def after(self, source: Stream[Any]) -> Stream[B]:
        return Stream[B](cast("Root[B]", _Asked(source, self)))


def _no_kernel(name: str, _: Site) -> Kernel[Any, Any]:
    raise UsageError(f"{name} works on other threads, so it stands in a graph of your own: it cannot be a --pipe")


class _Asked(Generic[A, B]):
    """The stream behind the operator."""

    def __init__(self, source: Stream[A], operator: _MapAsync[A, B]) -> None:
        self._source = source
        self._operator = operator
        self.name = source.name

    def attach(self, engine: Engine, outlet: Outlet[B], /) -> abc.DisposableBase:
        asking = _Asking(
            engine, Site(engine, f"{self.name}/{self._operator.name}", ours=self._operator.ours), self._operator, outlet
        )
        return CompositeDisposable(self._source.attach(engine, asking), engine.add(asking), Disposable(asking.close))

    def node(self) -> Node:
        return Node(self._operator.name, self._operator.options, (self._source.node(),))


class _Answer(Struct, frozen=True):
    number: int
    value: Any
    error: BaseException | None


class _Asking(Generic[A, B]):
    """One run: events that wait, calls under way, and answers that wait for an earlier one."""

    singles = 0  # answers come when they come
    is_endless = False

    def __init__(self, engine: Engine, site: Site, operator: _MapAsync[A, B], outlet: Outlet[B]) -> None:
        self._doors = engine.doors
        self._site = site
        self._operator = operator
        self._outlet = outlet
        self._waiting: deque[A] = deque()
        self._asked: dict[int, A] = {}  # by number, in the order of the events
        self._answers: dict[int, _Answer] = {}
        self._next = 0  # number of the next call
        self._ended = self._done = False
        self._caller: Caller | None = None

    # -- upstream ------------------------------------------------------------------------------------------------------

    def on_batch(self, batch: Sequence[A], /) -> None:
        if self._done:
            return
        meter = self._site.meter
        meter.seen += len(batch)
        room = _ROOM - len(self._waiting)
        if len(batch) > room:
            meter.lose(Reason.QUEUE_FULL, len(batch) - room)
        self._waiting.extend(batch[:room])
        self._ask()

    def on_completed(self) -> None:
        self._ended = True
        self._end_if_done()

    def on_error(self, error: Exception, /) -> None:
        """Open calls are lost with it."""
        self._fail(error)

    @property
    def is_crowded(self) -> bool:
        return len(self._waiting) > _CROWD * self._operator.limit

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        limit = self._operator.limit
        if self._caller is None and self._waiting:
            self._caller = Caller(self._operator.function, self._operator.timeout)
        while self._waiting and len(self._asked) - len(self._answers) < limit and len(self._asked) < HELD * limit:
            event, number = self._waiting.popleft(), self._next
            self._next += 1
            self._asked[number] = event
            cast("Caller", self._caller).call(event, partial(self._answered, number))
        if self._asked:
            self._doors.open[self] = None

    def _answered(self, number: int, value: object, error: BaseException | None) -> None:
        """On another thread."""
        self._doors.hand(_Answer(number, value, error), self._take)

    def _take(self, answers: Sequence[_Answer]) -> None:
        self._doors.answered += len(answers)
        for answer in answers:
            if answer.number in self._asked:
                self._answers[answer.number] = answer
        out: list[B] = []
        for number in self._ready():
            event, answer = self._asked.pop(number), self._answers.pop(number)
            if answer.error is None:
                out.append(answer.value)
                continue
            if not isinstance(answer.error, Exception):
                self._emit(out)
                raise answer.error  # sys.exit
            try:
                self._site.bug(answer.error, event=event)
            except Halted:
                self._emit(out)
                self._fail(answer.error)
                return
        self._emit(out)
        self._ask()
        self._end_if_done()

    def _ready(self) -> list[int]:
        """The numbers of answers that go out now."""
        if not self._operator.ordered:
            return list(self._answers)
        ready: list[int] = []
        for number in self._asked:
            if number not in self._answers:
                break
            ready.append(number)
        return ready

    def _emit(self, out: Sequence[B]) -> None:
        if out:
            self._site.meter.passed += len(out)
            self._outlet.on_batch(out)

    # -- the end -------------------------------------------------------------------------------------------------------

    @property
    def _unanswered(self) -> list[A]:
        return [*self._asked.values(), *self._waiting]

    def _end_if_done(self) -> None:
        if not self._asked and not self._waiting:
            self._doors.open.pop(self, None)
            if self._ended and not self._done:
                self.close()
                self._outlet.on_completed()

    def _fail(self, error: Exception) -> None:
        if not self._done:
            self._lose()
            self._outlet.on_error(error)

    def _lose(self) -> None:
        self._site.meter.lose(Reason.UNFINISHED, len(self._unanswered))
        self.close()

    def give_up(self) -> None:
        """On the thread of the run: answers that are there go out, and no other is waited for any longer."""
        good = [number for number in self._asked if number in self._answers and self._answers[number].error is None]
        answers = [self._answers.pop(number).value for number in good]
        for number in good:
            del self._asked[number]
        self._emit(answers)
        if not self._done:
            self._lose()
            self._outlet.on_completed()

    def close(self) -> None:
        """Nothing is wanted any more: neither what waits nor an answer that comes."""
        self._done = True
        self._asked, self._answers, self._waiting = {}, {}, deque()
        self._doors.open.pop(self, None)
        if self._caller is not None:
            self._caller.close()

    # -- saving --------------------------------------------------------------------------------------------------------

    def tick(self, now_ns: int, /) -> None:
        pass

    def snapshot(self) -> list[bytes]:
        return [encode_state(self._unanswered)]

    def restore(self, states: Sequence[bytes], /) -> None:
        kept: list[A] = msgspec.msgpack.decode(states[0], type=list[self._operator.event_type])  # type: ignore[name-defined]
        self._waiting.extend(kept)
        self._ask()


Answered: TypeAlias = Callable[[Any, "BaseException | None"], None]


class Caller:
    """A loop on a thread of its own, which calls a function."""

    def __init__(self, function: Callable[[Any], Any], timeout_s: float | None) -> None:
        self._function = function
        self._is_async = inspect.iscoroutinefunction(function)
        self._timeout_s = timeout_s
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        threading.Thread(target=self._run, name="map_async", daemon=True).start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        with suppress(Exception):
            self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    def call(self, event: object, answer: Answered) -> None:
        self._loop.call_soon_threadsafe(self._begin, event, answer)

    def _begin(self, event: object, answer: Answered) -> None:
        task = self._loop.create_task(self._call(event, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _call(self, event: object, answer: Answered) -> None:
        limit = asyncio.timeout(self._timeout_s)
        try:
            async with limit:
                value = await (self._function(event) if self._is_async else self._in_thread(event))
                while inspect.isawaitable(value):  # of a function that returns one
                    value = await value
        except TimeoutError as error:
            answer(None, TimeoutError(f"no answer in {self._timeout_s} s") if limit.expired() else error)
        except asyncio.CancelledError:
            if self._closed:
                raise
            answer(None, RuntimeError("the call was cancelled"))
        except BaseException as error:
            answer(None, error)
        else:
            answer(value, None)

    def _in_thread(self, event: object) -> asyncio.Future[Any]:
        """A daemon, unlike the threads of an executor: a call that hangs keeps no program from ending."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def settle(value: object, error: BaseException | None) -> None:
            if not future.done():
                future.set_result(value) if error is None else future.set_exception(error)

        def work() -> None:
            value: Any = None
            failed: BaseException | None = None
            try:
                value = self._function(event)
            except StopIteration as error:  # which no future takes
                failed = RuntimeError(f"StopIteration: {error}")
            except BaseException as error:
                failed = error
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(settle, value, failed)

        threading.Thread(target=work, name="map_async call", daemon=True).start()
        return future

    def close(self) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        self._closed = True
        for task in self._tasks:
            task.cancel()
        self._loop.stop()
