"""
agentsight-rx record: run a command, or attach to running processes, and keep everything in a store.

Longer than 300 lines because half of it is the flags, which belong to one command.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from msgspec.structs import replace

from .. import sinks
from ..core.sink import Sink
from ..errors import AgentsightError, SinkError, UsageError
from ..files import create_private
from ..graphs import RECORD_HTTP_FILTERS, TraceOptions
from ..graphs import trace as trace_graph
from ..launch import Launch, exit_status, forwarding, invoking_user
from ..runtime import Run, Summary
from ..say import brief, detail, holding, say
from ..sinks import Lent
from ..sources import Target
from ..sources.hold import group
from ..sources.kernel.features import require_kernel
from ..sources.tls.candidates import describe, tls_candidates
from ..sources.tls.commands import resolve, search_path
from ..view import Output
from ..view.retention import Retention
from ..web import WebOptions, web
from .capture import capture, page_of, print_closing, print_graph
from .continuing import keyed
from .destinations import Destinations, with_previews
from .flags import (
    WATCH,
    AllowRemote,
    Binaries,
    Cgroup,
    Comm,
    CompatFilters,
    Db,
    DefaultFilters,
    Explain,
    HttpFilters,
    Keep,
    KeepAuth,
    Listen,
    Log,
    MaxSize,
    Otel,
    OtelContent,
    OtelEndpoint,
    OtelProtocol,
    Pid,
    ProbePlacement,
    Require,
    RequireStore,
    ServerOrNot,
    ServerPort,
    StdioMaxBytes,
    SystemInterval,
    TlsFilters,
)
from .keys import RedactionKey, shared
from .listening import Listening
from .spooling import Spool, SpoolHost, SpoolParts, SpoolSeconds, SpoolSize, spool_of, ticked
from .stores import new_store
from .values import comms_of, placement_of, required_of, retention_of

__all__ = ["record", "record_command"]

_LINGER_S = 2.0  # how long processes that the command left running are still watched


def _source(name: str, help: str) -> Any:
    return typer.Option(f"--{name}/--no-{name}", help=help, rich_help_panel=WATCH)


def record(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND [ARGS]...", help="Run this command and record it.", rich_help_panel=WATCH),
    ] = None,
    pid: Pid = None,
    comm: Comm = None,
    cgroup: Cgroup = None,
    ssl: Annotated[bool, _source("ssl", "TLS, and the calls of models in it.")] = True,
    plain_http: Annotated[bool, _source("plain-http", "HTTP without TLS, and the calls of models in it.")] = True,
    process: Annotated[bool, _source("process", "Processes.")] = True,
    files: Annotated[bool, _source("files", "Files.")] = True,
    net: Annotated[bool, _source("net", "Connections.")] = True,
    stdio: Annotated[bool, _source("stdio", "Pipes, sockets and standard streams (MCP).")] = True,
    system: Annotated[bool, _source("system", "Processor and memory use.")] = True,
    require: Require = None,
    wait_all: Annotated[
        bool,
        typer.Option("--wait-all", help="Go on until all that it left running has ended.", rich_help_panel=WATCH),
    ] = False,
    binary_path: Binaries = None,
    probe_placement: ProbePlacement = "cheap",
    stdio_max_bytes: StdioMaxBytes = 65_536,
    system_interval: SystemInterval = 2.0,
    ssl_filter: TlsFilters = None,
    http_filter: HttpFilters = None,
    compat_filters: CompatFilters = False,
    default_filters: DefaultFilters = True,
    disable_auth_removal: KeepAuth = False,
    redaction_key: RedactionKey = None,
    db: Db = None,
    keep: Keep = None,
    max_size: MaxSize = None,
    log: Log = None,
    require_store: RequireStore = False,
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
    server: ServerOrNot = None,
    listen: Listen = "127.0.0.1",
    server_port: ServerPort = None,
    allow_remote: AllowRemote = False,
) -> int:
    """
    Record a command, or running processes with --pid or --comm.

    The command runs as you, on this terminal; record exits with its exit status.
    """
    ways = [name for name, given in (("a command", command), ("--pid", pid), ("--comm", comm)) if given]
    if not ways:
        raise UsageError("nothing to record: give a command after --, or --pid PID, or --comm NAME")
    if command and len(ways) > 1:
        raise UsageError(f"{' and '.join(ways)} do not go together: give one of them")
    if log is not None and not command:
        raise UsageError("--log is for a command that owns the terminal: without one, messages are written at once anyway")

    def options(target: Target, candidates: tuple[str, ...] = (), place: str = "") -> TraceOptions:
        listening = Listening(
            target,
            ssl=ssl,
            plain_http=plain_http,
            process=process,
            files=files,
            net=net,
            stdio=stdio and target.pid is not None,
            system=system,
            binaries=tuple(binary_path or ()),
            placement=placement_of(probe_placement),
            candidates=candidates,
            group=place,
            tls_filters=tuple(ssl_filter or ()),
            http_filters=(*(RECORD_HTTP_FILTERS if default_filters else ()), *(http_filter or ())),
            compat_filters=compat_filters,
            remove_auth=not disable_auth_removal,
            stdio_max_bytes=stdio_max_bytes,
            system_interval=system_interval,
        )
        return shared(listening.options(), redaction_key)

    retention, required = retention_of(keep, max_size), required_of(require)
    spooling = spool_of(
        spool,
        host=spool_host,
        seconds=spool_seconds,
        size=spool_size,
        parts=spool_parts,
        redacted=not disable_auth_removal,
    )
    attached = Target(pid, comms_of(comm), cgroup=cgroup)
    if explain:
        print_graph(trace_graph(options(attached)))
        return 0
    trace_graph(options(attached))  # reports a wrong filter before anything starts
    lent = Lent()
    page = [] if server is False else [web(WebOptions(listen, server_port, allow_remote, required=bool(server)), lent=lent)]
    spans = Destinations(
        quiet=True,
        spool=spooling,
        otel=otel,
        otel_endpoint=otel_endpoint,
        otel_protocol=otel_protocol,
        otel_capture_content=otel_capture_content,
    )
    others = [*page, *spans.segments(), *spans.spans()]
    if not command:
        store = new_store(db)
        chosen = ticked(keyed(options(attached), store), spooling)
        kept = _kept(store, chosen, required=require_store, retention=retention, lent=lent)
        destinations = [kept, *others]
        summary = capture(
            trace_graph(with_previews(chosen, destinations)),
            destinations,
            required=required,
            keeps_auth=disable_auth_removal,
        )
        who = ", ".join(attached.comms) or f"process {pid}"
        print_closing(summary, store=store, who=who, filters=bool(ssl_filter or http_filter))
        return 0
    with brief(), group() as own:
        launch = Launch.fork(command, env={**os.environ, "PATH": search_path(os.environ)})
        store = new_store(db)
        absent = [path for path in (store, Path(f"{store}-lock")) if not os.path.lexists(path)]
        try:
            target = Target(launch.pid, cgroup=cgroup)
            place = str(own.path) if own is not None and own.add(launch.pid) else ""
            chosen = ticked(options(target, _candidates_of(command), place), spooling)
            status, summary = record_command(
                launch,
                chosen,
                store,
                *others,
                name=os.path.basename(command[0]),
                wait_all=wait_all,
                log=log,
                required=required,
                require_store=require_store,
                retention=retention,
                lent=lent,
            )
        except BaseException:
            launch.abandon()
            for path in absent:  # the command never ran: leave no empty recording
                path.unlink(missing_ok=True)
            raise
    print_closing(summary, store=store, who=os.path.basename(command[0]), filters=bool(ssl_filter or http_filter))
    return status


def record_command(
    launch: Launch,
    options: TraceOptions,
    store: Path,
    *others: Sink[Output],
    name: str,
    wait_all: bool = False,
    log: Path | None = None,
    required: Collection[str] = (),
    require_store: bool = True,
    retention: Retention | None = None,
    lent: Lent | None = None,
    stays: bool = False,
) -> tuple[int, Summary]:
    """
    Attach everything, let the command start, wait for its end; returns its exit status and the summary.

    From its start to its end nothing is written to the terminal: messages come behind it, or go to `log` at once.
    `name` is what the person calls the command. `lent` gets the open store, for a page among `others`.
    What this machine does not allow is left out and logged, except the `required` sources.
    A capture that `stays` goes on behind the command, with its page, until a signal.
    Without `require_store` the command also runs where the disk of the store is full.
    """
    require_kernel()
    if options.process is not None:
        options = replace(options, process=replace(options.process, launched=True))
    options = keyed(options, store)
    kept = _kept(store, options, required=require_store, retention=retention, lent=lent)
    destinations = [kept, *others]
    graph = trace_graph(with_previews(options, destinations))
    with Run(graph, destinations, required=required) as running, forwarding(launch):
        places = "".join(f" · page {url}" for url in page_of(destinations))
        say(f"recording {name} ({launch.pid}){places} · Ctrl-C ends both")
        with _opened(log) as file, holding(file):
            launch.release()
            while (wait_status := launch.wait()) is None and not launch.hurry:
                pass
            _watch_the_rest(launch, None if wait_all else _LINGER_S)
            while stays and not launch.hurry:
                time.sleep(0.1)
            summary = running.stop()
    return exit_status(wait_status) if wait_status is not None else 143, summary


def _kept(
    store: Path, options: TraceOptions, *, required: bool, retention: Retention | None, lent: Lent | None
) -> Sink[Output]:
    return sinks.store(
        store,
        owner=invoking_user(),
        key=options.redaction_key,
        required=required,
        resumed=options.resumed,
        checkpoints=options.checkpoints,
        retention=retention,
        lent=lent,
    )


def _watch_the_rest(launch: Launch, limit: float | None) -> None:
    """Processes that the command left running became our children: watch them until they end, `limit` s at most."""
    until = None if limit is None else time.monotonic() + limit
    while not launch.hurry and (until is None or time.monotonic() < until):
        launch.reap()
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        time.sleep(0.02)


def _candidates_of(command: Sequence[str]) -> tuple[str, ...]:
    """The files to probe before the command starts: its program, its interpreter, and libraries that come with them."""
    try:
        resolved = resolve(command[0])
    except AgentsightError:
        return ()  # the launch reports what is wrong with the command
    candidates = tls_candidates(*resolved.chain, *resolved.others)
    detail(describe(resolved, candidates))
    return tuple(candidates)


@contextmanager
def _opened(log: Path | None) -> Generator[TextIO | None]:
    if log is None:
        yield None
        return
    try:
        file = os.fdopen(create_private(log, invoking_user()), "w")
    except OSError as error:
        raise SinkError(f"--log {log} cannot be written: {error.strerror}") from error
    with file:
        yield file
