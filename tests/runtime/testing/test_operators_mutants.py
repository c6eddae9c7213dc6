"""The component test is worth something only if it rejects operators that are broken: here are some, each in one way."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

import msgspec
import pytest
from hypothesis import strategies as st
from msgspec import Struct

from agentsight_rx.core.engine import Site
from agentsight_rx.core.kernels import each, keep
from agentsight_rx.core.machine import Bounded, Checkpointed, Kernel, Machine
from agentsight_rx.core.per_key import per_key
from agentsight_rx.core.stream import Operator
from agentsight_rx.events import Loss, Origin
from agentsight_rx.events.loss import Reason
from property_tests.component import Case, Law, check
from property_tests.hash_seeds import differing
from property_tests.strategies import START_NS

LONGEST = 4
SILENCE_NS = 100_000_000


class Piece(Struct, frozen=True):
    time_ns: int
    key: int
    text: str


class Line(Struct, frozen=True):
    key: int
    text: str


Out: TypeAlias = Line | Loss

texts = st.text("ab\n", min_size=1, max_size=7)
waits = st.sampled_from([0, 5_000_000, 45_000_000, 250_000_000])


@st.composite
def pieces(draw: st.DrawFn) -> list[Piece]:
    time_ns, made = START_NS, list[Piece]()
    for wait_ns, key, text in draw(st.lists(st.tuples(waits, st.integers(0, 2), texts), max_size=12)):
        time_ns += wait_ns
        made.append(Piece(time_ns, key, text))
    return made


def too_long(line: Line) -> bool:
    return len(line.text) > LONGEST


class Open(Struct):
    key: int
    rest: str
    last_ns: int


class Lines(Bounded[Piece, Out], Checkpointed[Open]):
    """Text -> lines with their ends; too long ones are counted; what waits for its end for 0.1 s goes out as it is."""

    def __init__(self) -> None:
        self.key = 0
        self.rest = ""
        self.last_ns = 0

    def feed(self, piece: Piece, /) -> Iterable[Out]:
        self.key, self.last_ns = piece.key, piece.time_ns
        *lines, self.rest = (self.rest + piece.text).split("\n")
        return [self.made(line + "\n") for line in lines]

    def made(self, text: str) -> Out:
        line = Line(self.key, text)
        return loss(len(text)) if too_long(line) else line

    def tick(self, now_ns: int, /) -> Iterable[Out]:
        return self.finish() if now_ns - self.last_ns > SILENCE_NS else ()

    def finish(self) -> Iterable[Out]:
        rest, self.rest = self.rest, ""
        return [self.made(rest)] if rest else []

    def held(self) -> int:
        return len(self.rest)

    def snapshot(self) -> Open:
        return Open(self.key, self.rest, self.last_ns)

    def restore(self, state: Open, /) -> None:
        self.key, self.rest, self.last_ns = state.key, state.rest, state.last_ns


def loss(size: int) -> Loss:
    return Loss(Origin(0, 0), "lines", Reason.TRUNCATED, 1, size)


def lines(machine: Callable[[], Machine[Piece, Out]]) -> Operator[Piece, Out]:
    return per_key(lambda piece: piece.key, machine, name="lines", key_type=int)


def weigh(item: Piece | Out) -> int:
    return 0 if isinstance(item, Loss) else len(item.text)


def trap(time_ns: int) -> Piece:
    nothing: Any = None
    return Piece(time_ns, 9, nothing)


def one(_: object) -> int:
    return 1


def weighable(piece: object) -> bool:
    return isinstance(getattr(piece, "text", None), str)


def key_of(piece: Piece) -> int:
    return piece.key


def of_lines(operator: Callable[[], Operator[Piece, Out]], *, forgets: bool = False) -> Case[Piece, Out]:
    return Case(
        operator,
        pieces(),
        law=Law("bytes", weigh, weigh),
        poison=trap,
        forgets=forgets,
        key=None if forgets else key_of,
        time_of=lambda piece: piece.time_ns,
    )


def of_pieces(operator: Callable[[], Operator[Piece, Piece]]) -> Case[Piece, Piece]:
    return Case(
        operator,
        pieces(),
        law=Law("events", one, one),
        poison=trap,
        time_of=lambda piece: piece.time_ns,
    )


def of_kernel(kernel: Callable[[Site], Kernel[Piece, Piece]]) -> Case[Piece, Piece]:
    return of_pieces(lambda: Operator("mutant", kernel))


def test_the_operators_from_which_the_mutants_are_made_pass() -> None:
    check(of_lines(lambda: lines(Lines)))
    check(of_lines(lambda: each(Lines, name="lines"), forgets=True))
    check(of_pieces(lambda: keep(lambda piece: piece.text[:1] > "a")))
    check(of_kernel(Upper))


# -- machines ----------------------------------------------------------------------------------------------------------


class KeepsItsStateInTheClass(Lines):
    texts: ClassVar[dict[int, str]] = {}

    def feed(self, piece: Piece, /) -> Iterable[Out]:
        self.rest = self.texts.get(piece.key, "")
        out = super().feed(piece)
        self.texts[piece.key] = self.rest
        return out


class ForgetsTheTextInItsSnapshot(Lines):
    def snapshot(self) -> Open:
        return Open(self.key, "", self.last_ns)


class ForgetsTheTimeInItsSnapshot(Lines):
    def snapshot(self) -> Open:
        return Open(self.key, self.rest, 0)


class GivesItsTextAwayWithTheSnapshot(Lines):
    def snapshot(self) -> Open:
        state = super().snapshot()
        self.rest = ""
        return state


class DropsWithoutCounting(Lines):
    def feed(self, piece: Piece, /) -> Iterable[Out]:
        return [line for line in super().feed(piece) if isinstance(line, Line)]


class EmitsTwice(Lines):
    def feed(self, piece: Piece, /) -> Iterable[Out]:
        out = list(super().feed(piece))
        return [*out, out[-1]] if len(out) > 2 else out


class CountsAndEmits(Lines):
    def made(self, text: str) -> Out:
        return Line(self.key, text)

    def feed(self, piece: Piece, /) -> Iterable[Out]:
        for line in super().feed(piece):
            yield line
            if isinstance(line, Line) and too_long(line):
                yield loss(len(line.text))


class SaysItHoldsNothing(Lines):
    def held(self) -> int:
        return 0


class DropsTheTailAtTheEnd(Lines):
    def tick(self, now_ns: int, /) -> Iterable[Out]:
        return super().finish() if now_ns - self.last_ns > SILENCE_NS else ()

    def finish(self) -> Iterable[Out]:
        self.rest = ""
        return ()


class KeepsTheTailAtTheEnd(Lines):
    def tick(self, now_ns: int, /) -> Iterable[Out]:
        return super().finish() if now_ns - self.last_ns > SILENCE_NS else ()

    def finish(self) -> Iterable[Out]:
        return ()


class SwallowsExceptions(Lines):
    def feed(self, piece: Piece, /) -> Iterable[Out]:
        try:
            return super().feed(piece)
        except TypeError:
            return ()


class CountsTicks(Lines):
    """Takes a tick for a piece of time: how many there are is no news."""

    def tick(self, now_ns: int, /) -> Iterable[Out]:
        self.last_ns -= 10_000_000
        return super().tick(now_ns)


class CountsTicksInSecret(Lines):
    def __init__(self) -> None:
        super().__init__()
        self.ticks = 0

    def tick(self, now_ns: int, /) -> Iterable[Out]:
        self.ticks += 1
        return super().finish() if self.ticks % 4 == 0 else ()


class RepeatsItselfAtEveryTick(Lines):
    def tick(self, now_ns: int, /) -> Iterable[Out]:
        return [Line(self.key, "")] if now_ns - self.last_ns > SILENCE_NS else ()


class KnowsTheNewestKey(Lines):
    """Of all keys together it keeps the text of the newest."""


class SaysWhenItTicked(Lines):
    """Its output has the time of the tick, not that at which it was due."""

    def tick(self, now_ns: int, /) -> Iterable[Out]:
        return [Line(self.key, f"{now_ns}") for _ in self.finish()] if now_ns - self.last_ns > SILENCE_NS else ()


class WaitsFromTheTick(Lines):
    """Its wait begins at the first tick that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.new = False

    def feed(self, piece: Piece, /) -> Iterable[Out]:
        self.new = True
        return super().feed(piece)

    def tick(self, now_ns: int, /) -> Iterable[Out]:
        if self.new:
            self.new, self.last_ns = False, now_ns
        return super().tick(now_ns)


