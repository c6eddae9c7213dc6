"""agentsight-rx replay: recorded events through the same graph."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer
from msgspec import Struct
from msgspec.structs import replace

from ..core.stream import Stream
from ..graphs import TraceOptions, recorded
from ..graphs import replay as replay_graph
from ..runtime import run
from ..sources import ReplayOptions, spooled
from ..view import Output
from .capture import print_graph, print_summary
from .continuing import keyed
from .destinations import Destinations
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
from .keys import RedactionKey, shared
from .spooling import Spool, Spooled, SpoolHost, SpoolParts, SpoolSeconds, SpoolSize, spool_of, spooled_in, ticked

__all__ = ["replay"]


def replay(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Stores, JSONL of ours or the original, spools.")],
    ssl_http: TlsHttp = True,
    ssl_filter: TlsFilters = None,
    http_filter: HttpFilters = None,
    compat_filters: CompatFilters = False,
    disable_auth_removal: KeepAuth = False,
    redaction_key: RedactionKey = None,
    db: Db = None,
    json_lines: Json = False,
    quiet: Quiet = False,
    spool: Spool = None,
    spool_host: SpoolHost = None,
    spool_seconds: SpoolSeconds = "60s",
    spool_size: SpoolSize = "64MB",
    spool_parts: SpoolParts = 1,
    otel: Otel = False,
    otel_endpoint: OtelEndpoint = None,
    otel_protocol: OtelProtocol = None,
    otel_capture_content: OtelContent = False,
    explain: Explain = False,
) -> None:
    """Run recorded events through the same graph; needs no privileges."""
    options = shared(
        TraceOptions(
            http=ssl_http,
            tls_filters=tuple(ssl_filter or ()),
            http_filters=tuple(http_filter or ()),
            compat_filters=compat_filters,
            remove_auth=not disable_auth_removal,
        ),
        redaction_key,
    )
    spooling = spool_of(
        spool,
        host=spool_host,
        seconds=spool_seconds,
        size=spool_size,
        parts=spool_parts,
        redacted=not disable_auth_removal,
    )
    found = [] if explain else spooled_in(files)
    inputs = [_Input(each.host, partial(_of_spool, each)) for each in found] or [_Input("", partial(_of_files, tuple(files)))]
    graph = inputs[0].graph(options)  # reports a wrong filter before anything is opened
    if explain:
        print_graph(graph)
        return
    options = ticked(keyed(options, db), spooling)
    if found:  # the recordings of other hosts are not what a run goes on from
        options = replace(options, resumed=None)
    destinations = Destinations(
        quiet=quiet,
        json_lines=json_lines,
        db=db,
        spool=spooling,
        otel=otel,
        otel_endpoint=otel_endpoint,
        otel_protocol=otel_protocol,
        otel_capture_content=otel_capture_content,
    )
    for each in inputs:
        summary = run(each.graph(replace(options, host=each.host)), replace(destinations, host=each.host).replayed(options))
        sys.stdout.flush()
        print_summary(summary, verb=f"Replayed {each.host}".rstrip(), store=db)


class _Input(Struct, frozen=True):
    """What is replayed in one run: of a spool each recording by itself."""

    host: str
    graph: Callable[[TraceOptions], Stream[Output]]


def _of_spool(each: Spooled, options: TraceOptions) -> Stream[Output]:
    return recorded(spooled(each.recorded), options)


def _of_files(files: tuple[str, ...], options: TraceOptions) -> Stream[Output]:
    return replay_graph(ReplayOptions(files), options)
