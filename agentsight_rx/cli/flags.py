"""The flags that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AllowRemote",
    "Binaries",
    "Cgroup",
    "Comm",
    "CompatFilters",
    "Db",
    "Explain",
    "For",
    "HttpFilters",
    "KeepAuth",
    "Listen",
    "Otel",
    "OtelContent",
    "OtelEndpoint",
    "Pid",
    "Quiet",
    "ServerPort",
    "StdioMaxBytes",
    "TlsFilters",
]

Pid = Annotated[int | None, typer.Option("-p", "--pid", min=1, metavar="PID", help="Watch this process and its descendants.")]
Comm = Annotated[
    str | None,
    typer.Option("-c", "--comm", metavar="NAMES", help="Watch processes of exactly these names (comma list) and descendants."),
]
Cgroup = Annotated[
    str | None,
    typer.Option(
        "--cgroup", metavar="PATH", help="Only processes in this control group (v2) or below; combines with the others."
    ),
]
Db = Annotated[Path | None, typer.Option("--db", metavar="PATH", help="The store (LMDB) to write or read.")]
TlsFilters = Annotated[
    list[str] | None, typer.Option("--ssl-filter", metavar="RULE", help="Drop TLS records that match; repeatable.")
]
HttpFilters = Annotated[
    list[str] | None, typer.Option("--http-filter", metavar="RULE", help="Drop HTTP messages that match; repeatable.")
]
CompatFilters = Annotated[
    bool, typer.Option("--compat-filters", help="Read the rules exactly as the original does, with its oddities.")
]
KeepAuth = Annotated[
    bool, typer.Option("--disable-auth-removal", help="Do not remove credentials and keys. They go to every sink.")
]
Binaries = Annotated[
    list[str] | None,
    typer.Option(
        "--binary-path",
        metavar="PATH",
        help="Also read TLS in this program, library or container (docker://NAME, k8s://NS/POD); repeatable.",
    ),
]
StdioMaxBytes = Annotated[
    int, typer.Option("--stdio-max-bytes", min=1, max=262_144, metavar="N", help="Bytes to capture of one read or write.")
]
Explain = Annotated[bool, typer.Option("--explain", help="Print the graph, and do not run it.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Do not print events.")]
For = Annotated[str | None, typer.Option("--for", metavar="TIME", help="Stop after this time, such as 10s or 2m.")]
Otel = Annotated[bool, typer.Option("--otel", help="Send a span for each model call to an OpenTelemetry collector.")]
OtelEndpoint = Annotated[
    str | None,
    typer.Option("--otel-endpoint", metavar="URL", help="The collector; by default OTEL_EXPORTER_OTLP_*, else localhost."),
]
OtelContent = Annotated[bool, typer.Option("--otel-capture-content", help="Also send prompts and answers in the spans.")]
Listen = Annotated[str, typer.Option("--listen", metavar="ADDRESS", help="The address of the page.")]
ServerPort = Annotated[int, typer.Option("--server-port", metavar="PORT", help="The port of the page; 0 takes a free one.")]
AllowRemote = Annotated[bool, typer.Option("--allow-remote", help="Let other machines reach the page, over plain HTTP.")]
