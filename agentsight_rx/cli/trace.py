"""agentsight-rx trace: watch running processes, print each event, and send them to other sinks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..graphs import trace as trace_graph
from ..sources import Target
from .capture import capture, print_graph
from .config import Config, SaveConfig, save_config
from .destinations import Destinations
from .flags import (
    AllowRemote,
    Binaries,
    Cgroup,
    Comm,
    CompatFilters,
    Db,
    Explain,
    For,
    HttpFilters,
    KeepAuth,
    Listen,
    Otel,
    OtelContent,
    OtelEndpoint,
    Pid,
    Quiet,
    ServerPort,
    StdioMaxBytes,
    TlsFilters,
)
from .listening import Listening
from .stores import keyed
from .values import comms_of, numbers_of, seconds_of

__all__ = ["trace"]


def trace(
    context: typer.Context,
    ssl: Annotated[bool, typer.Option("--ssl", help="Read what processes send and receive over TLS.")] = False,
    process: Annotated[bool, typer.Option("--process", help="Report processes that start, run a program, and end.")] = False,
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Read pipes and unix sockets, and the JSON-RPC in them (MCP).")
    ] = False,
    system: Annotated[bool, typer.Option("--system", help="Sample processor and memory use.")] = False,
    files: Annotated[bool, typer.Option("--files", help="Report files opened, written, renamed and removed.")] = False,
    net: Annotated[bool, typer.Option("--net", help="Report connections, and whether they succeeded.")] = False,
    pid: Pid = None,
    comm: Comm = None,
    session: Annotated[
        int | None, typer.Option("--session", min=1, metavar="SID", help="Watch the processes of this session.")
    ] = None,
    cgroup: Cgroup = None,
    uid: Annotated[int | None, typer.Option("--uid", min=0, metavar="UID", help="Only processes of this user.")] = None,
    children: Annotated[bool, typer.Option("--children/--no-children", help="Follow descendants.")] = True,
    mode: Annotated[
        int | None,
        typer.Option(
            "--mode",
            min=0,
            max=2,
            help="Processes: 0 all; 1 all, but files and connections only of chosen ones; 2 only chosen ones.",
        ),
    ] = None,
    duration: Annotated[
        int | None, typer.Option("--duration", min=0, metavar="MS", help="Only ends of processes that ran at least this long.")
    ] = None,
    ssl_uid: Annotated[int | None, typer.Option("--ssl-uid", min=0, metavar="UID", help="TLS of this user only.")] = None,
    ssl_http: Annotated[bool, typer.Option("--ssl-http/--no-ssl-http", help="Parse HTTP, or print raw TLS records.")] = True,
    ssl_raw_data: Annotated[bool, typer.Option("--ssl-raw-data", help="Print the TLS records too.")] = False,
    ssl_handshake: Annotated[bool, typer.Option("--ssl-handshake", help="Also report TLS handshakes.")] = False,
    ssl_filter: TlsFilters = None,
    http_filter: HttpFilters = None,
    compat_filters: CompatFilters = False,
    disable_auth_removal: KeepAuth = False,
    binary_path: Binaries = None,
    stdio_uid: Annotated[int | None, typer.Option("--stdio-uid", min=0, metavar="UID", help="Stdio of this user only.")] = None,
    stdio_fds: Annotated[
        str | None, typer.Option("--stdio-fds", metavar="LIST", help="Only these descriptors, such as 0,1,2.")
    ] = None,
    stdio_tty: Annotated[bool, typer.Option("--stdio-tty", help="Also report what is written to terminals.")] = False,
    stdio_max_bytes: StdioMaxBytes = 8192,
    system_interval: Annotated[float, typer.Option("--system-interval", metavar="S", help="Seconds between samples.")] = 2.0,
    cpu_threshold: Annotated[
        float | None,
        typer.Option("--cpu-threshold", metavar="PERCENT", help="Samples with at least this much CPU use are alerts."),
    ] = None,
    memory_threshold: Annotated[
        int | None, typer.Option("--memory-threshold", metavar="MB", help="Samples with at least this much memory are alerts.")
    ] = None,
    db: Db = None,
    jsonl: Annotated[Path | None, typer.Option("--jsonl", metavar="PATH", help="Write every event to this file.")] = None,
    otel: Otel = False,
    otel_endpoint: OtelEndpoint = None,
    otel_capture_content: OtelContent = False,
    server: Annotated[bool, typer.Option("--server", help="Serve a page that shows the capture live.")] = False,
    listen: Listen = "127.0.0.1",
    server_port: ServerPort = 7395,
    allow_remote: AllowRemote = False,
    for_time: For = None,
    quiet: Quiet = False,
    config: Config = None,
    save_to: SaveConfig = None,
    explain: Explain = False,
) -> None:
    """
    Watch running processes, and print one line of JSON for each event.

    Without --pid, --comm, --session and --cgroup it watches every process of the machine.
    """
    listening = Listening(
        Target(pid, comms_of(comm), session=session, uid=uid, children=children, cgroup=cgroup),
        ssl=ssl,
        process=process,
        files=files,
        net=net,
        stdio=stdio,
        system=system,
        mode=mode,
        shortest_ms=duration,
        ssl_uid=ssl_uid,
        stdio_uid=stdio_uid,
        ssl_http=ssl_http,
        ssl_raw_data=ssl_raw_data,
        ssl_handshake=ssl_handshake,
        binaries=tuple(binary_path or ()),
        tls_filters=tuple(ssl_filter or ()),
        http_filters=tuple(http_filter or ()),
        compat_filters=compat_filters,
        remove_auth=not disable_auth_removal,
        stdio_fds=numbers_of(stdio_fds, "--stdio-fds"),
        stdio_tty=stdio_tty,
        stdio_max_bytes=stdio_max_bytes,
        system_interval=system_interval,
        cpu_threshold=cpu_threshold,
        memory_threshold=memory_threshold,
    )
    options = listening.options()
    graph = trace_graph(options)  # reports a wrong filter before anything is opened
    limit = seconds_of(for_time, "--for")
    if save_to is not None:
        save_config(context, save_to)
        return
    if explain:
        print_graph(graph)
        return
    destinations = Destinations(
        quiet=quiet,
        db=db,
        jsonl=jsonl,
        otel=otel,
        otel_endpoint=otel_endpoint,
        otel_capture_content=otel_capture_content,
        server=server,
        listen=listen,
        server_port=server_port,
        allow_remote=allow_remote,
    )
    options = keyed(options, db)
    chosen = destinations.sinks(options.redaction_key)
    capture(trace_graph(options), chosen, store=db, duration=limit, keeps_auth=disable_auth_removal)
