"""What was measured -> figures with their targets, the report of a run, and which ratios are worse than those of a baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from benchmarks.machine import Machine

__all__ = [
    "COLUMNS",
    "MARGIN",
    "Figure",
    "Report",
    "Size",
    "by_group",
    "cells",
    "report_table",
    "shown",
    "target_of",
    "worse",
]

MARGIN = 1.5  # a ratio may be so many times its baseline: machines that run CI are noisy


class Size(Struct, frozen=True):
    """How much is measured. `scale` 1.0 is the size that the targets are about, a smaller one only shows that it runs."""

    rounds: int = 7
    scale: float = 1.0
    runs: int = 7  # of whole programs, which take seconds
    pairs: int = 10  # of what waits for a clock: runs of an agent with and without `record`

    def many(self, count: int, least: int = 1) -> int:
        return max(least, int(count * self.scale))


class Figure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    One number. `unit` "x" is a ratio within one run, and only ratios are compared with a baseline; others are s, ms, ns, µs,
    MB, %, MB/s, /s and "n^", the exponent of growth.

    `low` and `high` are its 95 % interval, `original` and `before` what the original and this program needed when the target
    was set. `points` are what a fit or a plot is made of. A `value` of None was not measured; `note` says why.
    """

    group: str
    name: str
    value: float | None = None
    unit: str = "x"
    target: float | None = None
    at_least: bool = False
    low: float | None = None
    high: float | None = None
    high_target: float | None = None  # for the upper end of the interval
    original: str = ""
    before: str = ""
    note: str = ""
    points: tuple[tuple[float, float], ...] = ()

    @property
    def key(self) -> str:
        return f"{self.group}: {self.name}"

    @property
    def met(self) -> bool | None:
        """None where there is no target, or no value."""
        if self.value is None or self.target is None:
            return None
        if self.high is not None and self.high_target is not None and self.high > self.high_target:
            return False
        return self.value >= self.target if self.at_least else self.value <= self.target


class Report(Struct, frozen=True, kw_only=True):
    """All figures of a run. `quick`: they are of a small size, and say less."""

    date: str  # ISO 8601
    machine: Machine
    seconds: float
    quick: bool = False
    figures: tuple[Figure, ...] = ()


def worse(report: Report, baseline: Report) -> list[str]:
    """A sentence for each ratio that is worse than that of the baseline by more than the margin."""
    before = {figure.key: figure for figure in baseline.figures if figure.unit == "x" and figure.value}
    found: list[str] = []
    for figure in report.figures:
        known = before.get(figure.key)
        if known is None or not known.value or figure.value is None or figure.unit != "x":
            continue
        times = known.value / figure.value if figure.at_least and figure.value else figure.value / known.value
        if times > MARGIN:
            found.append(f"{figure.key}: {shown(figure)}, in the baseline {shown(known)}")
    return found


def shown(figure: Figure) -> str:
    """The value with its unit and its interval."""
    if figure.value is None:
        return "-"
    text = _number(figure.value, figure.unit)
    if figure.low is None or figure.high is None:
        return text
    return f"{text} ({_number(figure.low, figure.unit)} to {_number(figure.high, figure.unit)})"


def target_of(figure: Figure) -> str:
    if figure.target is None:
        return ""
    text = f"{'>=' if figure.at_least else '<='} {_number(figure.target, figure.unit)}"
    return text if figure.high_target is None else f"{text}, upper end <= {_number(figure.high_target, figure.unit)}"


def _number(value: float, unit: str) -> str:
    if unit == "n^":
        return f"n^{value:.2f}"
    digits = 0 if abs(value) >= 1000 or unit == "/s" else 1 if abs(value) >= 100 else 2
    text = f"{value:,.{digits}f}"
    return f"{text}{unit}" if unit in ("x", "/s", "%") else f"{text} {unit}".rstrip()


COLUMNS = ("figure", "value", "target", "met", "original", "before", "note")


def cells(figure: Figure) -> tuple[str, ...]:
    """One text for each column."""
    met = {None: "", True: "yes", False: "no"}[figure.met]
    value = "not measured" if figure.value is None else shown(figure)
    return figure.name, value, target_of(figure), met, figure.original, figure.before, figure.note


def by_group(figures: Iterable[Figure]) -> dict[str, list[Figure]]:
    groups: dict[str, list[Figure]] = {}
    for figure in figures:
        groups.setdefault(figure.group, []).append(figure)
    return groups


def report_table(figures: Sequence[Figure]) -> str:
    """The figures as text, one group below the other."""
    made: list[str] = []
    for group, same in by_group(figures).items():
        lines = [(group, *COLUMNS[1:]), *((f"  {name}", *rest) for name, *rest in map(cells, same))]
        widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS) - 1)]
        made.append("\n".join(_line(line, widths) for line in lines))
    return "\n\n".join(made)


def _line(texts: Sequence[str], widths: Sequence[int]) -> str:
    *some, note = texts
    return "  ".join([*(text.ljust(width) for text, width in zip(some, widths, strict=True)), note]).rstrip()
