"""CallRow -> the OpenTelemetry span of a call that has ended, with the names of the GenAI conventions."""

from __future__ import annotations

import re
import socket
from hashlib import blake2b
from importlib import metadata
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...llm import provider_named
from ...view import BlindSpotRow, CallRow
from ...view.blind_spots import sentence_of

# The SDK and the exporter are imported where they are used: they take 0.1 s, which a run without an export must not pay.
if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.util.types import AttributeValue

__all__ = ["Spans"]

_SCHEMA = "https://opentelemetry.io/schemas/1.41.1"  # the last one that holds the gen_ai.* names
_INT_MOST = 2**63 - 1


class Spans:
    """CallRow -> span, made by the SDK with the sampler, the limits and the resource of the environment."""

    def __init__(self, service_name: str | None) -> None:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.id_generator import IdGenerator

        class Ids(IdGenerator):
            trace_id = span_id = 0

            def generate_trace_id(self) -> int:
                return self.trace_id

            def generate_span_id(self) -> int:
                return self.span_id

        self._ids = Ids()
        provider = TracerProvider(resource=_resource(service_name), id_generator=self._ids, shutdown_on_exit=False)
        self._tracer = provider.get_tracer("agentsight_rx", _version(), schema_url=_SCHEMA)

    def span(self, row: CallRow, content: dict[str, AttributeValue], *, with_words: bool) -> ReadableSpan | None:
        """The span of a call that has ended; None if the sampler drops it. `with_words`: also the words of a failure."""
        from opentelemetry.context import Context
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanKind, Status, StatusCode

        self._ids.trace_id, self._ids.span_id = _trace_id(row), _hash(row.id, 8)
        attributes = _attributes(row) | content
        name = " ".join(filter(None, (str(attributes["gen_ai.operation.name"]), row.model)))
        start_ns = max(0, row.start_ns or row.start_timestamp_ms * 1_000_000)
        end_ns = row.end_ns or (row.end_timestamp_ms or 0) * 1_000_000
        span = self._tracer.start_span(name, Context(), SpanKind.CLIENT, attributes, start_time=start_ns)
        if not isinstance(span, ReadableSpan):
            return None
        if "error.type" in attributes:
            span.set_status(Status(StatusCode.ERROR, _failure(row, row.text if with_words else "")))
        span.end(max(start_ns, end_ns))
        return span

    def blind_spot(self, row: BlindSpotRow) -> ReadableSpan | None:
        """A span without duration for a process of which traffic was not read, in the trace of the process."""
        from opentelemetry.context import Context
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanKind, Status, StatusCode

        self._ids.trace_id, self._ids.span_id = _hash(row.process_id, 16), _hash(row.id, 8)
        attributes: dict[str, AttributeValue] = {
            "error.type": "unreadable",
            "agentsight.pid": row.pid,
            "agentsight.comm": row.comm,
            "agentsight.connections": row.connections,
            "agentsight.bytes": min(row.size, _INT_MOST),
            "agentsight.peers": row.peers,
            "agentsight.files": row.files,
            "agentsight.looks_like": row.looks_like,
            "agentsight.complete": False,
        }
        at_ns = row.timestamp_ms * 1_000_000
        span = self._tracer.start_span("agentsight.blind_spot", Context(), SpanKind.INTERNAL, attributes, start_time=at_ns)
        if not isinstance(span, ReadableSpan):
            return None
        span.set_status(Status(StatusCode.ERROR, f"could not be read: {sentence_of(row)}"))
        span.end(at_ns)
        return span


