"""
The fields of calls -> the histograms of the GenAI conventions, made when they are to be sent.

The sums are our own: the SDK's take 30 us a value, which at 1,000 exchanges a second is a tenth of a core, and these take 2.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from threading import Lock
from typing import TYPE_CHECKING, Any

from ...core.bounded import Recent
from .names import MEASURED, METRICS, SCHEMA, Fields, Metric
from .spans import Planned, scope

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import HistogramDataPoint, MetricExporter, MetricsData
    from opentelemetry.sdk.metrics.export import Metric as SdkMetric
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.util.types import AttributeValue


_POINTS_MOST = 2000  # sets of attributes of one histogram, as in the SDK; the one not used for longest makes room

_CALL = tuple(name.field for name in MEASURED)

_Key = tuple["AttributeValue | None", ...]


class _Sums:
    """What one histogram has of calls with equal attributes."""

    __slots__ = ("buckets", "count", "largest", "since_ns", "smallest", "total")

    def __init__(self, bounds: int) -> None:
        self.since_ns = time.time_ns()
        self.buckets = [0] * (bounds + 1)
        self.count = 0
        self.total = 0.0
        self.smallest, self.largest = math.inf, -math.inf

    def add(self, value: float, bounds: tuple[float, ...]) -> None:
        self.buckets[bisect_left(bounds, value)] += 1
        self.count += 1
        self.total += value
        self.smallest, self.largest = min(self.smallest, value), max(self.largest, value)


class Metrics:
    """
    Counts calls, on the thread of the writer, and gives the histograms to the thread that sends. `exporter` says whether it
    wants all so far or what came since the last time (OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE).

    Their times are the times of the sending, also in a replay, since they were counted then.
    """

    def __init__(self, resource: Resource, exporter: MetricExporter) -> None:
        from opentelemetry.sdk.metrics import Histogram
        from opentelemetry.sdk.metrics.export import AggregationTemporality

        wanted: Any = exporter  # the part of its interface that the SDK's own reader reads
        preferred: dict[object, AggregationTemporality] = wanted._preferred_temporality or {}
        self._temporality = preferred.get(Histogram, AggregationTemporality.CUMULATIVE)
        self._is_delta = self._temporality is AggregationTemporality.DELTA
        self._resource = resource
        self._lock = Lock()
        self._sums = self._empty()

    def _empty(self) -> dict[str, Recent[_Key, _Sums]]:
        return {key: Recent(_POINTS_MOST) for key in METRICS}

    def count(self, span: Planned, fields: Fields) -> None:
        """A call ended. Tokens that are unknown are not counted."""
        call = tuple(map(fields.get, _CALL))
        with self._lock:
            self._add("duration", (span.end_ns - span.start_ns) / 1e9, (*call, fields.get("error")))
            first = fields.get("first_chunk_s")
            if isinstance(first, float) and fields.get("stream"):
                self._add("first_chunk", first, call)
            for kind in ("input", "output"):
                tokens = fields.get(f"{kind}_tokens")
                if isinstance(tokens, int):
                    self._add("tokens", tokens, (*call, kind))

    def _add(self, key: str, value: float, place: _Key) -> None:
        """`place`: the values of the attributes that the table gives the metric."""
        metric, sums = METRICS[key], self._sums[key]
        sums.use_or_make(place, lambda: _Sums(len(metric.buckets))).add(value, metric.buckets)

    def collect(self) -> MetricsData | None:
        """None where nothing was counted."""
        from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics

        now_ns = time.time_ns()
        with self._lock:
            found = [_metric(METRICS[key], sums, self._temporality, now_ns) for key, sums in self._sums.items() if sums]
            if self._is_delta:
                self._sums = self._empty()
        if not found:
            return None
        within = ScopeMetrics(scope(), found, SCHEMA)
        return MetricsData([ResourceMetrics(self._resource, [within], self._resource.schema_url)])


def _metric(metric: Metric, sums: Recent[_Key, _Sums], temporality: Any, now_ns: int) -> SdkMetric:
    from opentelemetry.sdk.metrics.export import Histogram
    from opentelemetry.sdk.metrics.export import Metric as SdkMetric

    points = [_point(metric, place, each, now_ns) for place, each in sums.items()]
    return SdkMetric(metric.name, metric.description, metric.unit, Histogram(points, temporality))


def _point(metric: Metric, place: _Key, sums: _Sums, now_ns: int) -> HistogramDataPoint:
    from opentelemetry.sdk.metrics.export import HistogramDataPoint

    known = {name.attribute: value for name, value in zip(metric.attributes, place, strict=True) if value is not None}
    return HistogramDataPoint(
        known,
        sums.since_ns,
        now_ns,
        count=sums.count,
        sum=sums.total,
        bucket_counts=tuple(sums.buckets),
        explicit_bounds=metric.buckets,
        min=sums.smallest,
        max=sums.largest,
    )
