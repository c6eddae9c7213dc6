"""What `agentsight-rx bench` does: measure groups of figures, print them, compare their ratios with those of a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from agentsight_rx.core.messages import say
from agentsight_rx.errors import UsageError
from benchmarks.figures import MARGIN, Figure, Report, report_table, shown, target_of, worse
from benchmarks.suite import FULL, GROUPS, QUICK, report_of

__all__ = ["as_json", "bench", "read_report"]


def bench(names: Sequence[str], *, json: bool, quick: bool, baseline: Path | None, save: Path | None) -> int:
    """
    Print the report; 1 if a ratio is worse than that of the baseline. Raises UsageError where a name or a file is wrong, before
    anything is measured.
    """
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        raise UsageError(f"no benchmark {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    before = None if baseline is None else read_report(baseline)
    if save is not None and not save.parent.is_dir():
        raise UsageError(f"{save} cannot be written: there is no directory {save.parent}")
    report = report_of(names or tuple(GROUPS), QUICK if quick else FULL, say)
    if json:
        print(as_json(report).decode(), flush=True)
    else:
        print(_text(report), flush=True)
    if save is not None:
        save.write_bytes(as_json(report) + b"\n")
    slower = worse(report, before) if before is not None else []
    for line in slower:
        say(f"worse than {baseline} by more than {MARGIN:g} times: {line}")
    return 1 if slower else 0


def as_json(report: Report) -> bytes:
    return msgspec.json.format(msgspec.json.encode(report), indent=1)


def read_report(path: Path) -> Report:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path} is not a report of agentsight-rx bench --json: {error}") from error


def _text(report: Report) -> str:
    machine = report.machine
    lines = [
        report_table(report.figures),
        "",
        f"{report.date}, {report.seconds:.0f} s{', quick: of a small size' if report.quick else ''}",
        f"{machine.cores} cores of {machine.processor}{', virtual' if machine.virtual else ''}, {machine.memory_gb:g} GB, "
        f"Linux {machine.kernel}, Python {machine.python}, load {machine.load:g} at the start",
    ]
    missed = [figure for figure in report.figures if figure.met is False]
    if missed:
        lines += ["", "targets that are missed:", *(f"  {_missed(figure)}" for figure in missed)]
    return "\n".join(lines)


def _missed(figure: Figure) -> str:
    return f"{figure.key}: {shown(figure)}, target {target_of(figure)}"
