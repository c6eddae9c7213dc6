"""A graph and sinks on the command line: run until the end, then report what was seen and what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..core.sink import Sink
from ..core.stream import Stream
from ..doctor import require_capture
from ..errors import StoreError
from ..graphs import explain
from ..runtime import Summary, run
from ..say import say, show
from ..view import Output
from ..web import WebSink
from .text import summary_lines

__all__ = ["capture", "print_graph", "print_places", "print_summary"]


def capture(
    graph: Stream[Output],
    sinks: Iterable[Sink[Output]],
    *,
    store: Path | None,
    duration: float | None = None,
    keeps_auth: bool = False,
) -> Summary:
    """Capture from the kernel until SIGINT, SIGTERM, SIGHUP or `duration` s; the summary goes to standard error."""
    require_capture()
    if keeps_auth:
        say("credentials are NOT removed: they go to every sink")
    destinations = list(sinks)

    def ready() -> None:
        print_places(destinations)
        limit = "" if duration is None else f" for {duration:g} s"
        cut = "; lines are cut to fit, --json has all" if any(sink.name == "terminal" for sink in destinations) else ""
        say(f"capturing{limit}; stop with Ctrl-C{cut}")

    summary = run(graph, destinations, duration=duration, ready=ready)
    print_summary(summary, verb="Traced", store=store)
    return summary


def print_places(sinks: Iterable[Sink[Output]]) -> None:
    """The address of the page, once its port is bound."""
    for sink in sinks:
        if isinstance(sink, WebSink) and sink.is_served:
            say(f"live page: {sink.url}")


def print_summary(summary: Summary, *, verb: str, store: Path | None, filters: bool = True) -> None:
    if store is not None and not store.exists():
        say(f"NOTHING WAS STORED in {store}")
        store = None
    hint = f"agentsight-rx report --db {store}" if store else None
    lines = summary_lines(summary, verb=verb, store=str(store) if store else None, hint=hint, filters=filters)
    did = _what_was_done(store) if store else []
    show("\n".join([*summary.notes, *did, *lines]))


def _what_was_done(store: Path) -> list[str]:
    """The verdict of the report, as the first line after a run that saw calls of a model."""
    from ..prices import Prices
    from ..state import LmdbStore
    from ..view.queries import Selection
    from ..view.queries.summary import read_summary

    try:
        kept = LmdbStore.open(store, readonly=True)
        try:
            found = read_summary(kept, Selection(), Prices(), most_turns=1)
        finally:
            kept.close()
    except StoreError:
        return []
    return [found.verdict.sentence] if found.calls else []


def print_graph(graph: Stream[Output]) -> None:
    print(explain(graph))
