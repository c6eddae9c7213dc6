"""A run -> its figures for Prometheus, and whether it is well, over HTTP on a socket of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from msgspec import Struct

from ..errors import SinkError, UsageError
from ..loss import Ledger
from ..view.rows.tally import Totals

__all__ = ["Figures", "Served", "samples", "serve"]

_STAGES_MOST = 60  # of the ledger, which has about 30; the rest is one
_MODELS_MOST = 20  # whose calls are counted apart; the rest is one
_REST = "other"
_PATIENCE_S = 5.0  # for a request


class Figures(Struct, frozen=True):
    """What a recorder says of itself at a moment. Nothing of it names a process, a path, a session or a user."""

    totals: Totals
    ledger: Ledger
    agents: int = 0
    blind_spots: int = 0
    anonymous_bytes: int = 0
    table_bytes: int = 0
    group_bytes: int = 0
    store_bytes: int = 0
    stuck_s: float = 0.0
    up_s: float = 0.0
    shed_from_bytes: int = 0  # contents of so many bytes and more are not taken; 0: all are
    proof_s: float | None = None  # since the probes have proved themselves; None: they have not, or no one waits for it
    rules: str = ""  # sha256 of the rules of the guard; "" without a guard
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


def samples(figures: Figures) -> Iterator[Sample]:
    """All families: at most 200 series, however many agents and sessions there were."""
    totals = figures.totals
    yield _one("up", "gauge", "Whether the recorder is well.", float(figures.well))
    yield _one("up_seconds", "gauge", "How long it records.", figures.up_s)
    yield _one("engine_idle_seconds", "gauge", "For how long the engine has not looked for events.", figures.stuck_s)
    yield _one("agents", "gauge", "Agents that run now.", figures.agents)
    yield _one("sessions", "counter", "Sessions of agents.", totals.sessions)
    yield _one("calls", "counter", "Calls of models.", totals.calls)
    yield _one("calls_unfinished", "counter", "Calls without an answer, or not to its end.", totals.calls_unfinished)
    yield _one("calls_cut", "counter", "Calls of which bytes were lost.", totals.calls_cut)
    yield _many("model_calls", "counter", "Calls by model.", label="model", values=totals.models, most=_MODELS_MOST)
    tokens = {"input": totals.input_tokens, "cached": totals.cached_tokens, "output": totals.output_tokens}
    yield _many("tokens", "counter", "Tokens by kind.", label="kind", values=tokens, most=len(tokens))
    yield _one("tools", "counter", "Tools that models asked for.", totals.tools)
    yield _one("commands_unseen", "counter", "Commands of models without a process.", totals.commands_unseen)
    yield _one("processes", "counter", "Processes that agents started.", totals.processes)
    yield _one("blind_spots", "gauge", "Programs of agents that could not be read.", figures.blind_spots)
    seen = {meter.stage: meter.seen for meter in figures.ledger}
    yield _many("stage_events", "counter", "Events that a stage took.", label="stage", values=seen, most=_STAGES_MOST)
    lost: dict[str, int] = {}
    for entry in figures.ledger.unintended():
        lost[entry.reason.value] = lost.get(entry.reason.value, 0) + entry.count
    yield _many("lost", "counter", "Events lost, by reason.", label="reason", values=lost, most=_STAGES_MOST)
    memory = {"anonymous": figures.anonymous_bytes, "tables": figures.table_bytes, "group": figures.group_bytes}
    yield _many(
        "memory_bytes", "gauge", "Memory: anonymous, BPF tables, control group.", label="kind", values=memory, most=len(memory)
    )
    yield _one("shed_from_bytes", "gauge", "Contents from this size on are shed; 0: none.", figures.shed_from_bytes)
    yield _one("store_bytes", "gauge", "The size of the store.", figures.store_bytes)
    reloads = {"loaded": figures.reloads - figures.reloads_refused, "refused": figures.reloads_refused}
    yield _many("reloads", "counter", "Reloads by result.", label="result", values=reloads, most=len(reloads))
    if figures.proof_s is not None:
        yield _one("proof_age_seconds", "gauge", "Since the probes have proved themselves.", figures.proof_s)
    if figures.rules:
        yield Sample("rules_info", "gauge", "The rules of the guard.", (({"sha256": figures.rules}, 1.0),))
    if figures.agents_file:
        yield Sample("agents_file_info", "gauge", "The agents of agents.toml.", (({"sha256": figures.agents_file}, 1.0),))


def _one(name: str, kind: str, help: str, value: float) -> Sample:
    return Sample(name, kind, help, (({}, float(value)),))


def _many(name: str, kind: str, help: str, *, label: str, values: dict[str, int], most: int) -> Sample:
    """The largest by their label, and the sum of the rest."""
    first = sorted(values.items(), key=lambda each: (-each[1], each[0]))
    kept = dict(first[:most])
    if rest := sum(value for _, value in first[most:]):
        kept[_REST] = kept.get(_REST, 0) + rest
    return Sample(name, kind, help, tuple(({label: key}, float(value)) for key, value in sorted(kept.items())))


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

    class Collector:
        def collect(self) -> Iterator[Any]:
            for sample in samples(figures()):
                names = list(sample.values[0][0]) if sample.values else []
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
