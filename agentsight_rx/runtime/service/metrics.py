"""A run -> its figures for Prometheus, and whether it is well, over HTTP on a socket of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from ...core.errors import SinkError, UsageError
from ...events.loss import Entry, Ledger
from ...store.rows.tally import Totals
from ...store.rows.uses import OTHER, Use
from .bounds import Memory

_STAGES_MOST = 24  # of the ledger, which has about 30 with every sink; the first ones are the sources
_LOSSES_MOST = 10  # pairs of stage and reason; what else is lost is counted by its reason
_QUEUES_MOST = 6
_KINDS = frozenset({"input", "cache_read", "cache_creation", "output"})  # reasoning is part of the output
_PATIENCE_S = 5.0  # for a request


class Figures(Struct, frozen=True):
    """
    What a recorder says of itself at a moment. Nothing of it names a process, a path, a session or a user. None is not known,
    or does not apply, and is then left out: a 0 would be a claim.
    """

    totals: Totals
    ledger: Ledger
    uses: dict[tuple[str, str], Use] = {}  # by model and agent
    agents: int = 0
    paused: bool = False
    blind_spots: int = 0
    sources_missing: int = 0
    queues: dict[str, float] = {}
    memory: Memory = Memory()
    memory_limit: int | None = None
    store_bytes: int | None = None
    store_limit: int | None = None
    lag_s: float = 0.0
    stuck_s: float = 0.0
    up_s: float = 0.0
    shed_from_bytes: int = 0  # contents of so many bytes and more are not taken; 0: all are
    rules: str = ""  # sha256 of the rules of the guard; "" without a guard
    proved_s: float | None = None  # Unix time at which the probes last saw a program of our own
    begun: bool = True  # else there is nothing to count yet
    agents_file: str = ""  # sha256 of the user's agents.toml; "" without one
    reloads: int = 0  # of both
    reloads_refused: int = 0
    well: bool = True


class Sample(Struct, frozen=True):
    """A family of one or more series."""

    name: str
    kind: str  # gauge or counter
    help: str
    values: tuple[tuple[dict[str, str], float], ...]


class Shown:
    """
    What a server has shown, since a counter never becomes smaller. Where a row is taken back, such as a process that was
    another one's, its counter stands still until it is reached again. The losses that came first keep their series.
    """

    def __init__(self) -> None:
        self._most: dict[str, float] = {}
        self._losses: dict[tuple[str, str], None] = {}

    def rising(self, name: str, value: float) -> float:
        self._most[name] = max(value, self._most.get(name, 0.0))
        return self._most[name]

    def losses(self, entries: Iterable[Entry]) -> dict[tuple[str, str], float]:
        """Counts by stage and reason. A pair without room for a series is counted by its reason alone."""
        found: dict[tuple[str, str], float] = {}
        for entry in entries:
            pair = entry.stage, entry.reason.value
            if pair not in self._losses:
                if len(self._losses) < _LOSSES_MOST:
                    self._losses[pair] = None
                else:
                    pair = OTHER, entry.reason.value
            found[pair] = found.get(pair, 0) + entry.count
        return found


def samples(figures: Figures, shown: Shown) -> Iterator[Sample]:
    """All families: at most 200 series, however many agents, models and sessions there were."""
    yield _one("up", "gauge", "Whether the recorder is well.", float(figures.well))
    if not figures.begun:
        return
    yield _one("up_seconds", "gauge", "How long it records.", figures.up_s)
    yield _one("engine_idle_seconds", "gauge", "For how long the engine has not looked for events.", figures.stuck_s)
    yield _one("lag_seconds", "gauge", "For how long waiting events wait for the engine at most.", figures.lag_s)
    yield _one("paused", "gauge", "Whether a person wants nothing recorded now.", float(figures.paused))
    yield _one("agents", "gauge", "Agents that run now.", figures.agents)
    yield from _counts(figures.totals, shown)
    yield from _used(figures.uses)
    yield _one("blind_spots", "gauge", "Programs of agents that could not be read.", figures.blind_spots)
    yield _one("sources_missing", "gauge", "Sources that this machine does not allow.", figures.sources_missing)
    yield from _account(figures.ledger, shown)
    queues = dict(list(figures.queues.items())[:_QUEUES_MOST])
    yield _labelled("queue_fill_ratio", "gauge", "How full each queue is; with 1, events are lost.", "queue", queues)
    memory = {"anonymous": figures.memory.anonymous, "tables": figures.memory.tables, "group": figures.memory.group}
    known = {kind: size for kind, size in memory.items() if size}
    yield _labelled("memory_bytes", "gauge", "Memory: anonymous, BPF tables, control group.", "kind", known)
    yield from _known("memory_limit_bytes", "Anonymous memory and BPF tables with which it ends.", figures.memory_limit)
    yield from _known("store_bytes", "The size of the store.", figures.store_bytes)
    yield from _known("store_limit_bytes", "The size from which the oldest data is removed.", figures.store_limit)
    said = "When the probes last saw a program of the recorder's own."
    yield from _known("probes_proved_timestamp_seconds", said, figures.proved_s)
    yield _one("shed_from_bytes", "gauge", "Contents from this size on are shed; 0: none.", figures.shed_from_bytes)
    reloads = {"loaded": figures.reloads - figures.reloads_refused, "refused": figures.reloads_refused}
    yield _labelled("reloads", "counter", "Reloads of rules and agents by result.", "result", reloads)
    if figures.rules:
        yield _labelled("rules_info", "gauge", "The rules of the guard.", "sha256", {figures.rules: 1})
    if figures.agents_file:
        yield _labelled("agents_file_info", "gauge", "The agents of agents.toml.", "sha256", {figures.agents_file: 1})


def _counts(totals: Totals, shown: Shown) -> Iterator[Sample]:
    going_on = max(0, totals.calls - sum(totals.models.values()))
    yield _one("calls_open", "gauge", "Calls of models that go on.", going_on)
    counts = {
        "sessions": (totals.sessions, "Sessions of agents."),
        "calls_unfinished": (totals.calls_unfinished - going_on, "Calls without an answer, or not to its end."),
        "calls_cut": (totals.calls_cut, "Calls of which a part was not captured."),
        "tools": (totals.tools, "Tools that models asked for."),
        "commands_unseen": (totals.commands_unseen, "Commands of models without a process."),
        "processes": (totals.processes, "Processes that agents started."),
    }
    for name, (value, help) in counts.items():
        yield _one(name, "counter", help, shown.rising(name, value))


def _used(uses: Mapping[tuple[str, str], Use]) -> Iterator[Sample]:
    """No cost is shown of a pair whose calls have no known price."""
    by_pair = [({"model": model, "agent": agent}, use) for (model, agent), use in sorted(uses.items())]
    calls = tuple((pair, float(use.calls)) for pair, use in by_pair)
    yield Sample("calls", "counter", "Calls of models that ended.", calls)
    tokens = tuple(
        ({**pair, "kind": kind}, float(count))
        for pair, use in by_pair
        for kind, count in asdict(use.usage).items()
        if kind in _KINDS
    )
    yield Sample("tokens", "counter", "Tokens of calls that ended.", tokens)
    cost = tuple((pair, float(use.usd)) for pair, use in by_pair if use.priced or not use.unpriced)
    yield Sample("cost_usd", "counter", "What these calls cost at list price, in US dollars.", cost)
    unpriced = sum(use.unpriced for _, use in by_pair)
    yield _one("calls_unpriced", "counter", "Calls with tokens and without a known price.", unpriced)


def _account(ledger: Ledger, shown: Shown) -> Iterator[Sample]:
    """The first stages keep their series, since each is made once."""
    seen: dict[str, float] = {}
    for place, meter in enumerate(ledger):
        name = meter.stage if place < _STAGES_MOST else OTHER
        seen[name] = seen.get(name, 0) + meter.seen
    yield _labelled("stage_events", "counter", "Events that a stage took.", "stage", seen)
    losses = shown.losses(ledger.unintended())
    values = tuple(({"stage": stage, "reason": reason}, float(count)) for (stage, reason), count in losses.items())
    yield Sample("lost", "counter", "Events lost, by stage and reason.", values)


def _one(name: str, kind: str, help: str, value: float) -> Sample:
    return Sample(name, kind, help, (({}, float(value)),))


def _known(name: str, help: str, value: float | None) -> Iterator[Sample]:
    if value is not None:
        yield _one(name, "gauge", help, value)


def _labelled(name: str, kind: str, help: str, label: str, values: Mapping[str, float]) -> Sample:
    return Sample(name, kind, help, tuple(({label: key}, float(value)) for key, value in values.items()))


class Served(Struct, frozen=True):
    """Figures that are served until `close`. `address` is the host and port."""

    address: tuple[str, int]
    close: Callable[[], None]


def serve(host: str, port: int, figures: Callable[[], Figures]) -> Served:
    """
    Serve `/metrics` and `/healthz` there until it is closed. Raises UsageError where the package prometheus-client is missing,
    SinkError where the port cannot be had.
    """
    render = _renderer(figures)

    class Answer(BaseHTTPRequestHandler):
        timeout = _PATIENCE_S

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._send(200, *render(self.headers.get("Accept", "")))
            elif path == "/healthz":
                well = figures().well
                self._send(200 if well else 503, b"ok\n" if well else b"not well\n", "text/plain")
            else:
                self._send(404, b"/metrics and /healthz\n", "text/plain")

        def _send(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """A request each few seconds is no news."""

    try:
        server = ThreadingHTTPServer((host, port), Answer)
    except OSError as error:
        raise SinkError(f"--metrics {host}:{port} cannot be served: {error.strerror}") from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()

    def close() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return Served((host, int(server.server_address[1])), close)


def _renderer(figures: Callable[[], Figures]) -> Callable[[str], tuple[bytes, str]]:
    try:
        from prometheus_client import CollectorRegistry
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
        from prometheus_client.exposition import choose_encoder
    except ImportError as error:
        raise UsageError("--metrics needs the package prometheus-client: pip install 'agentsight-rx[metrics]'") from error

    shown = Shown()

    class Collector:
        def collect(self) -> Iterator[Any]:
            for sample in samples(figures(), shown):
                if not sample.values:
                    continue
                names = list(sample.values[0][0])
                family = CounterMetricFamily if sample.kind == "counter" else GaugeMetricFamily
                made = family(f"agentsight_{sample.name}", sample.help, labels=names)
                for labels, value in sample.values:
                    made.add_metric([*labels.values()], value)
                yield made

    registry = CollectorRegistry()
    registry.register(Collector())

    def render(accepted: str) -> tuple[bytes, str]:
        encode, kind = choose_encoder(accepted)
        return encode(registry), kind

    return render
