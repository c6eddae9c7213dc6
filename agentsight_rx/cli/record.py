"""agentsight-rx record: run a command, or attach to what runs, and keep everything in a store."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from .. import sinks
from ..doctor import require_capture
from ..errors import UsageError
from ..graphs import RECORD_HTTP_FILTERS, TraceOptions
from ..graphs import trace as trace_graph
from ..launch import Launch, exit_status, forwarding, invoking_user
from ..runtime import Run, Summary
from ..sources import Target
from .capture import capture, print_graph, tell, tell_summary
from .options import Binaries, Comm, Db, Explain, HttpFilters, KeepAuth, Pid, TlsFilters, comms_of, trace_options
from .stores import new_store

__all__ = ["record", "record_command"]

_LINGER_S = 2.0  # how long what the command left running is still watched


def record(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="-- COMMAND [ARGS]...", help="Run this command and record it.")
    ] = None,
    pid: Pid = None,
    comm: Comm = None,
    binary_path: Binaries = None,
    ssl_filter: TlsFilters = None,
    http_filter: HttpFilters = None,
    no_default_filters: Annotated[
        bool, typer.Option("--no-default-filters", help=f"Keep what is left out otherwise: {RECORD_HTTP_FILTERS[0]}")
    ] = False,
    disable_auth_removal: KeepAuth = False,
    db: Db = None,
    wait_all: Annotated[
        bool, typer.Option("--wait-all", help="Go on until every process that the command left behind has ended.")
    ] = False,
    explain: Explain = False,
) -> int:
    """
    Record a command, or with --pid or --comm what runs already.

    The command runs as you, on this terminal, and its exit status becomes ours.
    """
    ways = [name for name, given in (("a command", command), ("--pid", pid), ("--comm", comm)) if given]
    if not ways:
        raise UsageError("nothing to record: give a command behind --, or --pid PID, or --comm NAME")
    if command and len(ways) > 1:
        raise UsageError(f"{' and '.join(ways)} do not go together: give one of them")
    defaults = [] if no_default_filters else list(RECORD_HTTP_FILTERS)

    def options(target: Target, candidates: tuple[str, ...] = ()) -> TraceOptions:
        return trace_options(
            target,
            ssl=True,
            process=True,
            binaries=binary_path,
            candidates=candidates,
            tls_filters=ssl_filter,
            http_filters=[*defaults, *(http_filter or [])],
            keep_auth=disable_auth_removal,
        )

    if explain:
        print_graph(trace_graph(options(Target(pid, comms_of(comm)))))
        return 0
    trace_graph(options(Target()))  # a wrong filter is told before anything starts
    if not command:
        store = new_store(db)
        capture(trace_graph(options(Target(pid, comms_of(comm)))), [sinks.store(store, owner=invoking_user())], store=store)
        return 0
    launch = Launch.fork(command)
    store = new_store(db)
    fresh = not store.exists()
    try:
        status, summary = record_command(launch, options(Target(launch.pid), _program_of(command)), store, wait_all=wait_all)
    except BaseException:
        launch.abandon()
        if fresh:  # the command never ran: leave no empty recording behind
            for path in (store, Path(f"{store}-lock")):
                path.unlink(missing_ok=True)
        raise
    tell_summary(summary, verb="Recorded", store=store)
    return status


def record_command(launch: Launch, options: TraceOptions, store: Path, *, wait_all: bool = False) -> tuple[int, Summary]:
    """Attach everything, let the command start, wait for its end; gives its exit status and what was seen."""
    require_capture()
    with Run(trace_graph(options), [sinks.store(store, owner=invoking_user())]) as running, forwarding(launch):
        tell(f"recording to {store}")
        launch.release()
        while (wait_status := launch.wait()) is None and not launch.hurry:
            pass
        _watch_the_rest(launch, None if wait_all else _LINGER_S)
        summary = running.stop()
    return exit_status(wait_status) if wait_status is not None else 143, summary


def _watch_the_rest(launch: Launch, limit: float | None) -> None:
    """What the command left behind became our children: watch until they ended, for `limit` s at most."""
    until = None if limit is None else time.monotonic() + limit
    while not launch.hurry and (until is None or time.monotonic() < until):
        launch.reap()
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        time.sleep(0.02)


def _program_of(command: Sequence[str]) -> tuple[str, ...]:
    """The file that will run, so that its own TLS code is probed before it starts."""
    found = shutil.which(command[0])
    return (os.path.realpath(found),) if found else ()
