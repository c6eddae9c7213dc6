"""The events of a recording -> the spans that its capture sent, with the same ids: to a collector, or as lines of a file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
from msgspec.structs import replace

from ...core.mailbox import Overflow
from ...events import Event, Witness
from ...events.loss import Ledger
from ...store.rows.kind import seen_by
from ...store.rows.kinds import SEEN
from ...view import AlertRow, Fold, Output
from .destination import OtelOptions
from .metrics import Metrics
from .sender import Result
from .sink import otel
from .writer import Carrier, OtelWriter

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan


# -- json lines ----------------------------------------------------------------------------------------------------
# Spans -> a file of OTLP JSON, one request a line, as the OpenTelemetry Collector writes and reads files.


_LINE_SPANS = 256


class JsonLines:
    """
    The carrier of a file. It has no metrics: their times are the times of the sending, and the same recording gives the same
    file.
    """

    metrics: Metrics | None = None

    def __init__(self, file: BinaryIO, where: str) -> None:
        self._file = file
        self._where = where
        self._spans: list[ReadableSpan] = []
        self._done: deque[Result] = deque()

    @property
    def where(self) -> str:
        return self._where

    def put(self, spans: list[ReadableSpan]) -> Overflow:
        self._spans += spans
        if len(self._spans) >= _LINE_SPANS:
            self._write()
        return Overflow()

    def done(self) -> Result | None:
        return self._done.popleft() if self._done else None

    def close(self, deadline_s: float) -> str:
        if self._spans:
            self._write()
        return ""

    def _write(self) -> None:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        to_dict = import_module("google.protobuf.json_format").MessageToDict
        request = encode_spans(self._spans)
        said: Any = to_dict(request, use_integers_for_enums=True)
        # ids are bytes, which OTLP JSON has in hexadecimal and protobuf's JSON in base64
        for span, named in zip(_spans_of(request), _named_spans_of(said), strict=True):
            named |= {"traceId": span.trace_id.hex(), "spanId": span.span_id.hex()}
            if span.parent_span_id:
                named["parentSpanId"] = span.parent_span_id.hex()
        self._file.write(msgspec.json.encode(said) + b"\n")
        self._done.append(Result(len(self._spans)))
        self._spans.clear()


def _spans_of(request: Any) -> list[Any]:
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]


def _named_spans_of(request: Any) -> list[dict[str, Any]]:
    return [span for resource in request["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"]]


# ------------------------------------------------------------------------------------------------------------------------


_BATCH = 512


def send_recorded(events: Iterable[Event], options: OtelOptions, *, alerts: Iterable[AlertRow] = ()) -> Ledger:
    """Send the spans of `events`, in the order of their time, and of these alerts, to a collector; losses are in the ledger."""
    ledger = Ledger()
    writer = otel(options).open(ledger)
    try:
        for batch in _batches(_outputs(events, alerts)):
            writer.write(batch)
            writer.flush()
    finally:
        writer.close()
    return ledger


def write_recorded(events: Iterable[Event], file: BinaryIO, options: OtelOptions, *, alerts: Iterable[AlertRow] = ()) -> Ledger:
    """Write the spans of `events`, in the order of their time, and of these alerts, as OTLP JSON, some hundred a line."""

    def carrier(_: Resource) -> Carrier:
        return JsonLines(file, "the file")

    ledger = Ledger()
    # an id that is new in each run would be all that differs between two files of one recording
    writer = OtelWriter(replace(options, instance=options.instance or "recording"), ledger, carrier)
    for batch in _batches(_outputs(events, alerts)):
        writer.write(batch)
    writer.close()
    return ledger


def _outputs(events: Iterable[Event], alerts: Iterable[AlertRow]) -> Iterator[Output]:
    """Each event and the rows that are made of it, as they came out of the graph. The alerts come from the recording."""
    fold, source = Fold(), SEEN
    for event in events:
        if isinstance(event, Witness):
            source = event.seen_by
        yield event
        yield from (seen_by(source, row) for row in fold.add(event))
    yield from (seen_by(source, row) for row in fold.finish())
    yield from alerts


def _batches(items: Iterator[Output]) -> Iterator[list[Output]]:
    while batch := list(islice(items, _BATCH)):
        yield batch
