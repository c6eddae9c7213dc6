"""Several operators under one name."""

from __future__ import annotations

import pytest

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.kernels import change, compose, each, keep
from agentsight_rx.core.machine import Bounded, Checkpointed, Machine
from agentsight_rx.core.stream import Operator, of


class Pairs(Bounded[int, int], Checkpointed[list[int]]):
    """Adds up two and two."""

    def __init__(self) -> None:
        self.state: list[int] = []

    def feed(self, number: int, /) -> list[int]:
        self.state.append(number)
        return self.finish() if len(self.state) == 2 else []

    def tick(self, now_ns: int, /) -> list[int]:
        return self.finish() if now_ns > 1 else []

    def finish(self) -> list[int]:
        total = [sum(self.state)] if self.state else []
        self.state = []
        return total

    def held(self) -> int:
        return len(self.state)


def both() -> Operator[int, int]:
    return compose("both", each(Pairs, name="pairs"), compose("rest", change(lambda each: each + 1), keep(bool)))


def test_in_a_run_each_part_stands_by_itself() -> None:
    engine, out = Engine(), list[int]()
    stream = of([1, 2, 3]).pipe(both())
    stream.subscribe(out.append, scheduler=engine)
    engine.run_inline()
    assert out == [4, 4]
    assert [meter.stage for meter in engine.ledger] == ["of/pairs", "of/change", "of/keep", "of"]
    assert (stream.node().name, stream.node().inputs[0].name) == ("keep", "change")


def test_as_one_kernel_it_does_the_same() -> None:
    kernel = both().kernel(Site(Engine(), "both"))
    assert (list(kernel.feed([1, 2, 3])), kernel.held()) == ([4], 1)
    resumed = both().kernel(Site(Engine(), "both"))
    resumed.restore(kernel.snapshot())
    assert (list(resumed.tick(2)), list(resumed.finish())) == ([4], [])
    assert list(kernel.finish()) == [4]


def test_a_machine_with_a_state_that_is_not_checkpointed_says_so() -> None:
    class Counter(Machine[int, int]):
        def __init__(self) -> None:
            self.seen = 0

        def feed(self, number: int, /) -> list[int]:
            self.seen += number
            return []

    kernel = each(Counter, name="count").kernel(Site(Engine(), "count"))
    assert kernel.snapshot() == b""
    kernel.feed([1])
    with pytest.raises(TypeError, match="Counter has a state and is not Checkpointed"):
        kernel.snapshot()
