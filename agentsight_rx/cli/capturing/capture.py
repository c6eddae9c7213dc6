"""A graph and sinks on the command line: run until the end, then report the seen and the missing data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from ...core.messages import say, show
from ...core.signals import how_to_end
from ...core.sink import Sink
from ...core.stream import Stream
from ...graphs import explain
from ...runtime.run import Run, Summary, run_to_end
from ...runtime.web import WebSink
from ...store.rows.tally import Tally
from ...view import Output


def capture(
    graph: Stream[Output],
    sinks: Iterable[Sink[Output]],
    *,
    duration: float | None = None,
    required: Collection[str] = (),
    keeps_auth: bool = False,
    beat: Callable[[Run], float] | None = None,
    tally: Tally | None = None,
    hangup: Callable[[], None] | None = None,
) -> Summary:
    """
    Capture until SIGINT, SIGTERM, SIGHUP or `duration` s: what this machine allows, and all of the `required`
    sources. `beat` and `hangup` as in `run_to_end`; `tally` counts the rows. The summary is for the caller to print.
    """
    if keeps_auth:
        say("credentials are NOT removed: they go to every sink")
    destinations = list(sinks)

    def ready() -> None:
        print_places(destinations)
        limit = "" if duration is None else f" for {duration:g} s"
        cut = "; lines are cut to fit, --json has all" if any(sink.name == "terminal" for sink in destinations) else ""
        say(f"capturing{limit}; stop with {how_to_end()}{cut}")

    run = Run(graph, destinations, required=required, on_bug="count", tally=tally)
    return run_to_end(run, duration=duration, ready=ready, beat=beat, hangup=hangup)


def print_places(sinks: Iterable[Sink[Output]]) -> None:
    """The address of the page, once its port is bound."""
    for url in page_of(sinks):
        say(f"live page: {url}")


def page_of(sinks: Iterable[Sink[Output]]) -> list[str]:
    """The addresses of the pages that are served."""
    return [sink.url for sink in sinks if isinstance(sink, WebSink) and sink.is_served]


def print_closing(
    summary: Summary, *, store: Path | None, since_ms: int | None, who: str = "", verb: str = "", filters: bool = False
) -> None:
    """The end of a run: its actions, its cost, its gaps, and where to look."""
    from .closing import closing_lines  # reports and prices are loaded at the end, so that a run begins sooner

    lines = closing_lines(summary, _stored(store), since_ms=since_ms, who=who, verb=verb, filters=filters)
    show("\n".join([*summary.notes, *lines]))


def _stored(store: Path | None) -> Path | None:
    if store is not None and not store.exists():
        say(f"NOTHING WAS STORED in {store}")
        return None
    return store


def print_graph(graph: Stream[Output]) -> None:
    print(explain(graph))
