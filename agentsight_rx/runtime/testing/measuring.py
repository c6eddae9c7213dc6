"""An operator and events -> what it costs an event, whether that grows, and against a plain loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from ...core.engine import Engine, Site
from ...core.errors import UsageError
from ...core.stream import Operator

A = TypeVar("A")

_PART = 4  # the cost of all events is compared with that of so small a part of them


class Measured(Struct, frozen=True):
    """
    `ns`: of processor time an event, the fastest round. `growth`: that over the same for the first quarter of the events; about
    1 where the cost of an event does not depend on how many came before. `plain_ns`: of the plain function, where there is one.
    """

    operator: str
    events: int
    made: int
    ns: float
    growth: float
    plain_ns: float | None = None

    def __str__(self) -> str:
        plain = "" if self.plain_ns is None else f", {self.ns / self.plain_ns:.2f}x of a plain loop ({self.plain_ns:,.0f} ns)"
        came = f"{self.events:,} in, {self.made:,} out"
        return f"{self.operator}: {self.ns:,.0f} ns an event{plain}; growth {self.growth:.2f}; {came}"


def bench(
    operator: Operator[A, Any],
    events: Sequence[A],
    *,
    plain: Callable[[A], object] | None = None,
    rounds: int = 5,
    batch: int = 256,
) -> Measured:
    """
    Feed `events` to a fresh kernel of `operator` in batches, `rounds` times, and take the fastest. `plain` is called for each
    event in a loop, to compare. A bug in the operator is raised. Raises UsageError where there are too few events.
    """
    if len(events) < _PART or rounds < 1 or batch < 1:
        raise UsageError(
            f"bench of {len(events)} events, {rounds} rounds, batches of {batch}: expected at least {_PART}, 1 and 1"
        )
    part = events[: len(events) // _PART]
    made = 0
    ns = part_ns = plain_ns = float("inf")
    for _ in range(rounds):  # in turn, so that a disturbance meets all of them
        part_ns = min(part_ns, _timed(operator, part, batch)[0] / len(part))
        spent, made = _timed(operator, events, batch)
        ns = min(ns, spent / len(events))
        if plain is not None:
            plain_ns = min(plain_ns, _looped(plain, events) / len(events))
    growth = ns / part_ns if part_ns else 1.0
    return Measured(operator.name, len(events), made, ns=ns, growth=growth, plain_ns=None if plain is None else plain_ns)


def _timed(operator: Operator[A, Any], events: Sequence[A], size: int) -> tuple[int, int]:
    """Of one round: ns of processor time, and how many events came out."""
    kernel = operator.kernel(Site(Engine(strict=True), operator.name))
    batches = [events[start : start + size] for start in range(0, len(events), size)]
    began, made = time.process_time_ns(), 0
    for each in batches:
        made += len(kernel.feed(each))
    made += len(kernel.finish())
    return time.process_time_ns() - began, made


def _looped(function: Callable[[A], object], events: Sequence[A]) -> int:
    began = time.process_time_ns()
    for event in events:
        function(event)
    return time.process_time_ns() - began
