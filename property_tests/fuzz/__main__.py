"""python -m property_tests.fuzz [TARGET …] [--seconds N] [--jobs N] | TARGET --input BYTES"""

from __future__ import annotations

import argparse
import ast
import os
import sys
from pathlib import Path

from property_tests.fuzz.runner import MISSING, available, fuzz, fuzz_here


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m property_tests.fuzz", description="Fuzz every parser with atheris.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all of them by default")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time; as many as there are processors")
    parser.add_argument("--input", metavar="BYTES", help="run one target on this bytes literal of Python alone")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.input is not None:
        return _once(parser, asked.targets, asked.input)
    if not available():
        parser.exit(2, f"{MISSING}\n")
    if asked.here is not None:
        fuzz_here(asked.targets[0], asked.here, asked.seconds)
    return _all(parser, asked.targets, asked.seconds, asked.jobs)


def _once(parser: argparse.ArgumentParser, names: list[str], text: str) -> int:
    from property_tests.fuzz.targets import TARGETS

    if len(names) != 1 or names[0] not in TARGETS:
        parser.error(f"--input needs one target of {', '.join(TARGETS)}")
    data: object = ast.literal_eval(text)
    if not isinstance(data, bytes):
        parser.error("--input is a bytes literal of Python, such as \"b'GET'\"")
    TARGETS[names[0]](data)
    print(f"{names[0]}: every invariant holds for these {len(data)} bytes")
    return 0


def _all(parser: argparse.ArgumentParser, names: list[str], seconds: int, jobs: int) -> int:
    from property_tests.fuzz.targets import TARGETS

    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        parser.error(f"there is no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    return int(any(found.failed for found in fuzz(names or list(TARGETS), seconds, jobs)))


if __name__ == "__main__":
    sys.exit(main())
