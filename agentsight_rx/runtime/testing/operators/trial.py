"""An operator and one input -> the promises that all operators keep, each tried with this input."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct
from reactivex import operators as ops

from ....core.engine import Engine, Site
from ....core.machine import Kernel
from ....core.stream import Operator, of
from ....events.loss import Entry, Reason
from .driven import START_NS, Case, Law

A = TypeVar("A")
B = TypeVar("B")


class _Outcome(Struct):
    out: list[Any]
    losses: dict[Reason, tuple[int, int]]  # (count, bytes), of all stages that the operator is made of


class Trial(Generic[A, B]):
    """One operator and one input."""

    def __init__(self, case: Case[A, B], events: list[A]) -> None:
        self.case = case
        self.events = events
        self.operator = case.operator()
        self.whole = self.outcome([events])
        self.singles = [[event] for event in events]

    def outcome(
        self,
        batches: Sequence[Sequence[A]],
        around: Callable[[Site], Kernel[A, B]] | None = None,
        *,
        strict: bool = True,
    ) -> _Outcome:
        engine = Engine(strict=strict)
        out: list[B] = []
        operator = self.operator if around is None else Operator(self.operator.name, around)
        of(*batches, time_of=self.case.time_of).pipe(operator).subscribe(out.append, scheduler=engine)
        engine.run_inline()
        return _Outcome(self.case.joined(out), _totals(engine.ledger.entries()))

    def any_cutting_gives_the_same_output(self, batches: Sequence[Sequence[A]]) -> None:
        assert self.whole == self.outcome(self.singles), "one event a batch"
        assert self.whole == self.outcome(batches), "cut anywhere"
        engine, out = Engine(), list[B]()
        behind = of(*batches, time_of=self.case.time_of).pipe(ops.map(_unchanged)).pipe(self.operator)
        behind.subscribe(out.append, scheduler=engine)
        engine.run_inline()
        assert self.whole.out == self.case.joined(out), "behind a stock operator"

    def it_goes_on_from_a_snapshot_anywhere(self, batches: Sequence[Sequence[A]]) -> None:
        for cut in (self.singles, batches):
            resumed = self.outcome(cut, lambda site: _Resumed(lambda: self.operator.kernel(site)))
            assert self.whole == resumed, "restored from a snapshot before every batch and tick"

    def nothing_vanishes(self, batches: Sequence[Sequence[A]]) -> None:
        law = self.case.law
        if law is not None:
            assert self.whole == self.outcome(batches, lambda site: _Weighed(self.operator.kernel(site), site, law))

    def it_touches_nothing_but_its_own_state(self, batches: Sequence[Sequence[A]]) -> None:
        watched: list[_Watched[A, B]] = []

        def around(site: Site) -> Kernel[A, B]:
            watched.append(_Watched(self.operator.kernel(site)))
            return watched[-1]

        assert self.whole == self.outcome(batches, around), "looked at and ticked twice"
        watched[0].batches_are_as_they_were()

    def two_subscriptions_share_nothing(self) -> None:
        engine, one, other = Engine(), list[B](), list[B]()
        stream = of(*self.singles, time_of=self.case.time_of).pipe(self.operator)
        stream.subscribe(one.append, scheduler=engine)
        stream.subscribe(other.append, scheduler=engine)
        engine.run_inline()
        assert self.whole.out == self.case.joined(one), "the first of two subscriptions"
        assert self.whole.out == self.case.joined(other), "the second of two subscriptions"

    def it_goes_on_behind_a_bug(self, make_poison: Callable[[int], A], place: int) -> None:
        place = 0 if self.case.forgets else place
        events, time_of = self.events, self.case.time_of
        poison = make_poison(time_of(events[min(place, len(events) - 1)]) if events else START_NS)
        poisoned = [*events[:place], poison, *events[place:]]
        with contextlib.redirect_stderr(io.StringIO()):
            after = self.outcome([poisoned], strict=False)
        assert self.whole.out == after.out, "the events around one at which it raises"
        assert after.losses.get(Reason.BUG, (0, 0))[0] == 1, "a bug is counted"
        try:
            self.outcome([poisoned])
        except Exception:
            return
        raise AssertionError("where the engine is strict a bug is raised")


class _Around(Kernel[A, B]):
    """A kernel that looks at another one."""

    def __init__(self, inner: Kernel[A, B]) -> None:
        self.inner = inner

    def feed(self, batch: Sequence[A], /) -> Sequence[B]:
        return self.inner.feed(batch)

    def tick(self, now_ns: int, /) -> Sequence[B]:
        return self.inner.tick(now_ns)

    def finish(self) -> Sequence[B]:
        return self.inner.finish()

    def snapshot(self) -> bytes:
        return self.inner.snapshot()

    def restore(self, state: bytes, /) -> None:
        self.inner.restore(state)

    def held(self) -> int:
        return self.inner.held()


class _Resumed(_Around[A, B]):
    """Before each batch the state is saved, and a new kernel goes on from it."""

    def __init__(self, make: Callable[[], Kernel[A, B]]) -> None:
        super().__init__(make())
        self._make = make

    def _resume(self) -> None:
        held = self.inner.held()
        state = self.inner.snapshot()
        self.inner = self._make()
        self.inner.restore(state)
        assert held == self.inner.held(), "what it holds after a restore"

    def feed(self, batch: Sequence[A], /) -> Sequence[B]:
        self._resume()
        return super().feed(batch)

    def tick(self, now_ns: int, /) -> Sequence[B]:
        self._resume()
        return super().tick(now_ns)

    def finish(self) -> Sequence[B]:
        self._resume()
        return super().finish()


class _Weighed(_Around[A, B]):
    """After every step: what came in went out, was counted as lost, or is still inside."""

    def __init__(self, inner: Kernel[A, B], site: Site, law: Law[A, B]) -> None:
        super().__init__(inner)
        self._site = site
        self._law = law
        self._weight = 0

    def feed(self, batch: Sequence[A], /) -> Sequence[B]:
        self._weight += sum(map(self._law.weigh_in, batch))
        return self._balanced(super().feed(batch), "a batch")

    def tick(self, now_ns: int, /) -> Sequence[B]:
        return self._balanced(super().tick(now_ns), "a tick")

    def finish(self) -> Sequence[B]:
        out = self._balanced(super().finish(), "its end")
        assert self.held() == 0, "nothing is held after the end"
        return out

    def _balanced(self, out: Sequence[B], step: str) -> Sequence[B]:
        self._weight -= sum(map(self._law.weigh_out, out))
        entries = [entry for entry in self._site.meter.entries() if entry.reason not in self._law.unseen]
        lost = sum(entry.count if self._law.unit == "events" else entry.size for entry in entries)
        assert self._weight == lost + self.held(), f"{self._law.unit}: in - out == lost + held, after {step}"
        return out


class _Watched(_Around[A, B]):
    """Looks at it all the time, ticks twice, and remembers every batch."""

    def __init__(self, inner: Kernel[A, B]) -> None:
        super().__init__(inner)
        self._seen: list[tuple[Sequence[Any], list[Any]]] = []

    def feed(self, batch: Sequence[A], /) -> Sequence[B]:
        given = list(batch)
        self._remember(given)
        return self._looked_at(super().feed(given))

    def tick(self, now_ns: int, /) -> Sequence[B]:
        out = self._looked_at(super().tick(now_ns))
        before = self.inner.snapshot()
        assert not super().tick(now_ns), "a second tick at the same time gives nothing"
        assert before == self.inner.snapshot(), "a tick with nothing due changes nothing"
        return out

    def finish(self) -> Sequence[B]:
        return self._looked_at(super().finish())

    def _looked_at(self, out: Sequence[B]) -> Sequence[B]:
        self._remember(out)
        assert self.inner.snapshot() == self.inner.snapshot(), "a snapshot changes nothing"
        return out

    def _remember(self, batch: Sequence[Any]) -> None:
        self._seen.append((batch, list(batch)))

    def batches_are_as_they_were(self) -> None:
        for batch, copy in self._seen:
            assert copy == list(batch), "a batch that was handed over does not change"


def _totals(entries: Sequence[Entry]) -> dict[Reason, tuple[int, int]]:
    made: dict[Reason, tuple[int, int]] = {}
    for entry in entries:
        count, size = made.get(entry.reason, (0, 0))
        made[entry.reason] = (count + entry.count, size + entry.size)
    return made


def _unchanged(event: A) -> A:
    return event
