"""CallRow -> one OpenTelemetry span a finished call of a model, sent to a collector over OTLP/HTTP."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from ...core.bounded import Recent
from ...core.sink import Sink
from ...errors import SinkError
from ...loss import Ledger, Meter, Reason
from ...say import say
from ...view import BlindSpotRow, CallRow, Output
from .content import Content
from .sender import Sender
from .spans import Spans

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["OtelOptions", "otel"]

_PROTOCOL = "http/protobuf"
_PATH = "/v1/traces"
_BLIND_SPOTS_MOST = 1000  # processes


class OtelOptions(Struct, frozen=True):
    """Where spans go. What is None comes from the OTEL_* variables, else from the defaults of OpenTelemetry."""

    endpoint: str | None = None  # of the collector; /v1/traces is added where it is missing
    service_name: str | None = None
    protocol: str | None = None  # http/protobuf, nothing else
    capture_content: bool = False  # send prompts and answers too
    deadline_s: float = 5.0  # for which the end of a run waits for the collector


def otel(options: OtelOptions) -> Sink[Output]:
    """
    Send a span for each call of a model that has ended. A collector that is slow or gone costs spans, which are counted at
    the stage `otel`, and never delays the run.

    Replays give the same trace and span ids. A call that is open when the capture ends has no span. OTEL_EXPORTER_OTLP_*,
    OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and the OTEL_SPAN_* limits have their usual meaning.
    Raises SinkError on opening where the endpoint is not a URL or the protocol is not supported.
    """
    # The sink has the name of its protocol: the runtime counts events under the name of the sink, and `otel` counts spans.
    return Sink("otlp", lambda ledger: _OtelWriter(options, ledger))


class _OtelWriter:
    """Makes the spans and counts, on the writer thread; `Sender` sends them on a thread of its own."""

    def __init__(self, options: OtelOptions, ledger: Ledger) -> None:
        self._endpoint = _endpoint(options)
        _check_protocol(options)
        try:
            self._spans = Spans(options.service_name)
            self._sender = Sender(self._endpoint)
        except ValueError as error:  # the SDK does not accept a variable
            raise SinkError(f"OpenTelemetry cannot be set up from its OTEL_* variables: {error}") from error
        self._content = Content(capture=options.capture_content)
        self._captured = options.capture_content
        self._deadline_s = options.deadline_s
        self._meter: Meter = ledger.meter("otel")
        self._reported = False
        self._blind_spots: Recent[str, BlindSpotRow] = Recent(_BLIND_SPOTS_MOST)

    def write(self, batch: Sequence[Output], /) -> None:
        for item in batch:
            if isinstance(item, BlindSpotRow):
                self._blind_spots.put(item.id, item)
            elif not isinstance(item, CallRow):
                self._content.see(item)
            elif item.status == "pending":
                self._content.asked(item)
            elif item.end_timestamp_ms is not None and not item.more and item.twin is None:
                self._send(self._spans.span(item, self._content.of(item), with_words=self._captured))
        self._settle()

    def _send(self, span: ReadableSpan | None) -> None:
        meter = self._meter
        meter.seen += 1
        if span is None:
            meter.lose(Reason.SAMPLED, 1)
        elif dropped := self._sender.box.put([span]):
            meter.lose(Reason.QUEUE_FULL, dropped.count, dropped.size)

    def flush(self) -> None:
        self._settle()

    def close(self) -> None:
        """Send what is left, until the deadline. Spans that the collector has not taken by then are lost."""
        for row in self._blind_spots.values():  # now, since each row includes what earlier ones of its process said
            self._send(self._spans.blind_spot(row))
        answered = self._sender.close(self._deadline_s)
        self._settle()
        missing = self._meter.seen - self._meter.passed - self._meter.lost()
        if missing:
            self._meter.lose(Reason.SINK_FAILED, missing)
            self._report(answered.why or f"no answer within {self._deadline_s:g} s")

    def _settle(self) -> None:
        """Count the results of the sender since the last call."""
        while (sent := self._sender.done()) is not None:
            self._meter.passed += sent.taken
            if sent.lost:
                self._meter.lose(Reason.SINK_FAILED, sent.lost)
                self._report(sent.why)

    def _report(self, why: str) -> None:
        """The first failure, in one line; the summary counts all of them."""
        if not self._reported:
            self._reported = True
            where = re.sub(r"//[^/@]*@", "//", self._endpoint)
            say(f"OpenTelemetry: {where}: {why}; spans that it does not take are counted")


def _endpoint(options: OtelOptions) -> str:
    """The URL to post to. Raises SinkError where it is not one."""
    verbatim = None if options.endpoint else os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    url = verbatim or options.endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or "http://localhost:4318"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SinkError(
            f"the OpenTelemetry endpoint {url!r} is not the URL of a collector; give one like http://localhost:4318"
        )
    return url if verbatim or url.endswith(_PATH) else url.removesuffix("/") + _PATH


def _check_protocol(options: OtelOptions) -> None:
    names = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = options.protocol or next(filter(None, map(os.environ.get, names)), _PROTOCOL)
    if protocol != _PROTOCOL:
        raise SinkError(f"OpenTelemetry protocol {protocol!r} is not supported; use {_PROTOCOL}, which is on port 4318")
