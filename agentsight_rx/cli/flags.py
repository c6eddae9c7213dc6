"""The flags of trace, and those that other commands share with it, in groups."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "FILTERS",
    "OUT",
    "PAGE",
    "STDIO",
    "SYSTEM",
    "TLS",
    "WATCH",
    "AllowRemote",
    "Binaries",
    "Cgroup",
    "Children",
    "Comm",
    "CompatFilters",
    "CpuThreshold",
    "Db",
    "DefaultFilters",
    "Duration",
    "Explain",
    "Files",
    "For",
    "HttpFilters",
    "Json",
    "Jsonl",
    "Keep",
    "KeepAuth",
    "Listen",
    "Log",
    "MaxSize",
    "MemoryThreshold",
    "Mode",
    "Net",
    "Otel",
    "OtelContent",
    "OtelEndpoint",
    "OtelProtocol",
    "Pid",
    "PlainHttp",
    "ProbePlacement",
    "Process",
    "Quiet",
    "Require",
    "RequireStore",
    "Server",
    "ServerOrNot",
    "ServerPort",
    "Session",
    "Ssl",
    "Stdio",
    "StdioAllFds",
    "StdioFds",
    "StdioMaxBytes",
    "StdioRaw",
    "StdioTty",
    "StdioUid",
    "System",
    "SystemInterval",
    "TlsFilters",
    "TlsHandshake",
    "TlsHttp",
    "TlsRaw",
    "TlsUid",
    "Uid",
]

# The groups in which the help shows flags
WATCH, TLS, STDIO, SYSTEM = "what to watch", "TLS", "stdio", "system"
FILTERS, OUT, PAGE = "filters", "where it goes", "the page"


def _flag(group: str, names: str, help: str, value: str | None = None, **more: Any) -> Any:
    return typer.Option(*names.split(), help=help, metavar=value, rich_help_panel=group, **more)


# -- what to watch -----------------------------------------------------------------------------------------------------

Ssl = Annotated[bool, _flag(WATCH, "--ssl", "Plaintext of TLS, and the HTTP in it.")]
PlainHttp = Annotated[bool, _flag(WATCH, "--plain-http", "HTTP without TLS, of clients and servers.")]
Process = Annotated[bool, _flag(WATCH, "--process", "Processes: start, program, end; lines typed in bash.")]
Stdio = Annotated[bool, _flag(WATCH, "--stdio", "Standard streams, and the JSON-RPC in them (MCP).")]
System = Annotated[bool, _flag(WATCH, "--system", "Processor and memory use.")]
Files = Annotated[bool, _flag(WATCH, "--files", "Files opened, written, renamed and removed.")]
Net = Annotated[bool, _flag(WATCH, "--net", "Connections, and whether they succeeded.")]
Pid = Annotated[int | None, _flag(WATCH, "-p --pid", "This process and its descendants.", "PID", min=1)]
Comm = Annotated[str | None, _flag(WATCH, "-c --comm", "Processes of exactly these names (comma list).", "NAMES")]
Session = Annotated[int | None, _flag(WATCH, "--session", "Processes of this session.", "SID", min=1)]
Cgroup = Annotated[str | None, _flag(WATCH, "--cgroup", "Only in this control group (v2) or below.", "PATH")]
Uid = Annotated[int | None, _flag(WATCH, "--uid", "Only of this user.", "UID", min=0)]
Children = Annotated[bool, _flag(WATCH, "--children/--no-children", "Descendants too.")]
Mode = Annotated[
    int | None, _flag(WATCH, "--mode", "0: all; 1: all, files and net of chosen; 2: chosen.", "0|1|2", min=0, max=2)
]
Duration = Annotated[int | None, _flag(WATCH, "--duration", "Only ends of processes that ran this long.", "MS", min=0)]

# -- TLS ---------------------------------------------------------------------------------------------------------------

TlsUid = Annotated[int | None, _flag(TLS, "--ssl-uid", "TLS only of this user.", "UID", min=0)]
TlsHttp = Annotated[bool, _flag(TLS, "--ssl-http/--no-ssl-http", "Parse HTTP; without it, TLS records.")]
TlsRaw = Annotated[bool, _flag(TLS, "--ssl-raw-data", "TLS records too, not only HTTP.")]
TlsHandshake = Annotated[bool, _flag(TLS, "--ssl-handshake", "TLS handshakes too.")]
Binaries = Annotated[list[str] | None, _flag(TLS, "--binary-path", "This file, docker://NAME, k8s://POD; repeatable.", "PATH")]
ProbePlacement = Annotated[str, _flag(TLS, "--probe-placement", "cheap; or entry: where functions begin.", "WHERE")]

# -- stdio -------------------------------------------------------------------------------------------------------------

StdioUid = Annotated[int | None, _flag(STDIO, "--stdio-uid", "Stdio only of this user.", "UID", min=0)]
StdioFds = Annotated[str | None, _flag(STDIO, "--stdio-fds", "Only these descriptors; without it 0,1,2.", "LIST")]
StdioAllFds = Annotated[bool, _flag(STDIO, "--stdio-all-fds", "Every descriptor: MCP servers may move theirs.")]
StdioRaw = Annotated[bool, _flag(STDIO, "--stdio-raw", "Each read and write too, not only lines and MCP.")]
StdioTty = Annotated[bool, _flag(STDIO, "--stdio-tty", "What is written to terminals too.")]
StdioMaxBytes = Annotated[
    int, _flag(STDIO, "--stdio-max-bytes", "Bytes to keep of one read or write.", "N", min=1, max=262_144)
]

# -- system ------------------------------------------------------------------------------------------------------------

SystemInterval = Annotated[float, _flag(SYSTEM, "--system-interval", "Seconds between samples.", "S")]
CpuThreshold = Annotated[float | None, _flag(SYSTEM, "--cpu-threshold", "Alert from so much CPU on.", "PERCENT")]
MemoryThreshold = Annotated[int | None, _flag(SYSTEM, "--memory-threshold", "Alert from so much memory on.", "MB")]

# -- filters -----------------------------------------------------------------------------------------------------------

TlsFilters = Annotated[list[str] | None, _flag(FILTERS, "--ssl-filter", "Drop TLS records that match; repeatable.", "RULE")]
HttpFilters = Annotated[list[str] | None, _flag(FILTERS, "--http-filter", "Drop HTTP messages that match; repeatable.", "RULE")]
CompatFilters = Annotated[bool, _flag(FILTERS, "--compat-filters", "Rules mean exactly what they mean to the original.")]
DefaultFilters = Annotated[
    bool, _flag(FILTERS, "--default-filters/--no-default-filters", "Drop telemetry, status 202 and HEAD.")
]
KeepAuth = Annotated[bool, _flag(FILTERS, "--disable-auth-removal", "Keep credentials and keys, in every sink.")]

# -- where it goes -----------------------------------------------------------------------------------------------------

Json = Annotated[bool, _flag(OUT, "--json", "JSON, one event a line; so it is without a terminal.")]
Quiet = Annotated[bool, _flag(OUT, "-q --quiet", "Print no events.")]
Db = Annotated[Path | None, _flag(OUT, "--db", "The store (LMDB) to write or read.", "PATH")]
Keep = Annotated[str | None, _flag(OUT, "--keep", "Remove from the store what is older, such as 14d.", "TIME")]
MaxSize = Annotated[str | None, _flag(OUT, "--max-size", "Remove the oldest where the store is larger: 2GB.", "SIZE")]
Jsonl = Annotated[Path | None, _flag(OUT, "--jsonl", "Every event into this file.", "PATH")]
Log = Annotated[Path | None, _flag(OUT, "--log", "Messages into this file at once, not at the end.", "FILE")]
Require = Annotated[
    list[str] | None,
    _flag(WATCH, "--require", "Do not start without this source (or all).", "SOURCE"),
]
RequireStore = Annotated[bool, _flag(OUT, "--require-store", "Do not start where the store cannot be written.")]
Otel = Annotated[bool, _flag(OUT, "--otel", "Agents, calls and tools as OpenTelemetry spans.")]
OtelEndpoint = Annotated[str | None, _flag(OUT, "--otel-endpoint", "The collector; without it as OTEL_* say, or local.", "URL")]
OtelProtocol = Annotated[str | None, _flag(OUT, "--otel-protocol", "http/protobuf or grpc; without it as OTEL_* say.", "NAME")]
OtelContent = Annotated[bool, _flag(OUT, "--otel-capture-content", "Prompts, answers, input and output of tools too.")]
For = Annotated[str | None, _flag(OUT, "--for", "Stop after this time, such as 10s or 2m.", "TIME")]
Explain = Annotated[bool, _flag(OUT, "--explain", "Print the graph, and do not run it.")]

# -- the page ----------------------------------------------------------------------------------------------------------

Server = Annotated[bool, _flag(PAGE, "--server", "Serve a page that shows the capture live.")]
ServerOrNot = Annotated[bool | None, _flag(PAGE, "--server/--no-server", "Serve a page that shows it live. [on]")]
Listen = Annotated[str, _flag(PAGE, "--listen", "The address of the page.", "ADDRESS")]
ServerPort = Annotated[int | None, _flag(PAGE, "--server-port", "Its port, 0: any; without it 7395 or the next free.", "PORT")]
AllowRemote = Annotated[bool, _flag(PAGE, "--allow-remote", "Let other machines read it, over plain HTTP.")]
