"""Names of benchmarks -> a table of times and ratios on the standard output."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from typing import Protocol

import msgspec

from benchmarks import (
    churn,
    cluster,
    contexts,
    filters,
    fold,
    guard,
    hop,
    hostile,
    keyed,
    otel,
    past,
    pipeline,
    redaction,
    ring,
    scan,
    sse,
    store,
    wire,
)
from benchmarks.timing import Row, table

__all__ = ["BENCHMARKS", "Benchmark", "main"]


class Benchmark(Protocol):
    """Measures its cases. `scale` 1.0 is the size that the targets are about, a smaller one only shows that it runs."""

    def __call__(self, rounds: int, scale: float = 1.0, /) -> list[Row]: ...


BENCHMARKS: dict[str, Benchmark] = {
    "hop": hop.rows,
    "pipeline": pipeline.rows,
    "stages": pipeline.stages,
    "redaction": redaction.rows,
    "keyed": keyed.rows,
    "sse": sse.rows,
    "wire": wire.rows,
    "filters": filters.rows,
    "fold": fold.rows,
    "contexts": contexts.rows,
    "guard": guard.rows,
    "store": store.rows,
    "ring": ring.rows,
    "scan": scan.rows,
    "hostile": hostile.rows,
    "churn": churn.rows,
    "otel": otel.rows,
    "cluster": cluster.rows,
    "past": past.rows,
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    rows: list[Row] = []
    for name in options.names or BENCHMARKS:
        made = BENCHMARKS[name](options.rounds, options.scale)
        rows += made
        if not options.json:
            print(table(made), flush=True)
            print(flush=True)
    if options.json:
        report = {"python": platform.python_version(), "machine": platform.machine(), "rounds": options.rounds, "rows": rows}
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    failed = [row for row in rows if row.failed]
    for row in failed:
        print(f"{row.benchmark}: {row.name}: {row.result}", file=sys.stderr)
    return 1 if options.check and failed else 0


def _name(text: str) -> str:
    if text not in BENCHMARKS:
        raise argparse.ArgumentTypeError(f"no benchmark {text!r}; there are {', '.join(BENCHMARKS)}")
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"a number from 1 on is needed, not {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Each row is the fastest of some rounds: time of the processor, or of the clock where it waits for a disk "
        "or for threads. Its ratio is to a floor that was measured in between, in the same run. Targets of hostile and churn "
        "are absolute.",
    )
    names = ", ".join(BENCHMARKS)
    parser.add_argument("names", nargs="*", type=_name, metavar="NAME", help=f"which to run, of {names} (default: all)")
    parser.add_argument("--rounds", type=_count, default=9, help="how often each case is timed (default: 9; 7 are enough)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 if a ratio is worse than 1.5 times its target")
    parser.add_argument("--scale", type=float, default=1.0, help="make every benchmark so many times as large (default: 1.0)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
