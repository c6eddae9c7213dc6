"""
Lines of a guest on standard input, as they come -> a line for a person for each.

    tail --follow FILE | python -m tests.kernels.progress NAME
"""

from __future__ import annotations

import sys

from tests.kernels.results import End, Head, Line, Outcome, read_line

__all__ = ["main", "shown"]


def main(name: str) -> int:
    for text in sys.stdin.buffer:
        line = read_line(text)
        if line is not None:
            print(f"{name}: {shown(line)}", flush=True)
    return 0


def shown(line: Line) -> str:
    match line:
        case Head(facts=facts):
            return "booted, " + ", ".join(f"{name} {value}" for name, value in facts.items())
        case Outcome(check=check, verdict=verdict, said=said, seconds=seconds):
            return f"{check} {'FAILS' if verdict == 'fails' else verdict} ({seconds:.0f} s): {said}"
        case End(seconds=seconds):
            return f"all checks done in {seconds:.0f} s"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
