"""agentsight-rx trace: watch running processes, print each event, and send them to other sinks."""

from __future__ import annotations

import typer

from ..graphs import trace as trace_graph
from ..sources import Target
from .capture import capture, print_graph, print_summary
from .config import Config, SaveConfig, save_config
from .continuing import keyed
from .destinations import Destinations, with_previews
from .flags import (
    AllowRemote,
    Binaries,
    Cgroup,
    Children,
    Comm,
    CompatFilters,
    CpuThreshold,
    Db,
    Duration,
    Explain,
    Files,
    For,
    HttpFilters,
    Json,
    Jsonl,
    Keep,
    KeepAuth,
    Listen,
    MaxSize,
    MemoryThreshold,
    Mode,
    Net,
    Otel,
    OtelContent,
    OtelEndpoint,
    OtelProtocol,
    Pid,
    PlainHttp,
    ProbePlacement,
    Process,
    Quiet,
    Require,
    Server,
    ServerPort,
    Session,
    Ssl,
    Stdio,
    StdioAllFds,
    StdioFds,
    StdioMaxBytes,
    StdioRaw,
    StdioTty,
    StdioUid,
    System,
    SystemInterval,
    TlsFilters,
    TlsHandshake,
    TlsHttp,
    TlsRaw,
    TlsUid,
    Uid,
)
from .keys import RedactionKey, shared
from .listening import Listening, descriptors_of
from .spooling import Spool, SpoolHost, SpoolParts, SpoolSeconds, SpoolSize, spool_of, ticked
from .values import comms_of, placement_of, required_of, retention_of, seconds_of

__all__ = ["trace"]


def trace(
    context: typer.Context,
    ssl: Ssl = False,
    plain_http: PlainHttp = False,
    process: Process = False,
    stdio: Stdio = False,
    system: System = False,
    files: Files = False,
    net: Net = False,
    pid: Pid = None,
    comm: Comm = None,
    session: Session = None,
    cgroup: Cgroup = None,
    uid: Uid = None,
    children: Children = True,
    require: Require = None,
    mode: Mode = None,
    duration: Duration = None,
    ssl_uid: TlsUid = None,
    ssl_http: TlsHttp = True,
    ssl_raw_data: TlsRaw = False,
    ssl_handshake: TlsHandshake = False,
    binary_path: Binaries = None,
    probe_placement: ProbePlacement = "cheap",
    stdio_uid: StdioUid = None,
    stdio_fds: StdioFds = None,
    stdio_all_fds: StdioAllFds = False,
    stdio_raw: StdioRaw = False,
    stdio_tty: StdioTty = False,
    stdio_max_bytes: StdioMaxBytes = 8192,
    system_interval: SystemInterval = 2.0,
    cpu_threshold: CpuThreshold = None,
    memory_threshold: MemoryThreshold = None,
    ssl_filter: TlsFilters = None,
    http_filter: HttpFilters = None,
    compat_filters: CompatFilters = False,
    disable_auth_removal: KeepAuth = False,
    redaction_key: RedactionKey = None,
    json_lines: Json = False,
    quiet: Quiet = False,
    db: Db = None,
    keep: Keep = None,
    max_size: MaxSize = None,
    jsonl: Jsonl = None,
    spool: Spool = None,
    spool_host: SpoolHost = None,
    spool_seconds: SpoolSeconds = "60s",
    spool_size: SpoolSize = "64MB",
    spool_parts: SpoolParts = 1,
    otel: Otel = False,
    otel_endpoint: OtelEndpoint = None,
    otel_protocol: OtelProtocol = None,
    otel_capture_content: OtelContent = False,
    for_time: For = None,
    config: Config = None,
    save_to: SaveConfig = None,
    explain: Explain = False,
    server: Server = False,
    listen: Listen = "127.0.0.1",
    server_port: ServerPort = None,
    allow_remote: AllowRemote = False,
) -> None:
    """
    Watch running processes, and print a line for each event: readable on a terminal, JSON elsewhere and with --json.

    Without --pid, --comm, --session and --cgroup it watches every process of the machine.
    """
    listening = Listening(
        Target(pid, comms_of(comm), session=session, uid=uid, children=children, cgroup=cgroup),
        ssl=ssl,
        plain_http=plain_http,
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
        placement=placement_of(probe_placement),
        tls_filters=tuple(ssl_filter or ()),
        http_filters=tuple(http_filter or ()),
        compat_filters=compat_filters,
        remove_auth=not disable_auth_removal,
        stdio_fds=descriptors_of(stdio_fds, every=stdio_all_fds),
        stdio_raw=stdio_raw,
        stdio_tty=stdio_tty,
        stdio_max_bytes=stdio_max_bytes,
        system_interval=system_interval,
        cpu_threshold=cpu_threshold,
        memory_threshold=memory_threshold,
    )
    options = shared(listening.options(), redaction_key)
    graph = trace_graph(options)  # reports a wrong filter before anything is opened
    limit, required = seconds_of(for_time, "--for"), required_of(require)
    retention = retention_of(keep, max_size, stored=db is not None)
    spooling = spool_of(
        spool,
        host=spool_host,
        seconds=spool_seconds,
        size=spool_size,
        parts=spool_parts,
        redacted=not disable_auth_removal,
    )
    if save_to is not None:
        save_config(context, save_to)
        return
    if explain:
        print_graph(graph)
        return
    destinations = Destinations(
        quiet=quiet,
        json_lines=json_lines,
        db=db,
        retention=retention,
        jsonl=jsonl,
        spool=spooling,
        otel=otel,
        otel_endpoint=otel_endpoint,
        otel_protocol=otel_protocol,
        otel_capture_content=otel_capture_content,
        server=server,
        listen=listen,
        server_port=server_port,
        allow_remote=allow_remote,
    )
    options = ticked(keyed(options, db), spooling)
    chosen = destinations.sinks(options)
    options = with_previews(options, chosen)
    summary = capture(trace_graph(options), chosen, duration=limit, required=required, keeps_auth=disable_auth_removal)
    print_summary(summary, verb="Traced", store=db, since_ms=summary.ledger.began_ms)
