"""agentsight-rx trace: watch what is running, print each event, keep it where asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import sinks
from ..errors import UsageError
from ..graphs import trace as trace_graph
from ..launch import invoking_user
from ..sink import Sink
from ..sources import Target
from .capture import capture, print_graph
from .options import Binaries, Comm, Db, Explain, HttpFilters, KeepAuth, Pid, TlsFilters, comms_of, trace_options

__all__ = ["trace"]


def trace(
    ssl: Annotated[bool, typer.Option("--ssl", help="Read what processes send and receive over TLS.")] = False,
    process: Annotated[bool, typer.Option("--process", help="See processes start, become programs, and end.")] = False,
    stdio: Annotated[bool, typer.Option("--stdio", help="Not yet.")] = False,
    system: Annotated[bool, typer.Option("--system", help="Not yet.")] = False,
    pid: Pid = None,
    comm: Comm = None,
    session: Annotated[
        int | None, typer.Option("--session", min=1, metavar="SID", help="Watch the processes of this session.")
    ] = None,
    uid: Annotated[
        int | None, typer.Option("--uid", "--ssl-uid", min=0, metavar="UID", help="Only what runs as this user.")
    ] = None,
    children: Annotated[bool, typer.Option("--children/--no-children", help="Follow descendants.")] = True,
    ssl_http: Annotated[bool, typer.Option("--ssl-http/--no-ssl-http", help="Parse HTTP, or print raw TLS records.")] = True,
    ssl_handshake: Annotated[bool, typer.Option("--ssl-handshake", help="Also report TLS handshakes.")] = False,
    ssl_filter: TlsFilters = None,
    http_filter: HttpFilters = None,
    disable_auth_removal: KeepAuth = False,
    binary_path: Binaries = None,
    db: Db = None,
    jsonl: Annotated[Path | None, typer.Option("--jsonl", metavar="PATH", help="Write every event to this file.")] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Do not print events.")] = False,
    explain: Explain = False,
) -> None:
    """
    Watch processes that run, print one JSON line an event.

    Without --pid, --comm and --session it watches every process of the machine.
    """
    for name, asked in (("--stdio", stdio), ("--system", system)):
        if asked:
            raise UsageError(f"{name} is not there yet: `agentsight-rx doctor` lists what is; use --ssl and --process")
    graph = trace_graph(
        trace_options(
            Target(pid, comms_of(comm), session, uid, children),
            ssl=ssl,
            process=process,
            http=ssl_http,
            handshakes=ssl_handshake,
            binaries=binary_path,
            tls_filters=ssl_filter,
            http_filters=http_filter,
            keep_auth=disable_auth_removal,
        )
    )
    if explain:
        print_graph(graph)
        return
    owner = invoking_user()
    destinations: list[Sink] = [] if quiet else [sinks.console()]
    if db is not None:
        destinations.append(sinks.store(db, owner=owner))
    if jsonl is not None:
        destinations.append(sinks.jsonl(jsonl, owner=owner))
    capture(graph, destinations, store=db)
