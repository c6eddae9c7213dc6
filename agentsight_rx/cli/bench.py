"""agentsight-rx bench: the figures of docs/performance.md, measured on this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

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
    operator: Annotated[
        str | None,
        typer.Option(
            "--operator",
            metavar="MODULE:NAME",
            help="Measure this operator, or what this function makes, over the events of the recordings NAME... instead.",
        ),
    ] = None,
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
    if operator is not None:
        return _measured(operator, names or ())
    return _found()(names or (), json=form.as_json, quick=quick, baseline=baseline, save=save_baseline)


def _measured(name: str, recordings: Sequence[str]) -> int:
    from ..core.stream import Operator  # this and all else that a graph needs
    from ..runtime.testing.measuring import bench
    from ..sources import ReplayOptions, replay

    module, given, attribute = name.partition(":")
    if not given or not recordings:
        raise UsageError(
            f"--operator {name} {' '.join(recordings)}: expected MODULE:NAME, and one or more recordings of events"
        )
    sys.path.insert(0, "")  # as `python -m` does
    try:
        found: Any = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"--operator {name}: {error}") from error
    made: Any = found() if callable(found) and not issubclass(type(found), Operator) else found
    if not issubclass(type(made), Operator):
        raise UsageError(f"--operator {name} made {made!r:.80}, and an Operator was expected")
    events: list[Any] = []
    replay(ReplayOptions(tuple(recordings))).subscribe(events.append)
    print(bench(made, events))
    return 0


def _found() -> Callable[..., int]:
    for name, folder in _PLACES.items():
        if (folder / "bench.py").exists() and find_spec(name) is not None:
            measure: Callable[..., int] = import_module(f"{name}.bench").bench
            return measure
    raise UsageError(
        f"the benchmarks are not in this installation: neither {' nor '.join(map(str, _PLACES.values()))} is there; "
        "install the wheel, or run it in a checkout of the source"
    )
