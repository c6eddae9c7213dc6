"""Spans -> a collector: gathered and exported on a thread of its own, with an account of what was taken."""

from __future__ import annotations

import logging
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ...core.mailbox import Mailbox

# The SDK and the exporter are imported where they are used: they take 0.1 s, which who exports nothing must not pay.
if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["Answer", "Sender"]

# As the SDK's own BatchSpanProcessor, which we do not use because it drops without a count. People watch, so 1 s, not 5.
_QUEUE_SPANS = 2048
_QUEUE_SIZE = 16 << 20
_BATCH_SPANS = 512
_BATCH_SIZE = 4 << 20  # of content; the OpenTelemetry Collector takes requests of up to 20 MiB
_BATCH_S = 1.0


class _Sent(Struct, frozen=True):
    """What became of one batch."""

    taken: int
    lost: int = 0
    why: str = ""


class Answer:
    """What the collector said to the newest request. `why` is empty where it took all of it."""

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
    Gathers spans and gives them to the exporter, which waits for the collector and tries again, on a thread of its own.

    `box` is the queue in front of it; what became of the spans is asked for with `done`.
    """

    def __init__(self, endpoint: str) -> None:
        # The exporter logs each try, which Python prints where nobody handles it. We say it once, in our own words.
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
        """What became of the next batch; None if there is none yet."""
        try:
            return self._done.get_nowait()
        except Empty:
            return None

    def close(self, deadline_s: float) -> Answer:
        """Send what is in the box, as far as that can be done in `deadline_s`; gives the newest answer."""
        self.box.close()
        self._thread.join(deadline_s)
        self.box.abandon()
        self._exporter.shutdown()
        return self._answer

    def _run(self) -> None:
        while batch := self._gather():
            self._done.put(self._send(batch))

    def _gather(self) -> list[ReadableSpan]:
        """A full batch, or what came within a second of its first span; nothing once the box is closed and empty."""
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
        except Exception as error:  # older versions of the exporter raise what the network says
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
    """The standard exporter. It keeps what the collector says to itself, so we listen where the requests go out."""
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
    except Exception:  # protobuf's own error, which has no types; other servers answer "OK" or "{}", and that is all right
        return 0, ""
    partial = answer.partial_success
    if partial.rejected_spans <= 0:  # then the words are a mere warning
        return 0, ""
    return partial.rejected_spans, " ".join(partial.error_message.split())[:200] or "spans were rejected"


def _cause(error: BaseException) -> str:
    """`Connection refused`, out of the chain of exceptions that is wrapped around it."""
    cause = type(error).__name__
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            cause = inner.strerror
        inner = inner.__cause__ or inner.__context__
    return cause
