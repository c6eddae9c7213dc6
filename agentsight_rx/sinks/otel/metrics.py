"""The fields of calls -> the histograms of the GenAI conventions, collected when they are to be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .names import METRICS, SCHEMA, Fields, attributes_of
from .planned import Planned
from .spans import version

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricsData
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.util.types import AttributeValue

__all__ = ["Metrics"]


class Metrics:
    """
    Counts calls in the SDK's histograms. `exporter` says which sums it wants: all so far, or those since the last time.

    Their times are those of the sending, also in a replay, since that is when they were counted.
    """

    def __init__(self, resource: Resource, exporter: MetricExporter) -> None:
        from opentelemetry.metrics import Histogram
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader

        wanted: Any = exporter  # the part of its interface that the SDK's own reader reads
        self._reader = InMemoryMetricReader(wanted._preferred_temporality, wanted._preferred_aggregation)
        provider = MeterProvider([self._reader], resource, shutdown_on_exit=False)
        meter = provider.get_meter("agentsight_rx", version(), SCHEMA)
        self._histograms: dict[str, Histogram] = {
            key: meter.create_histogram(
                metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=metric.buckets
            )
            for key, metric in METRICS.items()
        }

    def count(self, span: Planned, fields: Fields) -> None:
        """A call ended. Tokens that are unknown are not counted."""
        self._record("duration", (span.end_ns - span.start_ns) / 1e9, fields)
        first = fields.get("first_chunk_s")
        if isinstance(first, float) and fields.get("stream"):
            self._record("first_chunk", first, fields)
        for kind in ("input", "output"):
            tokens = fields.get(f"{kind}_tokens")
            if isinstance(tokens, int):
                self._record("tokens", tokens, {**fields, "token_type": kind})

    def _record(self, key: str, value: float, fields: Fields) -> None:
        attributes: dict[str, AttributeValue] = attributes_of(METRICS[key].attributes, fields, with_content=False)
        self._histograms[key].record(value, attributes)

    def collect(self) -> MetricsData | None:
        """None where nothing was counted."""
        return self._reader.get_metrics_data()
