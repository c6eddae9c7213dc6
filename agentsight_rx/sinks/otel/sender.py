"""Spans -> a collector: batched and exported on a thread of its own; what the collector takes is counted."""

from __future__ import annotations

import logging
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ...core.mailbox import Mailbox

# The SDK and the exporter are imported where they are used: they take 0.1 s, which a run without an export must not pay.
if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["Answer", "Sender"]

# As in the SDK's BatchSpanProcessor, which drops without a count and so is not used. People watch, so 1 s instead of 5.
_QUEUE_SPANS = 2048
_QUEUE_SIZE = 16 << 20
_BATCH_SPANS = 512
_BATCH_SIZE = 4 << 20  # of content; the OpenTelemetry Collector takes requests of up to 20 MiB
_BATCH_S = 1.0


class _Sent(Struct, frozen=True):
    """The result of one batch."""

    taken: int
    lost: int = 0
    why: str = ""


class Answer:
    """The collector's answer to the newest request. `why` is empty where it took everything."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.failed = False
        self.rejected = 0
        self.why = ""

    def fail(self, why: str) -> None:
        self.failed = True
        self.why = why


class Sender:
    """
    Batches spans and gives them to the exporter, which waits for the collector and retries, on a thread of its own.

    `box` is its queue; `done` gives the results.
    """

    def __init__(self, endpoint: str) -> None:
        # The exporter logs each try, and Python prints that where no handler is set. The sink reports a failure once instead.
        log = logging.getLogger("opentelemetry")
        if not log.hasHandlers():
            log.addHandler(logging.NullHandler())
        self.box: Mailbox[ReadableSpan] = Mailbox(events=_QUEUE_SPANS, size=_QUEUE_SIZE, weigh=_weight)
        self._answer = Answer()
        self._exporter = _exporter(endpoint, self._answer)
        self._done: SimpleQueue[_Sent] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="export:otel", daemon=True)
        self._thread.start()

    def done(self) -> _Sent | None:
        """The result of the next batch; None if there is none yet."""
        try:
            return self._done.get_nowait()
        except Empty:
            return None

    def close(self, deadline_s: float) -> Answer:
        """Send what is in the box for at most `deadline_s` seconds; returns the newest answer."""
        self.box.close()
        self._thread.join(deadline_s)
        self.box.abandon()
        self._exporter.shutdown()
        return self._answer

    def _run(self) -> None:
        while batch := self._gather():
            self._done.put(self._send(batch))

    def _gather(self) -> list[ReadableSpan]:
        """A full batch, or the spans of one second from the first on; empty once the box is closed and empty."""
        spans: list[ReadableSpan] = []
        size, until, wait = 0, 0.0, None
        while len(spans) < _BATCH_SPANS and size < _BATCH_SIZE:
            item = self.box.get(wait)
            if item is None:
                break
            until = until or time.monotonic() + _BATCH_S
            wait = max(0.0, until - time.monotonic())
            spans += item[1]
            size += sum(map(_weight, item[1]))
        return spans

    def _send(self, batch: list[ReadableSpan]) -> _Sent:
        from opentelemetry.sdk.trace.export import SpanExportResult

        answer = self._answer
        answer.forget()
        try:
            result = self._exporter.export(batch)
        except Exception as error:  # older versions of the exporter raise network errors
            answer.fail(_cause(error))
            result = SpanExportResult.FAILURE
        if answer.failed or result is not SpanExportResult.SUCCESS:
            return _Sent(0, len(batch), answer.why or "these spans cannot be encoded")
        lost = min(answer.rejected, len(batch))
        return _Sent(len(batch) - lost, lost, answer.why)


def _weight(span: ReadableSpan) -> int:
    """Characters of content that a span carries."""
    attributes = span.attributes or {}
    return sum(len(str(attributes.get(f"gen_ai.{side}.messages", ""))) for side in ("input", "output"))


def _exporter(endpoint: str, answer: Answer) -> SpanExporter:
    """The standard exporter. It does not pass on the collector's answers, so its HTTP session records them."""
    import requests
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    class Session(requests.Session):
        def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            answer.forget()
            try:
                response = super().send(request, **options)
            except Exception as error:
                answer.fail(_cause(error))
                raise
            if response.status_code // 100 == 2:
                answer.rejected, answer.why = _partial_success(response.content)
            else:
                answer.fail(f"HTTP {response.status_code} {response.reason}")
            return response

    return OTLPSpanExporter(endpoint, session=Session())


def _partial_success(body: bytes) -> tuple[int, str]:
    """How many spans the collector rejected, and why (OTLP specification, "Partial Success")."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:
        answer: ExportTraceServiceResponse = ExportTraceServiceResponse.FromString(body)
    except Exception:  # protobuf's own error, which has no types; other servers answer "OK" or "{}", which is fine
        return 0, ""
    partial = answer.partial_success
    if partial.rejected_spans <= 0:  # then the message is only a warning
        return 0, ""
    return partial.rejected_spans, " ".join(partial.error_message.split())[:200] or "spans were rejected"


def _cause(error: BaseException) -> str:
    """The system's words, like `Connection refused`, from inside a chain of exceptions."""
    cause = type(error).__name__
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            cause = inner.strerror
        inner = inner.__cause__ or inner.__context__
    return cause
