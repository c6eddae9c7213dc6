"""agentsight-rx bench: the figures of docs/performance.md, measured on this machine."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import UsageError
from .flags.filters import Form
from .flags.group import HOW, Only, flag

_JSON = Annotated[bool, flag(HOW, "--json", "Print the report as JSON.")]
_PACKAGE = Path(__file__).parents[1]
_PLACES = {
    "agentsight_rx.benchmarks": _PACKAGE / "benchmarks",  # in an installed wheel
    "benchmarks": _PACKAGE.parent / "benchmarks",  # in a checkout
}


def bench(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="The groups to run; by default all.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, in a minute; shows only large changes.")] = False,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="FILE", help="Exit with 1 if a ratio is 1.5 times worse than in this report."),
    ] = None,
    save_baseline: Annotated[
        Path | None, typer.Option("--save-baseline", metavar="FILE", help="Write the report into this file too.")
    ] = None,
    *,
    form: Annotated[Form, Only("json_lines", "text", json_lines=_JSON)],
) -> int:
    """
    Measure what this program costs here, with targets. Each ratio is of one run.

    It takes some minutes on a quiet machine. Without root, what needs eBPF is left out. It traces only programs that it starts.
    """
    return _found()(names or (), json=form.as_json, quick=quick, baseline=baseline, save=save_baseline)


def _found() -> Callable[..., int]:
    for name, folder in _PLACES.items():
        if (folder / "bench.py").exists() and find_spec(name) is not None:
            measure: Callable[..., int] = import_module(f"{name}.bench").bench
            return measure
    raise UsageError(
        f"the benchmarks are not in this installation: neither {' nor '.join(map(str, _PLACES.values()))} is there; "
        "install the wheel, or run it in a checkout of the source"
    )
