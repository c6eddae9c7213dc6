"""Where spans go -> the sink that makes them of rows and sends them to a collector over OTLP."""

from __future__ import annotations

from ...core.sink import Sink, Writer
from ...events.loss import Ledger
from ...view import Output
from .destination import OtelOptions


def otel(options: OtelOptions) -> Sink[Output]:
    """
    Send a span for each agent, call of a model, tool and process of a tool, once it has ended, and metrics of the calls. A
    collector that is slow or gone costs spans, which are counted at the stage `otel`, and never delays the run.

    Replays give the same trace and span ids. A call that is open when the capture ends has no span. OTEL_EXPORTER_OTLP_*,
    OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, OTEL_METRIC_EXPORT_INTERVAL and the OTEL_SPAN_* limits
    have their usual meaning. Raises SinkError on opening where the endpoint is not a URL or the protocol is not supported.
    """

    def writer(ledger: Ledger) -> Writer[Output]:
        from .writer import OtelWriter, sender  # most captures send no spans, and what makes them takes 25 ms to import

        return OtelWriter(options, ledger, sender(options))

    # The sink has the name of its protocol: the runtime counts events under the name of the sink, and `otel` counts spans.
    return Sink("otlp", writer, is_watched=lambda: False)
