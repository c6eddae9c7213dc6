"""
Functions and machines -> operators: change, keep, only, and each, which has one machine for all events.

Longer than 300 lines because all builders share how an error of a function is met.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from functools import partial
from itertools import compress
from typing import Any, TypeVar, cast, overload

import msgspec
from msgspec import Raw

from ..events import Loss
from ..events.loss import Reason
from .engine import Site
from .errors import refuse_others
from .machine import RAISED, Bounded, Checkpointed, Halted, Kernel, Machine, Malformed, encode_state
from .stream import Made, Operator, Taken

# -- compose -------------------------------------------------------------------------------------------------------
# Several operators -> one, under a name of its own. It costs nothing at run time.


A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
A_contra = TypeVar("A_contra", contravariant=True)
B_co = TypeVar("B_co", covariant=True)


@overload
def compose(name: str, o1: Operator[A, B], o2: Operator[B, C], /) -> Operator[A, C]: ...
@overload
def compose(name: str, o1: Operator[A, B], o2: Operator[B, C], o3: Operator[C, D], /) -> Operator[A, D]: ...
@overload
def compose(name: str, o1: Operator[A, B], o2: Operator[B, C], o3: Operator[C, D], o4: Operator[D, E], /) -> Operator[A, E]: ...
@overload
def compose(
    name: str, o1: Operator[A, B], o2: Operator[B, C], o3: Operator[C, D], o4: Operator[D, E], o5: Operator[E, F], /
) -> Operator[A, F]: ...
def compose(name: str, *operators: Operator[Any, Any]) -> Operator[Any, Any]:
    """
    One operator that applies `operators` in order. In a run, in the ledger and in --explain each of them has its own line.
    """
    return _Composed(name, operators)


class _Composed(Operator[A_contra, B_co]):
    def __init__(self, name: str, operators: Sequence[Operator[Any, Any]]) -> None:
        super().__init__(name, lambda site: _Sequence([each.kernel(site) for each in operators]), authors=operators)
        self._operators = operators

    @property
    def stages(self) -> tuple[Operator[Any, Any], ...]:
        return tuple(stage for operator in self._operators for stage in operator.stages)


class _Sequence(Kernel[A_contra, B_co]):
    """Several kernels as one. A `Stream` runs them apart; this is for other ways to run an operator."""

    def __init__(self, kernels: Sequence[Kernel[Any, Any]]) -> None:
        self._kernels = kernels

    def feed(self, batch: Sequence[A_contra], /) -> Sequence[B_co]:
        return self._through(0, batch)

    def _through(self, first: int, batch: Sequence[Any]) -> Sequence[Any]:
        for kernel in self._kernels[first:]:
            if not batch:
                break
            batch = kernel.feed(batch)
        return batch

    @property
    def ticks(self) -> bool:
        return any(kernel.ticks for kernel in self._kernels)

    def tick(self, now_ns: int, /) -> Sequence[B_co]:
        out: list[B_co] = []
        for place, kernel in enumerate(self._kernels, 1):
            out += self._through(place, kernel.tick(now_ns))
        return out

    def finish(self) -> Sequence[B_co]:
        out: list[B_co] = []
        for place, kernel in enumerate(self._kernels, 1):
            out += self._through(place, kernel.finish())
        return out

    def snapshot(self) -> bytes:
        return encode_state([kernel.snapshot() for kernel in self._kernels])

    def restore(self, state: bytes, /) -> None:
        for kernel, saved in zip(self._kernels, msgspec.msgpack.decode(state, type=list[bytes]), strict=True):
            kernel.restore(saved)

    def held(self) -> int:
        return sum(kernel.held() for kernel in self._kernels)


# ------------------------------------------------------------------------------------------------------------------------


K = TypeVar("K", bound=Hashable)


def change(function: Callable[[Taken], Made], *, name: str = "change") -> Operator[Taken, Made]:
    """Replace each event by `function(event)`."""
    return Operator(name, lambda site: _Change(site, function), authors=(function,))


def keep(predicate: Callable[[Taken], object], *, name: str = "keep", options: str = "") -> Operator[Taken, Taken]:
    """Emit the events for which `predicate` is true; the others are counted as filtered."""
    return Operator(name, lambda site: _Keep(site, predicate), options, authors=(predicate,))


@overload
def only(b: type[B], /) -> Operator[object, B]: ...
@overload
def only(b: type[B], c: type[C], /) -> Operator[object, B | C]: ...
@overload
def only(b: type[B], c: type[C], d: type[D], /) -> Operator[object, B | C | D]: ...
def only(*kinds: type[Any]) -> Operator[object, Any]:
    """
    Emit the events of these kinds, and let a type checker know it; the others are counted as filtered. More than three kinds
    need a `keep`.

        --HttpRequest--SseMessage--HttpResponse--|
        [           only(SseMessage)             ]
        ---------------SseMessage----------------|
    """
    refuse_others("op.only", "kinds of events", kinds, lambda kind: isinstance(kind, type), hint="write op.only(Kind)")
    return keep(lambda event: isinstance(event, kinds), name="only", options=", ".join(kind.__name__ for kind in kinds))


def each(machine: Callable[[], Machine[A, B]], *, name: str = "each", options: str = "") -> Operator[A, B]:
    """One machine sees every event."""
    return Operator(name, lambda site: _Each(site, machine), options, authors=(machine,))


def each_at(
    machine: Callable[[Site], Machine[A, B]], *, name: str, options: str = "", authors: Sequence[object] = ()
) -> Operator[A, B]:
    """The same for a machine that counts losses of its own. `authors`: the functions that it was given."""
    return Operator(name, lambda site: _Each(site, partial(machine, site)), options, authors=authors)


def apply(function: Callable[[A], B], batch: Sequence[A], site: Site, out: list[B], instead: Sequence[B] = ()) -> None:
    """
    Append to `out` what the function makes of each event, and `instead` of one at which it raises. It raises StopIteration too,
    which `map` takes for the end of its events.
    """
    events, before, missing = iter(batch), len(out), 0
    while True:
        error: BaseException = StopIteration()
        try:
            out.extend(map(function, events))
        except RAISED as raised:
            error = raised
        place = len(out) - before + missing
        if place == len(batch):
            return
        out += instead
        missing += 1 - len(instead)
        site.bug(error, event=batch[place])


class _Change(Kernel[A, B]):
    def __init__(self, site: Site, function: Callable[[A], B]) -> None:
        self._site = site
        self._function = function

    def feed(self, batch: Sequence[A], /) -> Sequence[B]:
        out: list[B] = []
        with suppress(Halted):
            apply(self._function, batch, self._site, out)
        return out


class _Keep(Kernel[A, A]):
    def __init__(self, site: Site, predicate: Callable[[A], object]) -> None:
        self._site = site
        self._predicate = predicate

    def feed(self, batch: Sequence[A], /) -> Sequence[A]:
        meter = self._site.meter
        before = meter.lost(Reason.BUG)
        verdicts: list[object] = []
        with suppress(Halted):
            apply(self._predicate, batch, self._site, verdicts, (False,))
        try:
            out = list(compress(batch, verdicts))
        except Exception:  # a verdict that is neither true nor false, such as an array
            answers, verdicts = verdicts, []
            with suppress(Halted):
                apply(bool, answers, self._site, verdicts, (False,))
            out = list(compress(batch, verdicts))
        if len(out) < len(verdicts):
            meter.lose(Reason.FILTERED, len(verdicts) - len(out) - (meter.lost(Reason.BUG) - before))
        return out


class _Each(Kernel[A, B]):
    def __init__(self, site: Site, machine: Callable[[], Machine[A, B]]) -> None:
        self._site = site
        self._make = machine
        self._machine = machine()

    def feed(self, batch: Sequence[A], /) -> Sequence[B]:
        out: list[B] = []
        with suppress(Halted):
            for event in batch:
                try:
                    out += self._machine.feed(event)
                except Malformed as broken:
                    self._restart(broken, out)
                except RAISED as error:
                    self._bug(error, event)
        count_losses(self._site, out, batch)
        return out

    def _bug(self, error: BaseException, event: object = None) -> None:
        held = held_of(self._machine)
        self._machine = self._make()
        self._site.bug(error, 1, held, event)

    def _restart(self, broken: Malformed, out: list[B]) -> None:
        out.extend(broken.after)
        self._site.meter.lose(Reason.MALFORMED, 1, broken.lost)
        self._machine = self._make()

    @property
    def ticks(self) -> bool:
        return type(self._machine).tick is not Machine[Any, Any].tick

    def tick(self, now_ns: int, /) -> Sequence[B]:
        return self._guarded(partial(self._machine.tick, now_ns))

    def finish(self) -> Sequence[B]:
        return self._guarded(self._machine.finish)

    def _guarded(self, act: Callable[[], Any]) -> list[B]:
        out: list[B] = []
        try:
            out.extend(act())
        except Malformed as broken:
            self._restart(broken, out)
        except RAISED as error:
            with suppress(Halted):
                self._bug(error)
        if out:
            count_losses(self._site, out)
        return out

    def snapshot(self) -> bytes:
        state = parts_of(self._machine, self._make)
        return encode_state(state) if isinstance(self._machine, Checkpointed) else b""

    def restore(self, state: bytes, /) -> None:
        resume(self._machine, state)

    def held(self) -> int:
        return held_of(self._machine)


def held_of(machine: Machine[Any, Any]) -> int:
    return machine.held() if isinstance(machine, Bounded) else 0


def parts_of(machine: Machine[Any, Any], make: Callable[[], Machine[Any, Any]]) -> Any:
    """The state of a machine, to be encoded at once. One that is not Checkpointed must have none."""
    if isinstance(machine, Checkpointed):
        return cast("Checkpointed[Any]", machine).snapshot()
    if vars(machine) != vars(make()):
        raise TypeError(f"{type(machine).__name__} has a state and is not Checkpointed, so that it cannot be resumed")
    return None


def resume(machine: Machine[Any, Any], state: bytes | Raw) -> None:
    if isinstance(machine, Checkpointed):
        cast("Checkpointed[Any]", machine).restore(msgspec.msgpack.decode(state, type=machine.state_type))


def count_losses(site: Site, out: Sequence[Any], fed: Sequence[Any] = ()) -> None:
    """Enter the losses that machines emit into the ledger. One that they were fed was counted where it arose."""
    if out and Loss in set(map(type, out)):
        losses = [event for event in out if type(event) is Loss]
        known = [event for event in fed if type(event) is Loss]
        for loss in losses:
            place = next((place for place, each in enumerate(known) if _same(loss, each)), None)
            if place is None:
                site.meter.lose(loss.reason, loss.count, loss.size)
            else:
                del known[place]


def _same(one: Loss, other: Loss) -> bool:
    """The same loss, perhaps with another origin: `normalize` gives it the time of day."""
    return (one.stage, one.reason, one.count, one.size) == (other.stage, other.reason, other.count, other.size)
