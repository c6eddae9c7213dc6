"""Things to run -> rows of a table: each timed in turn, round after round, and divided by its floor of the same run."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import ClassVar

from msgspec import Struct

__all__ = ["Case", "Row", "Work", "measure", "table"]

Work = Callable[[], object]

_SLACK = 1.5  # how far a ratio may be off its target before it is a failure: machines that run CI are noisy


class Case(Struct, frozen=True):
    """
    One thing to run. `start` prepares it, untimed, and returns what is timed.

    The ratio is its time an event over that of the case named `floor`. `target` is the most that it may be, or with
    `at_least` the least. The time is that of the processor, so that what else runs on the machine does not count, or with
    `waits`, where it waits for a disk or for its own threads, that of the clock.
    """

    name: str
    start: Callable[[], Work]
    events: int
    size: int = 0  # bytes that go through; 0 where events are what counts
    floor: str = ""
    target: float | None = None
    at_least: bool = False
    waits: bool = False


class Row(Struct, frozen=True):
    """What came out: the fastest round of a case."""

    benchmark: str
    name: str
    us_per_event: float
    events_per_s: float
    mb_per_s: float | None = None
    floor: str = ""
    ratio: float | None = None
    added_ns: float | None = None  # an event, over the floor
    target: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self._within(1.0)

    @property
    def failed(self) -> bool:
        """Off its target by more than any noise."""
        return not self._within(_SLACK)

    def _within(self, slack: float) -> bool:
        if self.ratio is None or self.target is None:
            return True
        return self.ratio >= self.target / slack if self.at_least else self.ratio <= self.target * slack

    @property
    def result(self) -> str:
        """What came out against the target."""
        return f"ratio {self.ratio:.2f}, target {self.target:g}"

    columns: ClassVar[tuple[str, ...]] = ("µs/event", "events/s", "MB/s", "ratio", "+ns/event", "target", "met", "ratio to")

    def cells(self) -> tuple[str, ...]:
        """One text for each column."""
        target = "" if self.target is None else f"{'>=' if self.at_least else '<='} {self.target:g}"
        return (
            f"{self.us_per_event:.3f}",
            f"{self.events_per_s:,.0f}",
            "" if self.mb_per_s is None else f"{self.mb_per_s:,.0f}",
            "" if self.ratio is None else f"{self.ratio:.2f}",
            "" if self.added_ns is None else f"{self.added_ns:+,.0f}",
            target,
            ("yes" if self.met else "no") if target else "",
            self.floor,
        )


def measure(benchmark: str, cases: Sequence[Case], rounds: int) -> list[Row]:
    """
    Time every case once a round. The fastest round counts: what disturbs a run only makes it slower.

    The garbage collector stays on, as in a capture, but starts each time from nothing to look at.
    """
    fastest = {case.name: float("inf") for case in cases}
    gc.collect()
    gc.freeze()
    try:
        for _ in range(rounds):
            for case in cases:
                fastest[case.name] = min(fastest[case.name], _seconds(case))
    finally:
        gc.unfreeze()
    per_event = {case.name: fastest[case.name] / case.events for case in cases}
    return [_row(benchmark, case, per_event) for case in cases]


def _seconds(case: Case) -> float:
    work = case.start()
    gc.collect()
    clock = time.perf_counter_ns if case.waits else time.process_time_ns
    began = clock()
    work()
    return (clock() - began) / 1e9


def _row(benchmark: str, case: Case, per_event: dict[str, float]) -> Row:
    own = per_event[case.name]
    floor = per_event[case.floor] if case.floor else None
    return Row(
        benchmark,
        case.name,
        own * 1e6,
        1 / own,
        case.size / (own * case.events) / 1e6 if case.size else None,
        case.floor,
        own / floor if floor else None,
        (own - floor) * 1e9 if floor else None,
        case.target,
        case.at_least,
    )


def table(rows: Sequence[Row]) -> str:
    """The rows as text, one benchmark below the other."""
    made: list[str] = []
    for _, each in groupby(rows, key=lambda row: row.benchmark):
        same = list(each)
        lines = [(same[0].benchmark, *same[0].columns), *((f"  {row.name}", *row.cells()) for row in same)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        made.append("\n".join(_line(line, widths) for line in lines))
    return "\n\n".join(made)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    last = len(cells) - 1
    aligned = (
        cell.ljust(width) if column in (0, last) else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(aligned).rstrip()
