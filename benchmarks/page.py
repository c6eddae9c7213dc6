"""A report -> the parts of docs/performance.md that are made of it: the machine, the targets, what is missed, all figures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from benchmarks.figures import Figure, Report, by_group, cells, shown, target_of
from benchmarks.reasons import reason_for

__all__ = ["filled", "parts"]

_PART = re.compile(r"(<!-- (\w+): made by python -m benchmarks.plots -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str, report: Report) -> str:
    """The page with its parts made anew."""
    made = parts(report)
    return _PART.sub(lambda found: f"{found[1]}\n{made[found[2]]}\n{found[3]}", text)


def parts(report: Report) -> dict[str, str]:
    return {
        "machine": _machine(report),
        "targets": "\n".join(_table([figure for figure in report.figures if _has_target(figure)])),
        "missed": _missed([figure for figure in report.figures if figure.met is False]),
        "figures": "\n".join(_all(report.figures)),
    }


def _machine(report: Report) -> str:
    machine = report.machine
    packages = ", ".join(f"{name} {number}" for name, number in machine.packages.items())
    size = "small sizes (`--quick`), which say less" if report.quick else "the full size"
    return (
        f"{report.date.partition('T')[0]}: {machine.cores} cores of {machine.processor}"
        f"{', a virtual machine' if machine.virtual else ''}, {machine.memory_gb:g} GB, Linux {machine.kernel}, "
        f"Python {machine.python}, {packages}. The load at the start was {machine.load:g}. Measured with {size} in "
        f"{report.seconds / 60:.1f} minutes.\n"
    )


def _has_target(figure: Figure) -> bool:
    """Those that are about the product as a whole; targets of single parts are with all figures."""
    return figure.target is not None and figure.group not in ("operators", "ring", "store", "wire")


def _table(figures: Sequence[Figure]) -> Iterator[str]:
    yield "| figure | measured | target | met | original | before |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for figure in figures:
        name, *values, _ = cells(figure)
        yield f"| {' | '.join(_escaped(text) for text in (name, *values))} |"
    yield ""


def _missed(figures: Sequence[Figure]) -> str:
    if not figures:
        return "None.\n"
    lines = (
        f"- **{figure.name}** ({shown(figure)}, target {_escaped(target_of(figure))}). {reason_for(figure)}"
        for figure in figures
    )
    return "\n".join([*lines, ""])


def _all(figures: Sequence[Figure]) -> Iterator[str]:
    for group, same in by_group(figures).items():
        yield f"### {group}"
        yield ""
        yield "| figure | measured | target | met | |"
        yield "| --- | --- | --- | --- | --- |"
        for figure in same:
            name, value, target, met, _, _, note = cells(figure)
            yield f"| {' | '.join(_escaped(text) for text in (name, value, target, met, note))} |"
        yield ""


def _escaped(text: str) -> str:
    return text.replace("|", chr(92) + "|").replace("<", "&lt;").replace(">", "&gt;")
