"""
An operator by itself, event by event and tick by tick -> what it emits: the rules that make its output the same on any machine.

They are those of docs/cluster.md: a key depends on its own events in order; time is that of events and of the ticks between
them, however many there are; no clock and no random number is asked; the end of the input is said, once.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeVar

from hypothesis import strategies as st
from msgspec import Struct

from ....core.engine import Engine, Site
from ....core.machine import Kernel
from ....core.reading import STEP_NS, next_step
from ....core.stream import Operator
from ....events import time_of
from ....events.loss import Reason

if TYPE_CHECKING:
    from hypothesis import strategies as st


# -- cuts ----------------------------------------------------------------------------------------------------------
# Events -> a strategy of hypothesis that cuts them into batches.


E = TypeVar("E")


@st.composite
def batches_of(draw: st.DrawFn, events: Sequence[E]) -> list[Sequence[E]]:
    """`events` cut at random places; some batches are empty."""
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=6)))
    return [events[start:end] for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True)]


# -- laws ----------------------------------------------------------------------------------------------------------
# What the author of an operator knows about it: the input of the shared test, and the laws that it checks besides its own.


START_NS = 5_000_000_000_000  # a machine that has been up for a while: time never begins at 0

A = TypeVar("A")
B = TypeVar("B")


class Law(Struct, Generic[A, B], frozen=True):
    """
    `weight in == weight out + lost + held`, in `unit`s: where that is events, a loss weighs its count, in bytes its size; what
    the operator counts for the `unseen` reasons was lost before it and weighs nothing.
    """

    unit: Literal["events", "bytes"]
    weigh_in: Callable[[A], int]
    weigh_out: Callable[[B], int]
    unseen: frozenset[Reason] = frozenset()


class Case(Struct, Generic[A, B], frozen=True):
    """
    One operator and what its author knows about it.

    An operator that hands on what it takes in has a `law`; one that only computes something from it has none.
    `poison(time_ns)` is an event at which the operator raises, of a key that no other event has; None: no event makes it raise.
    `joined` makes outputs comparable of an operator that may emit one event for several, depending on how its input was cut.
    `key` tells which events the operator knows together; None: all of them. What it makes of one key depends on no other.
    `aside` finds the output that says what was known at a moment: the ticks decide on it, so outputs are compared without it.
    `forgets` says that such a bug costs the operator its state of other events too, since it has one machine for all.
    """

    operator: Callable[[], Operator[A, B]]
    events: st.SearchStrategy[list[A]]
    law: Law[A, B] | None = None
    poison: Callable[[int], A] | None = None
    forgets: bool = False
    key: Callable[[A], Hashable] | None = None
    aside: Callable[[B], bool] = lambda _: False
    joined: Callable[[list[B]], list[B]] = list
    time_of: Callable[[Any], int] = time_of


# ------------------------------------------------------------------------------------------------------------------------


_BEHIND_NS = 60_000_000_000  # how long time goes on behind the last event: every timer is due by then
_CLOCKS = (
    *((time, name) for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")),
    *((time, name) for name in ("clock_gettime", "clock_gettime_ns", "localtime")),
    *((random, name) for name in ("random", "randint", "randrange", "choice", "shuffle", "sample", "getrandbits")),
    *((secrets, name) for name in ("token_bytes", "token_hex", "randbelow")),
    (os, "urandom"),
)


class Driven(Generic[A, B]):
    """One operator and one input. A plan is the ticks before each event, and the event; behind the last there is none."""

    def __init__(self, case: Case[A, B], events: Sequence[A], operator: Operator[A, B]) -> None:
        self._case, self._events, self._operator = case, events, operator
        self._key: Callable[[A], Hashable] = case.key or _no_key

    def a_key_knows_only_its_own_events(self) -> None:
        keys = dict.fromkeys(map(self._key, self._events))
        if len(keys) < 2:
            return
        plan = self._plan(self._events)
        whole = self._run(plan)
        alone = [self._run([(ticks, self._only(event, key)) for ticks, event in plan]) for key in keys]
        assert len(whole) == sum(map(len, alone)), "a key depends on the events of another one"
        for out in alone:
            assert _is_within(out, whole), "a key depends on the events of another one"

    def the_number_of_ticks_is_no_news(self, chance: random.Random) -> None:
        """Of the ticks between two events of a key the last one is enough."""
        for key in dict.fromkeys(map(self._key, self._events)):
            plan = self._plan([event for event in self._events if self._key(event) == key])
            expected = self._run(plan)
            assert expected == self._run([(ticks[-1:], event) for ticks, event in plan]), "more ticks, another output"
            some = [([*(tick for tick in ticks[:-1] if chance.random() < 0.3), *ticks[-1:]], event) for ticks, event in plan]
            assert expected == self._run(some), "more ticks, another output"

    def no_clock_and_no_chance_are_asked(self) -> None:
        kernel = _Timeless(self._kernel())
        self._run(self._plan(self._events), kernel)

    def the_end_is_said_and_comes_once(self) -> None:
        kernel = self._kernel()
        for event in self._events:
            kernel.feed([event])
            before = kernel.snapshot()
            assert not kernel.feed([]), "no event is no end"
            assert before == kernel.snapshot(), "no event is no end"
        kernel.finish()
        assert not kernel.finish(), "an end comes once"

    def _kernel(self) -> Kernel[A, B]:
        return self._operator.kernel(Site(Engine(strict=True), "driven"))

    def _only(self, event: A | None, key: Hashable) -> A | None:
        return event if event is not None and self._key(event) == key else None

    def _plan(self, events: Sequence[A]) -> list[tuple[list[int], A | None]]:
        """The ticks as the engine makes them."""
        plan: list[tuple[list[int], A | None]] = []
        newest_ns = self._case.time_of(events[0]) if events else START_NS
        now_ns = newest_ns
        for event in [*events, None]:
            until_ns = newest_ns + _BEHIND_NS if event is None else self._case.time_of(event)
            ticks: list[int] = []
            while (step_ns := next_step(now_ns, newest_ns, STEP_NS)) <= until_ns:
                ticks.append(now_ns := step_ns)
            newest_ns = max(newest_ns, until_ns)
            plan.append((ticks, event))
        return plan

    def _run(self, plan: Sequence[tuple[Sequence[int], A | None]], kernel: Kernel[A, B] | None = None) -> list[B]:
        kernel = kernel or self._kernel()
        out: list[B] = []
        for ticks, event in plan:
            for now_ns in ticks:
                out += kernel.tick(now_ns)
            if event is not None:
                out += kernel.feed([event])
        out += kernel.finish()
        return [each for each in out if not self._case.aside(each)]


def _no_key(_: object) -> None:
    return None


def _is_within(part: Sequence[object], whole: Sequence[object]) -> bool:
    """All of it, in its order, perhaps with others between."""
    rest = iter(whole)
    return all(any(each == other for other in rest) for each in part)


class _Timeless(Kernel[A, B]):
    """A kernel in a world without clocks and chance."""

    def __init__(self, inner: Kernel[A, B]) -> None:
        self._inner = inner

    def feed(self, batch: Sequence[A], /) -> Sequence[B]:
        with _no_clocks():
            return self._inner.feed(batch)

    def tick(self, now_ns: int, /) -> Sequence[B]:
        with _no_clocks():
            return self._inner.tick(now_ns)

    def finish(self) -> Sequence[B]:
        with _no_clocks():
            return self._inner.finish()


@contextmanager
def _no_clocks() -> Generator[None]:
    kept = [(module, name, getattr(module, name)) for module, name in _CLOCKS]
    for module, name in _CLOCKS:
        setattr(module, name, _asked)
    try:
        yield
    finally:
        for module, name, function in kept:
            setattr(module, name, function)


def _asked(*_: object, **__: object) -> NoReturn:
    raise AssertionError("a clock or a random number was asked")
