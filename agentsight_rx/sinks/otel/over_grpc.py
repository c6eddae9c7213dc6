"""A destination -> the standard exporters of OTLP over gRPC, with a stub that keeps the collector's answers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ...core.errors import SinkError
from .answers import Answer
from .destination import Destination

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["KeepingStub", "grpc_exporters"]

_PACKAGE = "opentelemetry.exporter.otlp.proto.grpc"
_MISSING = "OpenTelemetry over gRPC needs a package that is not here: pip install 'agentsight-rx[grpc]', or use http/protobuf"


def grpc_exporters(destination: Destination, answer: Answer) -> tuple[SpanExporter, MetricExporter | None]:
    """Raises SinkError where gRPC is not installed, ValueError where a variable is wrong."""
    try:
        spans = import_module(f"{_PACKAGE}.trace_exporter").OTLPSpanExporter(destination.traces)
        metrics = import_module(f"{_PACKAGE}.metric_exporter").OTLPMetricExporter
    except ImportError as error:
        raise SinkError(_MISSING) from error
    kept: SpanExporter = _keeping(spans, answer, "rejected_spans")
    if destination.metrics is None:
        return kept, None
    return kept, _keeping(metrics(destination.metrics), answer, "rejected_data_points")


def _keeping(exporter: Any, answer: Answer, rejected: str) -> Any:
    """The exporter makes its stub again where a collector was gone, so the stub is wrapped where it is made."""
    make = exporter._initialize_channel_and_stub

    def remake() -> None:
        make()
        exporter._client = KeepingStub(exporter._client, answer, rejected)

    exporter._initialize_channel_and_stub = remake
    exporter._client = KeepingStub(exporter._client, answer, rejected)
    return exporter


class KeepingStub:
    """The stub of a service, whose answers are kept."""

    def __init__(self, stub: Any, answer: Answer, rejected: str) -> None:
        self._stub = stub
        self._answer = answer
        self._rejected = rejected

    def Export(self, **request: Any) -> Any:
        self._answer.forget()
        try:
            response = self._stub.Export(**request)
        except Exception as error:
            self._answer.fail(_words(error))
            raise
        partial = response.partial_success
        self._answer.partly(getattr(partial, self._rejected), partial)
        return response


def _words(error: Any) -> str:
    """Such as `gRPC UNAVAILABLE: Connection refused`. The details repeat the address; the mistake stands at their end."""
    code, details = getattr(error, "code", None), getattr(error, "details", None)
    if code is None or details is None:
        return type(error).__name__
    said = " ".join(str(details() or "").split()).rpartition(": ")[2][:200]
    return ": ".join(filter(None, (f"gRPC {code().name}", said)))
