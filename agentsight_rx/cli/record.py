"""
agentsight-rx record: run a command, or attach to running processes, and keep everything in a store.

Longer than 300 lines because the flags of the command and its run stand together.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
from msgspec.structs import replace

from ..core.errors import AgentsightError, SinkError, UnwritableError, UsageError
from ..core.files import create_private
from ..core.messages import brief, detail, holding, say
from ..core.sink import Sink
from ..core.start import step
from ..sources.hold import group as own_group
from ..sources.kernel.features import require_kernel
from ..sources.opened import Inputs, inputs, of_command, opened_ahead
from ..sources.tls.candidates import describe, tls_candidates
from ..sources.tls.commands import Resolved, resolve, search_path
from ..view import Output
from .capturing.destinations import Destinations, with_previews
from .capturing.launch import Launch, exit_status, forwarding, invoking_user
from .capturing.stopping import Stopper
from .capturing.ways import Way, way_to_see
from .flags.destinations import Console, Page, Store
from .flags.filters import Explain, Filters
from .flags.group import HOW, PAGE, WATCH, Only, Without, flag
from .flags.guard import Guard
from .flags.sources import Stdio, System, Tls
from .flags.watch import Watch
from .places.stores import new_store
from .program.lazy import importing
from .program.start_timing import STARTED, Held, held, write_steps

if TYPE_CHECKING:  # and imported while the sources are opened
    from ..graphs import TraceOptions
    from ..runtime.run import Summary


_LINGER_S = 2.0  # how long processes that the command left running are still watched


def _switch(name: str, help: str, title: str = WATCH, kind: Any = bool) -> Any:
    """A flag of something that is on here unless --no-NAME is given."""
    return Annotated[kind, flag(title, f"--{name}/--no-{name}", help)]


SOURCE_SWITCHES = {
    "ssl": _switch("ssl", "TLS, and the calls of models in it."),
    "plain_http": _switch("plain-http", "HTTP without TLS, and the calls of models in it."),
    "process": _switch("process", "Processes."),
    "files": _switch("files", "Files."),
    "net": _switch("net", "Connections."),
    "stdio": _switch("stdio", "Pipes, sockets and standard streams (MCP)."),
    "system": _switch("system", "Processor and memory use."),
}
_CHOSEN = ("pid", "comm", "cgroup", *SOURCE_SWITCHES, "source", "by", "require")
ALL_SOURCES = Watch(ssl=True, plain_http=True, process=True, files=True, net=True, stdio=True, system=True)
STREAMS = Stdio(stdio_all_fds=True, stdio_max_bytes=65_536)
FILTERS = Filters(default_filters=True)
_GUARD = Guard()
_BY_KERNEL = Way()
_STORED = Destinations(console=Console(quiet=True), store=Store(require_store=False), page=Page(server=None))
_SERVER = _switch("server", "Serve a page that shows it live. [on]", PAGE, bool | None)


def record(
    *,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND [ARGS]...", help="Run this command and record it.", rich_help_panel=WATCH),
    ] = None,
    watch: Annotated[Watch, Only(*_CHOSEN, **SOURCE_SWITCHES)] = ALL_SOURCES,
    wait_all: Annotated[bool, flag(WATCH, "--wait-all", "Go on until all that it left running has ended.")] = False,
    tls: Annotated[Tls, Only("binary_path", "probe_placement")],
    stdio: Annotated[Stdio, Only("stdio_max_bytes")] = STREAMS,
    system: Annotated[System, Only("system_interval")],
    filters: Filters = FILTERS,
    guard: Guard = _GUARD,
    out: Annotated[Destinations, Without(Console, "jsonl", server=_SERVER)] = _STORED,
    timing: Annotated[Path | None, flag(HOW, "--timing", "Write where the time before the command went.", "FILE")] = None,
    explain: Explain = False,
) -> int:
    """
    Record a command, or running processes with --pid or --comm.

    The command runs as you, on this terminal; record exits with its exit status.
    """
    ways = [name for name, given in (("a command", command), ("--pid", watch.pid), ("--comm", watch.comm)) if given]
    if not ways:
        raise UsageError("nothing to record: give a command after --, or --pid PID, or --comm NAME")
    if command and len(ways) > 1:
        raise UsageError(f"{' and '.join(ways)} do not go together: give one of them")
    if out.store.log is not None and not command:
        raise UsageError("--log is for a command that owns the terminal: without one, messages are written at once anyway")
    if timing is not None and not command:
        raise UsageError("--timing is about a command that is started: give one after --")

    def watched(pid: int | None) -> Watch:
        return replace(watch, pid=pid, stdio=watch.stdio and pid is not None)

    def options(pid: int | None) -> TraceOptions:
        chosen = filters.over(watched(pid).options(tls, stdio, system))
        if not command:
            return guard.over(chosen, reloads=True)
        return guard.over(chosen, folder=Path.cwd())  # a command could change the rules for itself

    required = watch.required()
    if explain or not command or not _is_usual(watch, filters, guard, out):
        from ..graphs import trace as trace_graph

        attached = options(watch.pid)
        graph = trace_graph(attached)  # reports a wrong filter before anything starts
        out.check(attached, stored=True)
        if explain:
            from .capturing.capture import print_graph

            print_graph(graph)
            return 0
        if not command:
            if watch.by == "hooks":
                raise UsageError("--by hooks follows a command from its start, or a process by `trace --pid PID --by hooks`")
            require_kernel()
            return _attached(watch, attached, out, guard, required=required, filters=filters)
    name = os.path.basename(command[0])
    with brief(), way_to_see(watch.by, required) as way, own_group() as own:
        with step("the command, forked and held"):
            environment = {**os.environ, "PATH": search_path(os.environ)}
            launch = Launch.fork(command, env=environment, traced=way.tracing is not None)
        store, failure = _place(out)
        in_kernel: list[Held] = []
        absent = [] if store is None else [path for path in (store, Path(f"{store}-lock")) if not os.path.lexists(path)]
        try:
            place = "" if own is None else str(own.path)
            resolved = _resolved(command)
            # To probe before the command starts: its program, its interpreter, and libraries that come with them
            candidates = () if resolved is None else tuple(tls_candidates(*resolved.chain, *resolved.others))
            chosen = guard.recognising(watched(launch.pid).sources(tls, stdio, system), folder=Path.cwd())
            early = of_command(chosen, candidates, place)
            with opened_ahead(inputs(early)) if way.tracing is None else nullcontext() as opened:
                joined = None if own is None or way.tracing is not None else own.begin_to_add(launch.pid)
                with importing("the graph, imported"):
                    started = guard.knowing(options(launch.pid), folder=Path.cwd())
                if resolved is not None:
                    detail(describe(resolved, candidates))
                status, summary = record_command(
                    launch,
                    started,
                    out.into(store),
                    name=name,
                    wait_all=wait_all,
                    required=required,
                    group=Path(place) if joined is not None and joined() else None,
                    way=way,
                    opened=opened,
                    begun=None if timing is None else lambda: in_kernel.append(held()),
                )
        except BaseException:
            launch.abandon()
            for path in absent:  # the command never ran: leave no empty recording
                with suppress(OSError):
                    path.unlink()
            raise
    from .capturing.capture import print_closing

    began_ms = summary.ledger.began_ms
    print_closing(_with(failure, summary), store=store, since_ms=began_ms, who=name, filters=filters.given)
    if timing is not None:
        write_steps(timing, *in_kernel)
    return status


def _is_usual(watch: Watch, filters: Filters, guard: Guard, out: Destinations) -> bool:
    """Nothing is given that could be wrong for a graph, so that it need not be made before the sources are opened."""
    store = replace(out.store, db=None, require_store=False)
    plain = replace(out, store=store, page=replace(out.page, server=None))
    return (watch.source, filters, guard, plain) == (None, FILTERS, _GUARD, _STORED)


def _attached(
    watch: Watch,
    options: TraceOptions,
    out: Destinations,
    guard: Guard,
    *,
    required: Collection[str],
    filters: Filters,
) -> int:
    """Record processes that run already, until a signal."""
    from ..graphs import trace as trace_graph
    from .capturing.capture import capture, print_closing

    store, failure = _place(out)
    out = out.into(store)
    options = guard.recognising(guard.knowing(out.prepared(options)))
    chosen = out.sinks(options, stopped=Stopper())
    graph = trace_graph(with_previews(options, chosen))
    summary = _with(failure, capture(graph, chosen, required=required, keeps_auth=not options.remove_auth))
    who = ", ".join(watch.target().comms) or f"process {watch.pid}"
    print_closing(summary, store=store, since_ms=summary.ledger.began_ms, who=who, filters=filters.given)
    return summary.exit_status


def _place(out: Destinations) -> tuple[Path | None, str]:
    """The store; or none, and why, where there is no place for one and it is not required."""
    try:
        return new_store(out.store.db), ""
    except UnwritableError as error:
        if out.store.require_store:
            raise
        say(f"NOTHING IS STORED: {error}")
        return None, f"NOTHING WAS STORED: {error}"


def _with(failure: str, summary: Summary) -> Summary:
    """The summary of a run that could have no store for this reason, if there is one."""
    return replace(summary, failures=(failure, *summary.failures), exit_status=1) if failure else summary


def record_command(
    launch: Launch,
    options: TraceOptions,
    out: Destinations,
    *,
    name: str,
    wait_all: bool = False,
    required: Collection[str] = (),
    stays: bool = False,
    group: Path | None = None,
    more: Sequence[Sink[Output]] = (),
    way: Way = _BY_KERNEL,
    opened: Inputs | None = None,
    begun: Callable[[], None] | None = None,
) -> tuple[int, Summary]:
    """
    Attach everything, let the command start, wait for its end; returns its exit status and the summary.

    From its start to its end nothing is written to the terminal: messages come behind it, or go to the log of `out` at once.
    `name` is what the person calls the command, `group` the control group that it is in. What this machine does not allow is
    left out and logged, except the `required` sources. `more` are sinks beside those of `out`. A capture that `stays` goes on
    behind the command, with its page, until a signal. `opened` are the sources of the options, where these are being opened,
    else it is seen in this `way`. `begun` is called once the command runs.
    """
    with importing("the sinks and the graph, made"):
        from ..graphs import traced
        from ..runtime.run import Run
        from .capturing.capture import page_of

        options = out.prepared(options)
        destinations = [*out.sinks(options, stopped=Stopper(group)), *more]
        given = opened or way.inputs(options, launch.pid, held=True)
        graph = traced(given, with_previews(options, destinations))
    with Run(graph, destinations, required=way.needed(required), on_bug="count") as running, forwarding(launch):
        places = "".join(f" · page {url}" for url in page_of(destinations))
        end = "" if stays else " · ends with all that it starts" if wait_all else " · ends with it"
        say(f"recording {name} ({launch.pid}){places}{end}")  # what Ctrl-C does, the command decides
        with _opened(out.store.log) as file, holding(file):
            with step(STARTED):
                launch.release()
            if begun is not None:
                begun()
            while (wait_status := launch.wait()) is None and not launch.hurry:
                pass
            _watch_the_rest(launch, None if wait_all else _LINGER_S)
            while stays and not launch.asked and not launch.hurry:
                time.sleep(0.1)
            summary = running.stop()
    return exit_status(wait_status) if wait_status is not None else 143, summary


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


def _resolved(command: Sequence[str]) -> Resolved | None:
    try:
        return resolve(command[0])
    except AgentsightError:
        return None  # the launch reports what is wrong with the command


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
