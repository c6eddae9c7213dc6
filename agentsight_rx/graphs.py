"""Options -> the product's graphs: trace, record and replay. Start reading here."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from . import operators as op
from . import sources
from .core.errors import UsageError
from .core.machine import Node
from .core.merge import merge
from .core.options import above, at_least
from .core.stream import Operator, Stream
from .events import (
    Event,
    HttpEvent,
    Loss,
    ProcessEvent,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    RpcMessage,
    StdioEvent,
    TcpTraffic,
    Tick,
    TlsChunk,
    TlsClose,
    TlsEvent,
    TlsHandshake,
    TlsOpen,
    time_of,
)
from .events.loss import Reason
from .operators.guard import Look
from .policy.rules.guard.values import Rules
from .sources import ReplayOptions
from .sources.opened import Inputs, SourceOptions, inputs
from .store.fold.guard.talk import Priced
from .store.log.resuming import Checkpoints, Resumed
from .view import Output

__all__ = [
    "RECORD_HTTP_FILTERS",
    "Inputs",
    "TraceOptions",
    "explain",
    "http_messages",
    "recorded",
    "replay",
    "trace",
    "traced",
    "unredacted",
]

NO_SOURCE = (
    "At least one monitoring type must be enabled (--ssl, --process, --stdio, or --system); "
    "all of them: --ssl, --plain-http, --process, --files, --net, --stdio, --system"
)

_BOTH_READ_S = 6.0  # by then both readers of a slow machine have emitted what the kernel saw at one time

# What a recording of an agent leaves out: its telemetry, accepted uploads, connection warm-ups
RECORD_HTTP_FILTERS = ("request.path_prefix=/v1/rgstr | response.status_code=202 | request.method=HEAD",)


class TraceOptions(SourceOptions, frozen=True):
    """What `trace` listens to, and what it makes of that. `shortest_ms`: only ends of processes that lived that long."""

    http: bool = True
    raw: bool = False  # the records of TLS and of plain HTTP too, beside the messages made of them
    stdio_raw: bool = False  # the reads and writes too, beside the lines made of them
    tls_filters: tuple[str, ...] = ()
    http_filters: tuple[str, ...] = ()
    compat_filters: bool = False  # rules mean exactly what they mean to the original
    remove_auth: bool = True
    redaction_key: bytes | None = None  # equal secrets get equal labels under one key; None: one for this graph alone
    sse_timeout: Annotated[float, above(0)] = 30.0
    progress: bool = False  # what answers say before their end too, for a page that shows a run as it goes on
    resumed: Resumed | None = None  # the view of the store that the run goes on in
    first_exchange: int = 0  # the exchanges of a connection are numbered from behind it, beyond those of earlier runs
    checkpoints: Checkpoints | None = None  # where the view leaves its state for the store
    shortest_ms: Annotated[int, at_least(0)] | None = None
    ticks: bool = False  # the time between events too, for a spool
    host: str = ""  # in the ids of rows
    guard: Rules | None = None  # whose alerts are rows
    priced: Priced | None = None  # the cost of a call, for the budgets of the guard
    known_hosts: tuple[tuple[str, str], ...] = ()  # workspace and host, from earlier recordings, for the guard
    known_homes: tuple[str, ...] = ()  # of users of this machine, beside the usual ones, for the guard
    rules_file: Look | None = None  # says where the rules of the guard have changed; None: the given rules are for all
    sources: tuple[Stream[Event], ...] = ()  # of other packages, beside ours
    pipes: tuple[Operator[Event, Event], ...] = ()  # of other packages: behind our analyses and before remove_auth


def trace(options: TraceOptions) -> Stream[Output]:
    """
    What an agent said to models and tools, what it ran, read, wrote, reached and used.

    Raises UsageError where nothing is asked for or a filter is wrong.
    """
    return traced(inputs(options), options)


def traced(opened: Inputs, options: TraceOptions) -> Stream[Output]:
    """The same over what other sources emit."""
    inputs: list[Stream[Event]] = [] if opened.agents is None else [opened.agents.pipe(op.normalize())]
    wires = _wires(opened)
    if wires is not None:
        inputs.append(_tls(wires, options))
    if opened.process is not None:
        inputs.append(_process(opened.process, options.shortest_ms))
    inputs += [source.pipe(op.normalize()) for source in (opened.files, opened.net, opened.readline) if source is not None]
    if opened.stdio is not None:
        inputs.append(_stdio(opened.stdio, raw=options.stdio_raw))
    if opened.system is not None:
        inputs.append(opened.system.pipe(op.normalize()))
    inputs += [source.pipe(op.normalize()) for source in options.sources]
    if not inputs:
        raise UsageError(NO_SOURCE)
    return _viewed(merge(*inputs), options)


def _wires(opened: Inputs) -> Stream[TlsEvent] | None:
    """
    What carries HTTP, on one stream: whether a connection was read takes both sources to know. Plain HTTP is ordered by time
    even alone, since a write comes after its answer where it returned later.
    """
    if opened.plain_http is None:
        return opened.tls
    wires = [opened.plain_http] if opened.tls is None else [opened.tls, opened.plain_http]
    return merge(*wires, time_of=time_of)


def _stdio(source: Stream[StdioEvent], *, raw: bool) -> Stream[Event]:
    calls = source.pipe(op.normalize())
    if not raw:
        return calls.pipe(op.parse_jsonrpc())
    calls = calls.share()
    return merge(calls.pipe(op.parse_jsonrpc(), op.keep(_is_line, name="keep_lines")), calls)


def _is_line(event: StdioEvent) -> bool:
    """The losses of the source come with the calls; of a line that was cut the loss is made with the line."""
    return isinstance(event, RpcMessage) or (isinstance(event, Loss) and event.reason in (Reason.LIMITED, Reason.TRUNCATED))


def _viewed(events: Stream[Event], options: TraceOptions) -> Stream[Output]:
    state = None if options.resumed is None else options.resumed.state
    clean = _redacted(events, options)
    if options.ticks:
        clean = clean.pipe(op.mark_ticks())
    view = op.materialize(
        resumed=state,
        checkpoints=options.checkpoints,
        host=options.host,
        guard=options.guard,
        priced=options.priced,
        follows=options.rules_file is not None,
    )
    return clean.pipe(view)


def _redacted(events: Stream[Event], options: TraceOptions) -> Stream[Event]:
    if (
        options.guard is not None or options.known_hosts or options.known_homes
    ):  # also without any: so a recording shows a guard
        events = events.pipe(op.know_hosts(*options.known_hosts, homes=options.known_homes))
    if options.rules_file is not None:
        events = events.pipe(op.reload_rules(options.rules_file))
    for pipe in options.pipes:
        events = events.pipe(pipe)
    return events.pipe(op.remove_auth(key=options.redaction_key)) if options.remove_auth else events


def _process(source: Stream[ProcessEvent], shortest_ms: int | None) -> Stream[Event]:
    ran = source.pipe(op.normalize())
    if shortest_ms is None:
        return ran
    return ran.pipe(op.keep(partial(_lived, shortest_ms), name="keep_long_lived", options=f"shortest_ms={shortest_ms}"))


def _lived(shortest_ms: int, event: ProcessEvent) -> bool:
    if isinstance(event, ProcessExit):
        return event.duration_ns >= shortest_ms * 1_000_000
    return not isinstance(event, ProcessFork | ProcessExec)


def replay(paths: ReplayOptions, options: TraceOptions) -> Stream[Output]:
    """The same graph over recorded events: raw records take the whole chain, parsed events pass unchanged."""
    return recorded(sources.replay(paths), options)


def recorded(events: Stream[Event], options: TraceOptions) -> Stream[Output]:
    """The same over events that are read in another way. Answers are ordered by where their words end."""
    return _viewed(merge(_any_tls(events, options)), options)


def _tls(source: Stream[TlsEvent], options: TraceOptions) -> Stream[Event]:
    both = options.tls is not None and options.plain_http is not None
    marked = source.pipe(op.find_blind_spots(wait=_BOTH_READ_S if both else 0.0))
    if options.tls_filters:
        marked = marked.pipe(op.filter_tls(*options.tls_filters, compat=options.compat_filters))
    if not options.http:
        return marked.pipe(op.drop_marked(), op.normalize())
    marked = marked.share() if options.raw else marked
    messages = http_messages(marked, options).pipe(op.merge_mcp())
    if not options.raw:
        return messages
    return merge(messages.pipe(op.keep(_parsed, name="keep_parsed")), marked.pipe(op.drop_marked(), op.normalize()))


def _parsed(event: HttpEvent | RpcMessage) -> bool:
    return not isinstance(event, TlsChunk | TlsHandshake | TlsOpen | TlsClose | TcpTraffic | Loss | Tick)


def http_messages(source: Stream[TlsEvent], options: TraceOptions) -> Stream[HttpEvent]:
    """The HTTP messages that the rules leave, and all other events. Their time of day is set here: records are many more."""
    read_http = op.read_http(timeout=options.sse_timeout, progress=options.progress, first_exchange=options.first_exchange)
    read = source.pipe(read_http).pipe(op.normalize())
    if options.tls_filters:
        read = read.pipe(op.drop_marked())
    if options.http_filters:
        read = read.pipe(op.filter_http(*options.http_filters, compat=options.compat_filters))
    return read


def _any_tls(source: Stream[Event], options: TraceOptions) -> Stream[Event]:
    """The operators of the TLS chain pass every other kind of event unchanged, so a mixed recording can take the same path."""
    return _tls(source, options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def explain(graph: Stream[Output]) -> str:
    """The graph as text: one stage a line, its inputs indented below it."""
    return graph.node().text()


def unredacted(node: Node, *, safe: bool = False) -> list[str]:
    """The sources of captured content from which a path leads to the end of the graph without passing remove_auth."""
    safe = safe or node.name == "remove_auth"
    if not node.inputs:
        carries_content = node.name not in ("net", "system") or not node.ours
        return [node.name] if carries_content and not safe else []
    return [name for source in node.inputs for name in unredacted(source, safe=safe)]
