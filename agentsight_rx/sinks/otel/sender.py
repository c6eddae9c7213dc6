"""Spans and metrics -> a collector: batched and exported on a thread of its own; what the collector takes is counted."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from importlib import import_module
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ...core.errors import SinkError
from ...core.mailbox import Mailbox, Overflow
from .answers import Answer, cause_of
from .destination import Destination, http_exporters
from .metrics import Metrics

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter


# -- over grpc -----------------------------------------------------------------------------------------------------
# A destination -> the standard exporters of OTLP over gRPC, with a stub that keeps the collector's answers.


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


# ------------------------------------------------------------------------------------------------------------------------


# The SDK and the exporter are imported where they are used: they take 0.1 s, which a run without an export must not pay.


# As in the SDK's BatchSpanProcessor, which drops without a count and so is not used. People watch, so 1 s instead of 5.
_QUEUE_SPANS = 2048
_QUEUE_SIZE = 16 << 20
_BATCH_SPANS = 512
_BATCH_SIZE = 4 << 20  # of content; the OpenTelemetry Collector takes requests of up to 20 MiB
_BATCH_S = 1.0
_METRICS_S = 60.0  # between two exports of metrics, as in the SDK
_PROBE_S = 1.0
_ROOM = 0.5  # a patient caller waits while the queue is fuller than this
_LONG = 1024  # characters from which on a value counts as content


class Result(Struct, frozen=True):
    """The result of one batch. For anything but spans only a failure is reported."""

    taken: int = 0
    lost: int = 0
    why: str = ""


class Sender:
    """
    Batches spans and gives them to the exporter, which waits for the collector and retries, on a thread of its own. `done`
    gives the results. The first one says so where nothing listens there at all.

    `patient`: of recorded spans `put` waits for room, until a batch fails.
    """

    def __init__(self, destination: Destination, resource: Resource, *, patient: bool = False) -> None:
        # The exporter logs each try, and Python prints that where no handler is set. The sink reports a failure once instead.
        log = logging.getLogger("opentelemetry")
        if not log.hasHandlers():
            log.addHandler(logging.NullHandler())
        self._box: Mailbox[ReadableSpan] = Mailbox(events=_QUEUE_SPANS, size=_QUEUE_SIZE, weigh=_weight)
        self._answer = Answer()
        self._destination = destination
        exporters = grpc_exporters if destination.protocol == "grpc" else http_exporters
        self._spans, metrics = exporters(destination, self._answer)
        self._metrics: Any = metrics  # which takes arguments without types
        self.metrics = Metrics(resource, metrics) if metrics else None
        self._metrics_s = _metrics_s()
        self._next_metrics = time.monotonic() + self._metrics_s
        self._done: SimpleQueue[Result] = SimpleQueue()
        self._patient = patient
        self._room = threading.Event()
        self._thread = threading.Thread(target=self._run, name="export:otel", daemon=True)
        self._thread.start()

    @property
    def where(self) -> str:
        return self._destination.shown

    def put(self, spans: list[ReadableSpan]) -> Overflow:
        """Hand over `spans`; return what of it was dropped. Waits for a patient caller only."""
        while self._patient and self._box.fill > _ROOM and self._thread.is_alive():
            self._room.clear()
            if self._box.fill > _ROOM:
                self._room.wait(_BATCH_S)
        return self._box.put(spans)

    def done(self) -> Result | None:
        """The result of the next batch; None if there is none yet."""
        try:
            return self._done.get_nowait()
        except Empty:
            return None

    def close(self, deadline_s: float) -> str:
        """Send the content of the box for at most `deadline_s` seconds; returns why the newest request failed, if it did."""
        self._box.close()
        self._thread.join(deadline_s)
        self._patient = False
        self._box.abandon()
        self._spans.shutdown()
        if self._metrics is not None:
            self._metrics.shutdown()
        return self._answer.why

    def _run(self) -> None:
        self._probe()
        while not (self._box.closed and not len(self._box)):
            if batch := self._gather():
                self._done.put(self._send(batch))
            if time.monotonic() >= self._next_metrics:
                self._send_metrics()
        self._send_metrics()

    def _probe(self) -> None:
        """A collector that is not there is reported at the start, and not once the first span ends."""
        address = self._destination.address
        if address is None:
            return
        try:
            socket.create_connection(address, _PROBE_S).close()
        except OSError as error:
            self._done.put(Result(why=cause_of(error)))

    def _gather(self) -> list[ReadableSpan]:
        """A full batch, or the spans of one second from the first on; empty once the box is closed or metrics are due."""
        spans: list[ReadableSpan] = []
        size, until = 0, self._next_metrics
        while len(spans) < _BATCH_SPANS and size < _BATCH_SIZE:
            item = self._box.get(max(0.0, until - time.monotonic()))
            if item is None:
                break
            if not spans:
                until = time.monotonic() + _BATCH_S
            spans += item[1]
            size += sum(map(_weight, item[1]))
        self._room.set()
        return spans

    def _send(self, batch: list[ReadableSpan]) -> Result:
        from opentelemetry.sdk.trace.export import SpanExportResult

        answer = self._answer
        answer.forget()
        try:
            result = self._spans.export(batch)
        except Exception as error:  # older versions of the exporter raise network errors
            answer.fail(cause_of(error))
            result = SpanExportResult.FAILURE
        if answer.failed or result is not SpanExportResult.SUCCESS:
            self._patient = False
            return Result(0, len(batch), answer.why or "these spans cannot be encoded")
        lost = min(answer.rejected, len(batch))
        return Result(len(batch) - lost, lost, answer.why)

    def _send_metrics(self) -> None:
        """A sum that was not sent is in the next sum."""
        self._next_metrics = time.monotonic() + self._metrics_s
        found = self.metrics.collect() if self.metrics else None
        if found is None or self._metrics is None:
            return
        self._answer.forget()
        try:
            self._metrics.export(found)
        except Exception as error:
            self._answer.fail(cause_of(error))
        if self._answer.why:
            self._done.put(Result(why=f"metrics: {self._answer.why}"))


def _metrics_s() -> float:
    """Raises ValueError where the variable is not a number."""
    return max(0.1, float(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL") or _METRICS_S * 1000) / 1000)


def _weight(span: ReadableSpan) -> int:
    """Characters of content that a span carries."""
    values = (span.attributes or {}).values()
    return sum(len(value) for value in values if isinstance(value, str) and len(value) >= _LONG)
