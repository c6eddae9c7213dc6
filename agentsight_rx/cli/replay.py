"""agentsight-rx replay: recorded events through the same graph."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ..core.sink import Sink
from ..graphs import TraceOptions
from ..graphs import replay as replay_graph
from ..runtime import run
from ..sources import ReplayOptions
from ..view import Output
from .capture import print_graph, print_summary
from .continuing import keyed
from .destinations import Destinations, printed
from .flags import (
    CompatFilters,
    Db,
    Explain,
    HttpFilters,
    Json,
    KeepAuth,
    Otel,
    OtelContent,
    OtelEndpoint,
    OtelProtocol,
    Quiet,
    TlsFilters,
    TlsHttp,
)

__all__ = ["replay"]


def replay(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Stores, JSONL of ours or the original; -: stdin.")],
    ssl_http: TlsHttp = True,
    ssl_filter: TlsFilters = None,
    http_filter: HttpFilters = None,
    compat_filters: CompatFilters = False,
    disable_auth_removal: KeepAuth = False,
    db: Db = None,
    json_lines: Json = False,
    quiet: Quiet = False,
    otel: Otel = False,
    otel_endpoint: OtelEndpoint = None,
    otel_protocol: OtelProtocol = None,
    otel_capture_content: OtelContent = False,
    explain: Explain = False,
) -> None:
    """Run recorded events through the same graph; needs no privileges."""
    options = TraceOptions(
        http=ssl_http,
        tls_filters=tuple(ssl_filter or ()),
        http_filters=tuple(http_filter or ()),
        compat_filters=compat_filters,
        remove_auth=not disable_auth_removal,
    )
    recorded = ReplayOptions(tuple(files))
    graph = replay_graph(recorded, options)  # reports a wrong filter before anything is opened
    if explain:
        print_graph(graph)
        return
    options = keyed(options, db)
    destinations: list[Sink[Output]] = [] if quiet else [printed(json_lines=json_lines)]
    if db is not None:
        destinations += Destinations(quiet=True, db=db).sinks(options)
    spans = Destinations(
        otel=otel,
        otel_endpoint=otel_endpoint,
        otel_protocol=otel_protocol,
        otel_capture_content=otel_capture_content,
    )
    destinations += spans.spans(patient=True)
    summary = run(replay_graph(recorded, options), destinations)
    sys.stdout.flush()
    print_summary(summary, verb="Replayed", store=db)