class AsksTheClock(Lines):
    def feed(self, piece: Piece, /) -> Iterable[Out]:
        time.monotonic()
        return super().feed(piece)


class ThrowsDice(Lines):
    def finish(self) -> Iterable[Out]:
        random.random()
        return super().finish()


class DrawsBytes(Lines):
    def tick(self, now_ns: int, /) -> Iterable[Out]:
        os.urandom(1)
        return super().tick(now_ns)


# Each, and the promise that it breaks
MACHINES: dict[type[Lines], str] = {
    KeepsItsStateInTheClass: "one event a batch",
    ForgetsTheTextInItsSnapshot: "what it holds after a restore",
    ForgetsTheTimeInItsSnapshot: "restored from a snapshot",
    GivesItsTextAwayWithTheSnapshot: "a snapshot changes nothing",
    DropsWithoutCounting: "in - out == lost",
    EmitsTwice: "in - out == lost",
    CountsAndEmits: "in - out == lost",
    SaysItHoldsNothing: "in - out == lost",
    DropsTheTailAtTheEnd: "after its end",
    KeepsTheTailAtTheEnd: "after its end",
    SwallowsExceptions: "a bug is counted",
    CountsTicks: "a tick with nothing due changes nothing",
    CountsTicksInSecret: "a second tick at the same time|restored from a snapshot",
    RepeatsItselfAtEveryTick: "a second tick at the same time|more ticks, another output",
    SaysWhenItTicked: "more ticks, another output",
    WaitsFromTheTick: "restored from a snapshot|more ticks, another output",
    AsksTheClock: "a clock or a random number was asked",
    ThrowsDice: "a clock or a random number was asked",
    DrawsBytes: "a clock or a random number was asked",
}


