"""agentsight-rx replay: recorded events through the same graph."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct
from msgspec.structs import replace

from ..core.errors import UsageError
from ..core.stream import Stream
from ..graphs import TraceOptions, recorded
from ..graphs import replay as replay_graph
from ..runtime.run import Run, run_to_end
from ..sources import ReplayOptions, spooled
from ..store.spool import Recorded, folders, is_segment, is_spool, recordings
from ..view import Output
from .capturing.capture import print_closing, print_graph
from .capturing.destinations import Destinations
from .flags.destinations import Console, Otel, PluginSinks, Spool
from .flags.filters import Explain, Filters
from .flags.group import Only, Without
from .flags.guard import Guard
from .flags.sources import Tls


def replay(
    *,
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Stores, JSONL of ours or the original, spools.")],
    tls: Annotated[Tls, Only("ssl_http")],
    filters: Annotated[Filters, Without("default_filters")],
    guard: Guard,
    out: Annotated[Destinations, Only("db", Console, Spool, Otel, PluginSinks)],
    explain: Explain = False,
) -> int:
    """Run recorded events through the same graph; needs no privileges."""
    options = guard.over(filters.over(TraceOptions(http=tls.ssl_http)))
    out.check(options, stored=out.store.db is not None)
    found = [] if explain else _spooled_in(files)
    inputs = [_Input(each.host, partial(_of_spool, each)) for each in found] or [_Input("", partial(_of_files, tuple(files)))]
    graph = inputs[0].graph(options)  # reports a wrong filter before anything is opened
    if explain:
        print_graph(graph)
        return 0
    options = out.prepared(options)
    if found:  # the recordings of other hosts are not what a run goes on from
        options = replace(options, resumed=None)
    store = out.store.db
    is_new = store is not None and not store.exists() and len(inputs) == 1
    status = 0
    for each in inputs:
        options = replace(options, host=each.host)
        summary = run_to_end(Run(each.graph(options), out.sinks(options, patient=True), on_bug="count"))
        sys.stdout.flush()
        since_ms = 0 if is_new else None
        print_closing(summary, store=store, since_ms=since_ms, who=each.host, verb="replayed", filters=filters.given)
        status = status or summary.exit_status
    return status


class _Spooled(Struct, frozen=True):
    """One recording to replay; `host` is in the ids of its rows, "" where it is replayed alone."""

    recorded: Recorded
    host: str


class _Input(Struct, frozen=True):
    """The input of one run: of a spool each recording by itself."""

    host: str
    graph: Callable[[TraceOptions], Stream[Output]]


def _of_spool(each: _Spooled, options: TraceOptions) -> Stream[Output]:
    return recorded(spooled(each.recorded), options)


def _of_files(files: tuple[str, ...], options: TraceOptions) -> Stream[Output]:
    return replay_graph(ReplayOptions(files), options)


def _spooled_in(paths: Sequence[str]) -> list[_Spooled]:
    """The recordings in these folders, in order; none where files are given. Raises UsageError for both together."""
    for path in paths:
        if path != "-" and is_segment(path):
            raise UsageError(f"{path} is a segment of a spool, a part of a recording: give the folder that it is in")
    are_folders = [path != "-" and is_spool(path) for path in paths]
    if not any(are_folders):
        return []
    if not all(are_folders):
        raise UsageError("folders of segments and other recordings do not go together: replay one, then the other")
    found: list[_Spooled] = []
    for path in paths:
        for key, folder in folders(path).items():
            host = "" if folder == Path(path) else key
            found += [_Spooled(recorded, host) for recorded in recordings(folder, key)]
    return found