def _resource(service_name: str | None) -> Resource:
    """`service_name` before OTEL_SERVICE_NAME before OTEL_RESOURCE_ATTRIBUTES before our own defaults."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    ours = {"service.name": "agentsight-rx", "service.version": _version(), "host.name": socket.gethostname()}
    theirs = dict(OTELResourceDetector().detect().attributes)
    asked = {"service.name": service_name} if service_name else {}
    return Resource.create({**ours, **theirs, **asked})


def _version() -> str:
    try:
        return metadata.version("agentsight-rx")
    except metadata.PackageNotFoundError:  # run from a directory where it is not installed
        return "unknown"


def _trace_id(row: CallRow) -> int:
    """One trace for each conversation, else for each process, so that related calls are in one trace."""
    conversation = row.conversation_id or row.session_id
    if conversation:
        return _hash(f"conversation {conversation}", 16)
    return _hash(row.process_id or f"{row.id} {row.start_timestamp_ms}", 16)


def _hash(text: str, size: int) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=size).digest()) or 1  # 0 is not an id


_APIS = (("/chat/completions", "chat_completions"), ("/responses", "responses"))  # part of a path -> `openai.api.type`
_OPENAI = ("openai", "azure.ai.openai")


def _attributes(row: CallRow) -> dict[str, AttributeValue]:
    """
    The attributes of the GenAI conventions, v1.41.1.

    What is unknown is left out, as the conventions want; zero would be a value. Their input tokens include the cached ones.
    """
    path = (row.path or "").partition("?")[0]
    api = next((api for part, api in _APIS if part in path), None)
    provider = _provider(row)
    address, port = _server(row.host, row.scheme)
    request_seen, counted = row.match_method != "none", row.total_tokens > 0
    input_tokens = row.input_tokens + row.cache_creation_tokens + row.cache_read_tokens
    known: dict[str, AttributeValue | None] = {
        "gen_ai.operation.name": row.operation,
        "gen_ai.provider.name": provider,
        "gen_ai.conversation.id": row.conversation_id or row.session_id,
        "gen_ai.request.model": row.model if request_seen else None,
        "gen_ai.request.stream": row.stream or None,
        "gen_ai.request.max_tokens": row.max_tokens,
        "gen_ai.request.temperature": row.temperature,
        "gen_ai.request.top_p": row.top_p,
        "gen_ai.response.id": row.response_id,
        "gen_ai.response.model": row.response_model,
        "gen_ai.response.finish_reasons": (row.finish_reason,) if row.finish_reason else None,
        "gen_ai.response.time_to_first_chunk": _first_chunk_s(row) if request_seen else None,
        "gen_ai.usage.input_tokens": min(input_tokens, _INT_MOST) if counted else None,
        "gen_ai.usage.output_tokens": row.output_tokens if counted else None,
        "gen_ai.usage.cache_read.input_tokens": row.cache_read_tokens or None,
        "gen_ai.usage.cache_creation.input_tokens": row.cache_creation_tokens or None,
        "gen_ai.usage.reasoning.output_tokens": row.reasoning_tokens or None,
        "openai.api.type": api if provider in _OPENAI else None,
        "server.address": address,
        "server.port": port,
        "url.scheme": row.scheme,
        "http.response.status_code": row.status_code,
        "error.type": _error_type(row),
        "agentsight.call.id": row.id,
        "agentsight.pid": row.pid,
        "agentsight.comm": row.comm,
        "agentsight.complete": row.complete,
        "agentsight.reason": row.reason,
    }
    return {name: value for name, value in known.items() if value is not None}


def _provider(row: CallRow) -> str | None:
    """Unknown host: the provider whose dialect it uses, as the conventions say."""
    provider = provider_named(row.call_kind)
    label = provider.label if provider else row.call_kind
    return label if row.provider == row.host else row.provider


def _server(host: str | None, scheme: str) -> tuple[str | None, int | None]:
    """Name and port of a `host` header; where it has no port, the one of the scheme."""
    try:
        parts = urlsplit(f"//{host or ''}")
        address, port = parts.hostname, parts.port
    except ValueError:
        address, port = host, None
    return (address, port or (80 if scheme == "http" else 443)) if address else (None, None)


def _first_chunk_s(row: CallRow) -> float | None:
    return max(0, row.first_chunk_ns - row.start_ns) / 1e9 if row.first_chunk_ns and row.start_ns else None


_CODE = re.compile(r"[\w.-]{1,64}")


def _error_type(row: CallRow) -> str | None:
    """A value of few kinds, to count by: a status or a provider's code. The rest of an error message may be any text."""
    if row.status == "aborted":
        return "connection_closed"
    if row.status != "error":
        return None
    if (row.status_code or 0) >= 400:
        return str(row.status_code)
    return row.error_type if _CODE.fullmatch(row.error_type or "") else "_OTHER"


def _failure(row: CallRow, words: str) -> str:
    """The description of a failed call. The provider's `words` are content, as they may repeat parts of the request."""
    if row.status == "aborted":
        return "the connection was closed before an answer"
    if (row.status_code or 0) < 400:
        return _error_type(row) or ""
    return ": ".join(filter(None, (f"HTTP {row.status_code}", words)))
