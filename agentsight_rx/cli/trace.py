"""agentsight-rx trace: watch running processes, print each event, and send them to other sinks."""

from __future__ import annotations

from typing import Annotated

import typer

from ..core.errors import UsageError
from ..graphs import trace as trace_graph
from ..graphs import traced
from .capturing.capture import capture, print_closing, print_graph
from .capturing.destinations import Destinations, with_previews
from .capturing.stopping import Stopper
from .capturing.ways import way_to_see
from .flags.filters import Explain, Filters
from .flags.group import OUT, Without, flag
from .flags.guard import Guard
from .flags.sources import Stdio, System, Tls
from .flags.watch import Watch
from .places.own_files import Config, SaveConfig, save_config
from .values import seconds_of


def trace(
    *,
    context: typer.Context,
    watch: Watch,
    tls: Tls,
    stdio: Stdio,
    system: System,
    filters: Annotated[Filters, Without("default_filters")],
    guard: Guard,
    out: Annotated[Destinations, Without("log", "require_store")],
    for_time: Annotated[str | None, flag(OUT, "--for", "Stop after this time, such as 10s or 2m.", "TIME")] = None,
    config: Config = None,
    save_to: SaveConfig = None,
    explain: Explain = False,
) -> int:
    """
    Watch running processes, and print a line for each event: readable on a terminal, JSON elsewhere and with --json.

    Without --pid, --comm, --session and --cgroup it watches every process of the machine.
    """
    options = guard.over(filters.over(watch.options(tls, stdio, system)), reloads=True)
    graph = trace_graph(options)  # reports a wrong filter before anything is opened
    limit, required, store = seconds_of(for_time, "--for"), watch.required(), out.store.db
    out.check(options, stored=store is not None)
    if save_to is not None:
        save_config(context, save_to)
        return 0
    if explain:
        print_graph(graph)
        return 0
    if watch.by == "hooks" and watch.pid is None:
        raise UsageError("--by hooks follows one process, with what it starts: give --pid PID")
    with way_to_see(watch.by if watch.pid is not None else "kernel", required) as way:
        options = guard.recognising(guard.knowing(out.prepared(options)))
        chosen = out.sinks(options, stopped=Stopper())
        graph = traced(way.inputs(options, watch.pid), with_previews(options, chosen))
        needed = way.needed(required)
        summary = capture(graph, chosen, duration=limit, required=needed, keeps_auth=not options.remove_auth)
    began_ms = summary.ledger.began_ms
    print_closing(summary, store=store, since_ms=began_ms, verb="traced", filters=filters.given)
    return summary.exit_status
