"""A destination -> the standard exporters of OTLP over HTTP, with a session that keeps the collector's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .answers import Answer, cause_of
from .destination import Destination

if TYPE_CHECKING:
    import requests
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["http_exporters"]


def http_exporters(destination: Destination, answer: Answer) -> tuple[SpanExporter, MetricExporter | None]:
    """Raises ValueError where a variable is wrong."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    session = _session(answer, destination.metrics)  # one connection for both
    spans = OTLPSpanExporter(destination.traces, session=session)
    if destination.metrics is None:
        return spans, None
    return spans, OTLPMetricExporter(destination.metrics, session=session)


def _session(answer: Answer, metrics: str | None) -> requests.Session:
    import requests

    class Session(requests.Session):
        def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            answer.forget()
            try:
                response = super().send(request, **options)
            except Exception as error:
                answer.fail(cause_of(error))
                raise
            if response.status_code // 100 != 2:
                answer.fail(f"HTTP {response.status_code} {response.reason}")
                return response
            try:
                take = _take_metrics if request.url == metrics else _take_spans
                take(answer, response.content)
            except Exception:  # protobuf's own error, which has no types; other servers answer "OK" or "{}", which is fine
                answer.forget()
            return response

    return Session()


def _take_spans(answer: Answer, body: bytes) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    partial = ExportTraceServiceResponse.FromString(body).partial_success
    answer.partly(partial.rejected_spans, partial)


def _take_metrics(answer: Answer, body: bytes) -> None:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

    partial = ExportMetricsServiceResponse.FromString(body).partial_success
    answer.partly(partial.rejected_data_points, partial)
