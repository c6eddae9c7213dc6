"""Flags and OTEL_* variables -> where spans and metrics go, and over which protocol."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from ...core.errors import SinkError
from ...core.options import Options, at_least
from .answers import Answer, cause_of

if TYPE_CHECKING:
    import requests
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter

Protocol = Literal["http/protobuf", "grpc"]

_HTTP: Protocol = "http/protobuf"
_GRPC: Protocol = "grpc"
_DEFAULTS = {_HTTP: "http://localhost:4318", _GRPC: "http://localhost:4317"}
_PATHS = {"traces": "/v1/traces", "metrics": "/v1/metrics"}


class Destination(Struct, frozen=True):
    """A collector. A field that is None is not sent."""

    protocol: Protocol
    traces: str
    metrics: str | None

    @property
    def shown(self) -> str:
        """The URL without the user and password in it."""
        return re.sub(r"//[^/@]*@", "//", self.traces)

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port, to ask whether anything listens there; None where a proxy stands between."""
        parts = urlsplit(self.traces)
        host = parts.hostname or ""
        from urllib.request import getproxies, proxy_bypass  # takes 10 ms, which a run without an export must not pay

        if parts.scheme in getproxies() and not proxy_bypass(host):
            return None
        return host, parts.port or (443 if parts.scheme == "https" else 80)


def destination_of(endpoint: str | None, protocol: str | None, env: Mapping[str, str] = os.environ) -> Destination:
    """
    The flags before the variables of a signal before the general ones before the defaults of OpenTelemetry.

    A variable that names only the endpoint of traces means that metrics have no endpoint. Raises SinkError where an endpoint is
    not a URL or the protocol is not supported.
    """
    chosen = _protocol(protocol, env)
    general = endpoint or env.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    traces = _url("traces", chosen, endpoint, env)
    only_traces = not general and bool(env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
    has_metrics = env.get("OTEL_METRICS_EXPORTER", "otlp") != "none"
    if not has_metrics or (only_traces and not env.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")):
        return Destination(chosen, traces, None)
    return Destination(chosen, traces, _url("metrics", chosen, endpoint, env))


def _protocol(protocol: str | None, env: Mapping[str, str]) -> Protocol:
    names = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    asked = protocol or next(filter(None, map(env.get, names)), _HTTP)
    if asked == _GRPC:
        return _GRPC
    if asked != _HTTP:
        raise SinkError(
            f"OpenTelemetry protocol {asked!r} is not supported; use {_HTTP}, which is on port 4318, or {_GRPC}, on port 4317"
        )
    return _HTTP


def _url(signal: str, protocol: Protocol, endpoint: str | None, env: Mapping[str, str]) -> str:
    verbatim = None if endpoint else env.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    url = verbatim or endpoint or env.get("OTEL_EXPORTER_OTLP_ENDPOINT") or _DEFAULTS[protocol]
    if not _is_usable(url):
        raise SinkError(
            f"the OpenTelemetry endpoint {url!r} is not the URL of a collector; give one like {_DEFAULTS[protocol]}"
        )
    if verbatim or protocol == _GRPC:
        return url
    for path in _PATHS.values():
        url = url.removesuffix(path)
    return url.removesuffix("/") + _PATHS[signal]


def _is_usable(url: str) -> bool:
    try:
        parts: SplitResult = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


# -- options -------------------------------------------------------------------------------------------------------
# Where spans go, and what is in them.


class OtelOptions(Options, frozen=True):
    """Where spans go. A field that is None comes from the OTEL_* variables, else from the defaults of OpenTelemetry."""

    endpoint: str | None = None  # of the collector; over HTTP /v1/traces and /v1/metrics are added where they are missing
    service_name: str | None = None
    instance: str | None = None  # `service.instance.id`; without it a new one for each run
    protocol: str | None = None  # http/protobuf or grpc
    capture_content: bool = False  # send prompts, answers, arguments and results of tools too
    deadline_s: Annotated[float, at_least(0)] = 5.0  # for which the end of a run waits for the collector
    patient: bool = False  # wait for the collector, since nothing is lost by it: of a recording


# -- over http -----------------------------------------------------------------------------------------------------
# A destination -> the standard exporters of OTLP over HTTP, with a session that keeps the collector's answers.


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
