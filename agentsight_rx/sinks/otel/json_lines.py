"""Spans -> a file of OTLP JSON, one request a line, as the OpenTelemetry Collector writes and reads files."""

from __future__ import annotations

from collections import deque
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from ...core.mailbox import Overflow
from .metrics import Metrics
from .sender import Result

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["JsonLines"]

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
