"""A graph and sinks on the command line: run until told to stop, then say what was seen and what is missing."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from ..doctor import require_capture
from ..graphs import explain
from ..runtime import Summary, run
from ..sink import Output, Sink
from ..stream import Stream
from .text import summary_lines

__all__ = ["capture", "print_graph", "tell", "tell_summary"]


def capture(graph: Stream[Output], sinks: Iterable[Sink], *, store: Path | None, duration: float | None = None) -> Summary:
    """Capture from the kernel until SIGINT, SIGTERM or `duration` s; the summary goes to standard error."""
    require_capture()
    summary = run(graph, sinks, duration=duration, ready=lambda: tell("capturing; stop with Ctrl-C"))
    tell_summary(summary, verb="Traced", store=store)
    return summary


def tell(text: str) -> None:
    """One line for people, on standard error."""
    print(f"agentsight-rx: {text}", file=sys.stderr, flush=True)


def tell_summary(summary: Summary, *, verb: str, store: Path | None) -> None:
    hint = f"agentsight-rx report --db {store}" if store else None
    lines = summary_lines(summary, verb=verb, store=str(store) if store else None, hint=hint)
    print("\n".join(lines), file=sys.stderr, flush=True)


def print_graph(graph: Stream[Output]) -> None:
    print(explain(graph))