@pytest.mark.parametrize(("machine", "promise"), MACHINES.items())
def test_a_broken_machine_is_rejected(machine: type[Lines], promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check(of_lines(lambda: lines(machine)), examples=200, shrink=False)


def test_a_key_that_knows_of_another_is_rejected() -> None:
    """One machine for all keys, which is not said."""
    with pytest.raises(AssertionError, match="a key depends on the events of another one"):
        check(
            msgspec.structs.replace(of_lines(lambda: each(KnowsTheNewestKey, name="lines"), forgets=True), key=key_of),
            examples=200,
            shrink=False,
        )


def test_a_machine_for_all_subscriptions_is_rejected() -> None:
    def one_machine() -> Operator[Piece, Out]:
        machine = Lines()
        return each(lambda: machine, name="lines")

    with pytest.raises(AssertionError, match=r"of two subscriptions|one event a batch"):
        check(of_lines(one_machine, forgets=True), examples=200, shrink=False)


# -- kernels -----------------------------------------------------------------------------------------------------------


class Upper(Kernel[Piece, Piece]):
    """One piece in, one out, in capital letters."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def feed(self, batch: Sequence[Piece], /) -> Sequence[Piece]:
        out: list[Piece] = []
        for piece in batch:
            try:
                out.append(self.made(piece))
            except Exception as error:
                self.site.bug(error)
        return out

    def made(self, piece: Piece) -> Piece:
        return Piece(piece.time_ns, piece.key, piece.text.upper())


class DropsTheTailOfABatch(Upper):
    def feed(self, batch: Sequence[Piece], /) -> Sequence[Piece]:
        out = super().feed(batch)  # all of it, so that a bug in the tail is still counted: this breaks one promise only
        return out[:-1] if len(batch) > 2 else out


class NumbersWithinTheBatch(Upper):
    def feed(self, batch: Sequence[Piece], /) -> Sequence[Piece]:
        return [Piece(piece.time_ns, number, piece.text) for number, piece in enumerate(super().feed(batch))]


class SortsItsInput(Upper):
    def feed(self, batch: Sequence[Piece], /) -> Sequence[Piece]:
        out = super().feed(batch)
        if isinstance(batch, list):
            batch.sort(key=lambda piece: piece.text or "")
        return out


class UsesOneListForAllBatches(Upper):
    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.out: list[Piece] = []

    def feed(self, batch: Sequence[Piece], /) -> Sequence[Piece]:
        self.out.clear()
        self.out += super().feed(batch)
        return self.out


class DropsTheBatchBehindABug(Upper):
    def feed(self, batch: Sequence[Piece], /) -> Sequence[Piece]:
        out: list[Piece] = []
        try:
            out.extend(map(self.made, batch))
        except Exception as error:
            self.site.bug(error)
        return out


class NeverRaises(Upper):
    def feed(self, batch: Sequence[Piece], /) -> Sequence[Piece]:
        good = [piece for piece in batch if weighable(piece)]
        self.site.meter.lose(Reason.BUG, len(batch) - len(good))
        return super().feed(good)


class FiltersWithoutCounting(Upper):
    def feed(self, batch: Sequence[Piece], /) -> Sequence[Piece]:
        return [piece for piece in super().feed(batch) if piece.key]


class CountsWhatItPassesOn(Upper):
    def feed(self, batch: Sequence[Piece], /) -> Sequence[Piece]:
        out = super().feed(batch)
        self.site.meter.lose(Reason.SAMPLED, sum(piece.key == 0 for piece in out))
        return out


class EndsTwice(Upper):
    ended = False

    def finish(self) -> Sequence[Piece]:
        again, self.ended = self.ended, True
        return [Piece(0, 0, "end")] if again else ()


class EndsWhereNothingComes(Upper):
    def feed(self, batch: Sequence[Piece], /) -> Sequence[Piece]:
        return super().feed(batch) if batch else [Piece(0, 0, "end")]


# Each, and the promise that it breaks
KERNELS: dict[type[Upper], str] = {
    DropsTheTailOfABatch: "one event a batch|the events around",
    NumbersWithinTheBatch: "one event a batch",
    SortsItsInput: "a batch that was handed over",
    UsesOneListForAllBatches: "a batch that was handed over",
    DropsTheBatchBehindABug: "the events around",
    NeverRaises: "where the engine is strict a bug is raised",
    FiltersWithoutCounting: "in - out == lost",
    CountsWhatItPassesOn: "in - out == lost",
    EndsTwice: "an end comes once",
    EndsWhereNothingComes: "no event is no end",
}


@pytest.mark.parametrize(("kernel", "promise"), KERNELS.items())
def test_a_broken_kernel_is_rejected(kernel: type[Upper], promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check(of_kernel(kernel), examples=200, shrink=False)


# -- what depends on the seed of hashes --------------------------------------------------------------------------------


class SpeaksInTheOrderOfASet(Lines):
    def made(self, text: str) -> Out:
        return Line(self.key, "".join({text, f"{text}a", f"{text}b", f"{text}c"}))


class Words(Struct):
    words: set[str]


class KeepsASet(Machine[Piece, Out], Checkpointed[Words]):
    """Its state has the same words in another order."""

    def __init__(self) -> None:
        self.state = Words(set())

    def feed(self, piece: Piece, /) -> Iterable[Out]:
        self.state.words |= {piece.text, f"{piece.text}a", f"{piece.text}b", f"{piece.text}c"}
        return ()


SEEDED: dict[str, Case[Any, Any]] = {
    "same": of_lines(lambda: lines(Lines)),
    "output": of_lines(lambda: lines(SpeaksInTheOrderOfASet)),
    "state": of_lines(lambda: lines(KeepsASet)),
}


def test_what_depends_on_the_seed_of_hashes_is_found() -> None:
    assert {"output", "state"} == differing(__name__, "SEEDED")
