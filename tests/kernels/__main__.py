"""
Names of kernels, whose results are there -> the table on standard output, and in a page where all kernels ran.

The exit status is 1 if anything fails.

    python -m tests.kernels --results DIRECTORY [--page FILE --machine MACHINE] NAME…
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.kernels.results import Run, read_run
from tests.kernels.table import failures, in_page, kinds_missing, markdown

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    runs = [read_run(name, options.results / f"{name}.jsonl") for name in options.names]
    table = markdown(runs, time.strftime("%Y-%m-%d"))
    print(table)
    if options.page:
        options.page.write_text(in_page(options.page.read_text(), table, options.machine))
    kinds = kinds_missing(runs) if options.page and options.machine == "amd64" else []
    found = [sentence for run in runs for sentence in failures(run)] + kinds
    print()
    for sentence in found:
        print(f"failed: {sentence}")
    for run in runs:
        for outcome in run.outcomes.values():
            if outcome.more:
                print(f"\n== {run.name}: {outcome.check} printed ==\n{outcome.more}", file=sys.stderr)
    print(_counts(runs, found))
    return 1 if found else 0


def _counts(runs: Sequence[Run], found: Sequence[str]) -> str:
    seconds = sum(run.end.seconds for run in runs if run.end)
    return f"{len(runs)} kernels, {sum(len(run.outcomes) for run in runs)} checks in {seconds:.0f} s, {len(found)} failed"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.kernels", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--results", type=Path, required=True, help="where NAME.jsonl are")
    parser.add_argument("--page", type=Path, help="a page whose table is replaced")
    parser.add_argument("--machine", default="amd64", help="whose table of the page it is, as Debian calls it")
    parser.add_argument("names", nargs="+", metavar="NAME")
    return parser


if __name__ == "__main__":
    sys.exit(main())
