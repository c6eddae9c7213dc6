"""agentsight-rx watch: record each agent that starts, as a session of its own, for as long as the machine runs."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Annotated

import typer
from msgspec.structs import replace

from ...core.messages import say
from ...core.signals import has_terminal
from ...graphs import TraceOptions
from ...graphs import trace as trace_graph
from ...runtime.recording.price_file import load_prices
from ...runtime.service.bounds import Limits
from ...runtime.service.metrics import serve
from ...sources import AgentOptions, Roots
from ...sources.kernel.features import require_kernel
from ...store.log.upkeep import Retention
from ...store.rows.tally import Tally
from ...store.rows.uses import PAIRS_MOST, Uses
from ...view.queries.calls.costs import usd_of_call
from ..capturing.capture import capture, print_closing, print_graph
from ..capturing.destinations import Destinations, with_previews
from ..capturing.stopping import Stopper
from ..flags.agents import Agents, Users
from ..flags.destinations import Console, Store
from ..flags.filters import Explain, Filters
from ..flags.group import OUT, WATCH, Only, Without, flag
from ..flags.guard import Guard
from ..flags.sources import Stdio, System, Tls
from ..flags.watch import Watch
from ..places.own_files import load_own_agents
from ..places.stores import machine_store
from ..record import ALL_SOURCES, FILTERS, SOURCE_SWITCHES, STREAMS
from ..values import bytes_of, comms_of, socket_of
from .heartbeat import Beat, Kept, Reloading
from .pausing import Pause, lock_of_machine, only_recorder

_SELECTED = {
    "pid": Annotated[int | None, flag(WATCH, "-p --pid", "Only agents below this process; ends with it.", "PID", min=1)],
    "comm": Annotated[str | None, flag(WATCH, "-c --comm", "Programs of these names are agents too (comma list).", "NAMES")],
    "session": Annotated[int | None, flag(WATCH, "--session", "Only agents that start in this session.", "SID", min=0)],
    "cgroup": Annotated[str | None, flag(WATCH, "--cgroup", "Only agents in this control group (v2) or below.", "PATH")],
    "uid": Annotated[int | None, flag(WATCH, "--uid", "Only agents of this user.", "UID", min=0)],
}
_RING = 8 << 20  # 0.03 s of 262 MB/s, the most that is read without loss
_GUARD = Guard()
_AGENTS = Agents()
_USERS = Users()
_STORED = Destinations(console=Console(quiet=True), store=Store(keep="60d", max_size="2GB"))


def watch(
    *,
    context: typer.Context,
    watch: Annotated[Watch, Only(*_SELECTED, *SOURCE_SWITCHES, "require", **_SELECTED, **SOURCE_SWITCHES)] = ALL_SOURCES,
    agents: Agents = _AGENTS,
    tls: Annotated[Tls, Only("probe_placement")],
    stdio: Annotated[Stdio, Only("stdio_max_bytes")] = STREAMS,
    system: Annotated[System, Only("system_interval")],
    filters: Filters = FILTERS,
    guard: Guard = _GUARD,
    out: Annotated[Destinations, Without(Console, "jsonl", "log", "require_store")] = _STORED,
    users: Users = _USERS,
    max_memory: Annotated[
        str | None, flag(OUT, "--max-memory", "End in order where it takes more, BPF included; shed from 85 %.", "SIZE")
    ] = None,
    metrics: Annotated[
        str | None, flag(OUT, "--metrics", "Serve /metrics and /healthz there, such as 127.0.0.1:9464.", "ADDRESS:PORT")
    ] = None,
    explain: Explain = False,
) -> int:
    """
    Record every agent of this machine until a signal: running agents, and each one that starts.

    It ends no agent. While none runs, nothing is attached to any program. Without a terminal, SIGHUP reads guard.toml and
    agents.toml anew.
    """
    if context.invoked_subcommand is not None:
        return 0
    store = out.store.db or machine_store()
    out = out.into(store)
    paused = Pause(store)
    limits = Limits(bytes_of(max_memory, "--max-memory") or 0)
    found = _found(watch, agents, paused)
    options = _with_rings(watch.options(tls, stdio, system, agents=found))
    options = guard.recognising(guard.living_here(guard.over(filters.over(options))))
    reloading = Reloading(guard.loaded(options), load_own_agents)
    if guard.is_on:
        options = replace(options, rules_file=reloading.look)
    graph = trace_graph(options)  # reports a wrong filter before anything is opened
    out.check(options, stored=True)
    others = users.sinks(out.store.retention(), whole=_is_whole(watch), guard=guard.is_on)
    pasts = None if explain else users.pasts(found.choice, _of_past(out, context), whole=_is_whole(watch))
    if explain:
        print_graph(graph)
        return 0
    served_at = None if metrics is None else socket_of(metrics, "--metrics", remote=out.page.allow_remote)
    with ExitStack() as stack:
        if _is_whole(watch):
            stack.enter_context(only_recorder(lock_of_machine()))  # the store has a lock of its own
        if paused.holds():
            say("paused: nothing is recorded until `watch resume`, or the end of the pause")
        options = out.prepared(options)
        chosen = [*out.sinks(options, stopped=Stopper()), *others]
        graph = trace_graph(with_previews(options, chosen))
        require_kernel()
        required = watch.required() | {"agents"}
        beat = Beat(found.roots, limits, reloading=reloading, pasts=pasts, is_paused=paused.holds)
        tally = Tally()
        if served_at is not None:
            tally = _tally_of(named=not others)
            limit = out.store.retention()
            kept = Kept(store, None if limit is None else limit.most_bytes, lambda: paused.until_ms() is not None)
            served = serve(*served_at, partial(beat.figures, kept))
            stack.callback(served.close)
            say(f"figures: http://{served.address[0]}:{served.address[1]}/metrics")
        hangup = None if has_terminal() else reloading.ask  # a terminal says so when it is closed
        auth = not options.remove_auth
        summary = capture(graph, chosen, required=required, keeps_auth=auth, beat=beat, tally=tally, hangup=hangup)
        beat.ends()
    print_closing(summary, store=store, since_ms=summary.ledger.began_ms, verb="watched", filters=filters.given)
    return beat.exit_status or summary.exit_status


def _of_past(out: Destinations, context: typer.Context) -> Retention | None:
    """Of what agents wrote down themselves any age stays, where --keep was not given."""
    found, given = out.store.retention(), context.get_parameter_source("keep")
    return replace(found, keep_ms=None) if found is not None and given is not None and given.name == "DEFAULT" else found


def _tally_of(*, named: bool) -> Tally:
    """What the figures show of calls: with the names of models and agents, or as one sum."""
    prices = load_prices(None)
    return Tally(Uses(lambda call: usd_of_call(call, prices), most=PAIRS_MOST if named else 0))


def _with_rings(options: TraceOptions) -> TraceOptions:
    """With smaller rings for bulk than a capture of one command has: it runs for months, and memory is the kernel's too."""
    bulk = {name: getattr(options, name) for name in ("tls", "plain_http", "stdio")}
    return replace(options, **{name: replace(each, ring_size=_RING) for name, each in bulk.items() if each is not None})


def _is_whole(watch: Watch) -> bool:
    """It looks for agents on the whole machine."""
    return (watch.pid, watch.session, watch.cgroup, watch.uid) == (None, None, None, None)


def _found(watch: Watch, agents: Agents, paused: Pause) -> AgentOptions:
    """Which agents are found, and where. Raises UsageError."""
    return AgentOptions(Roots(), replace(watch.target(), comms=()), agents.choice(comms_of(watch.comm)), paused.holds)
