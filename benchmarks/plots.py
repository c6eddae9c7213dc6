"""docs/performance.json -> docs/performance.md's tables and its pictures: python -m benchmarks.plots, in a checkout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.bench import read_report
from benchmarks.figures import Figure, Report, shown
from benchmarks.page import filled

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

__all__ = ["PICTURES", "draw", "main"]

_DOCS = Path(__file__).parents[1] / "docs"
_MET, _MISSED, _PLAIN, _PEER = "#2f7d4f", "#b3402a", "#3b6ea5", "#8a8a8a"
# Text stays text, and nothing in a picture changes from one run to the next but what was measured
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "agentsight-rx",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    docs = Path(words[0]) if words else _DOCS
    report = read_report(docs / "performance.json")
    page = docs / "performance.md"
    page.write_text(filled(page.read_text(), report))
    for path in draw(report, docs / "performance"):
        print(path)
    return 0


def draw(report: Report, folder: Path) -> list[Path]:
    """Write the pictures for which the report has figures."""
    folder.mkdir(exist_ok=True)
    drawn: list[Path] = []
    import matplotlib  # half a second, which the collection of tests saves

    library: Any = matplotlib  # whose types are partial
    with library.rc_context(_STYLE):
        for name, make in PICTURES.items():
            picture: Any = make(report.figures)
            if picture is not None:
                path = folder / f"{name}.svg"
                picture.savefig(path, format="svg", metadata={"Date": None}, bbox_inches="tight")
                drawn.append(path)
    return drawn


def _blank(rows: int) -> tuple[Picture, Any]:
    from matplotlib.figure import Figure as Picture

    picture = Picture(figsize=(8, 1.2 + 0.26 * rows))
    return picture, picture.subplots()


def _bars(figures: Sequence[Figure], values: Sequence[float], colours: Sequence[str], label: str) -> Picture:
    picture, axes = _blank(len(figures))
    axes.barh([figure.name for figure in figures], values, color=colours, height=0.65)
    for place, figure in enumerate(figures):
        axes.annotate(shown(figure), (values[place], place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.set_xlabel(label)
    return picture


def _targets(figures: Sequence[Figure]) -> Picture | None:
    """How far each figure is from its target; what is right of the line is missed."""
    some = [
        each for each in figures if each.target and each.value and each.value > 0 and each.group not in ("operators", "wire")
    ]
    if not some:
        return None
    away = [_away(each) for each in some]
    colours = [_MET if each.met else _MISSED for each in some]
    picture = _bars(some, away, colours, "times the target (log); 1 is the target")
    axes: Any = picture.axes[0]
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    return picture


def _away(figure: Figure) -> float:
    assert figure.value
    assert figure.target
    return figure.target / figure.value if figure.at_least else figure.value / figure.target


def _operators(figures: Sequence[Figure]) -> Picture | None:
    some = [each for each in figures if each.name.endswith(": added, to parse only") and each.value is not None]
    if not some:
        return None
    return _bars(
        some, [each.value or 0.0 for each in some], [_PLAIN] * len(some), "added to an event, in units of parsing it alone"
    )


def _stacks(figures: Sequence[Figure]) -> Picture | None:
    some = [each for each in figures if each.unit == "µs" and each.value is not None]
    if not some:
        return None
    colours = [_PEER if "sslsniff" in each.name else _PLAIN for each in some]
    return _bars(some, [each.value or 0.0 for each in some], colours, "µs added to a record of the traced program")


def _growth(figures: Sequence[Figure]) -> Picture | None:
    return _lines([each for each in figures if each.group == "growth"], "events", "s of processor time", log=True)


def _connections(figures: Sequence[Figure]) -> Picture | None:
    return _lines([each for each in figures if each.group == "graph"], "connections at once", "times parsing alone", log=True)


def _memory(figures: Sequence[Figure]) -> Picture | None:
    return _lines(
        [each for each in figures if each.group == "memory"], "connections so far", "MB of anonymous memory", log=False
    )


def _lines(figures: Sequence[Figure], across: str, up: str, *, log: bool) -> Picture | None:
    some = [each for each in figures if each.points]
    if not some:
        return None
    picture, axes = _blank(10)
    for each in some:
        counts, values = zip(*each.points, strict=True)
        axes.plot(counts, values, marker="o", markersize=4, label=f"{each.name}: {shown(each)}")
    if log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.set_ylim(bottom=None if log else 0)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.legend(frameon=False)
    return picture


PICTURES: dict[str, Callable[[Sequence[Figure]], Picture | None]] = {
    "targets": _targets,
    "connections": _connections,
    "operators": _operators,
    "growth": _growth,
    "stacks": _stacks,
    "memory": _memory,
}


if __name__ == "__main__":
    sys.exit(main())
