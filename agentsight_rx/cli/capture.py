"""A graph and sinks on the command line: run until the end, then report the seen and the missing data."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated

from ..core.sink import Sink
from ..core.stream import Stream
from ..graphs import explain
from ..runtime import Summary, run
from ..say import program, say, show
from ..signals import how_to_end
from ..sources.kernel.features import require_kernel
from ..view import Output
from ..web import WebSink
from .flags.group import OUT, flag
from .text import summary_lines

__all__ = ["Explain", "capture", "page_of", "print_closing", "print_graph", "print_places", "print_summary"]

Explain = Annotated[bool, flag(OUT, "--explain", "Print the graph, and do not run it.")]


def capture(
    graph: Stream[Output],
    sinks: Iterable[Sink[Output]],
    *,
    duration: float | None = None,
    required: Collection[str] = (),
    keeps_auth: bool = False,
) -> Summary:
    """
    Capture from the kernel until SIGINT, SIGTERM, SIGHUP or `duration` s: what this machine allows, and all of the `required`
    sources. The summary is for the caller to print.
    """
    require_kernel()
    if keeps_auth:
        say("credentials are NOT removed: they go to every sink")
    destinations = list(sinks)

    def ready() -> None:
        print_places(destinations)
        limit = "" if duration is None else f" for {duration:g} s"
        cut = "; lines are cut to fit, --json has all" if any(sink.name == "terminal" for sink in destinations) else ""
        say(f"capturing{limit}; stop with {how_to_end()}{cut}")

    return run(graph, destinations, duration=duration, ready=ready, required=required)


def print_places(sinks: Iterable[Sink[Output]]) -> None:
    """The address of the page, once its port is bound."""
    for url in page_of(sinks):
        say(f"live page: {url}")


def page_of(sinks: Iterable[Sink[Output]]) -> list[str]:
    """The addresses of the pages that are served."""
    return [sink.url for sink in sinks if isinstance(sink, WebSink) and sink.is_served]


def print_summary(summary: Summary, *, verb: str, store: Path | None, since_ms: int | None = None) -> None:
    """Of a trace or a replay: the events, whose TLS was read, and the gaps; with a store also the actions since then."""
    from .closing import outcome_of  # reports and prices are loaded at the end, so that a run begins sooner

    store = _stored(store)
    hint = f"{program()} report --db {store}" if store else None
    lines = summary_lines(summary, verb=verb, store=str(store) if store else None, hint=hint)
    outcome = None if store is None or since_ms is None else outcome_of(store, since_ms=since_ms)
    did = [outcome.verdict.sentence] if outcome and outcome.calls else []
    show("\n".join([*summary.notes, *did, *lines]))


def print_closing(summary: Summary, *, store: Path | None, who: str, filters: bool = False) -> None:
    """Of a recording: its actions, its cost, its gaps, and where to look."""
    from .closing import closing_lines

    show("\n".join([*summary.notes, *closing_lines(summary, _stored(store), who=who, filters=filters)]))


def _stored(store: Path | None) -> Path | None:
    if store is not None and not store.exists():
        say(f"NOTHING WAS STORED in {store}")
        return None
    return store


def print_graph(graph: Stream[Output]) -> None:
    print(explain(graph))
