"""CallRow -> one OpenTelemetry span a finished call of a model, sent to a collector over OTLP/HTTP."""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
import time
from collections.abc import Sequence
from hashlib import blake2b
from importlib import metadata
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct

from ..core.mailbox import Mailbox
from ..errors import SinkError
from ..events import HttpRequest, HttpResponse, Reply, SseMessage
from ..llm import provider_named
from ..llm.decode import decoded
from ..loss import Ledger, Meter, Reason
from ..say import say
from ..sink import Output, Sink
from ..view import CallRow
from ..view.calls import call_id

# The SDK and the exporter are imported where they are used: they take 0.1 s, which who exports nothing must not pay.
if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.util.types import AttributeValue

__all__ = ["OtelOptions", "otel"]

_SCHEMA = "https://opentelemetry.io/schemas/1.41.1"  # the last one that holds the gen_ai.* names
_PROTOCOL = "http/protobuf"
_PATH = "/v1/traces"

# As the SDK's own BatchSpanProcessor, which we do not use because it drops without a count. People watch, so 1 s, not 5.
_QUEUE_SPANS = 2048
_QUEUE_SIZE = 16 << 20
_BATCH_SPANS = 512
_BATCH_SIZE = 4 << 20  # of content; the OpenTelemetry Collector takes requests of up to 20 MiB
_BATCH_S = 1.0

_CONTENT_MOST = 65_536  # characters of one attribute, and of one text in it
_ASKED_MOST = 256  # open calls whose messages are kept, so 16 MiB; agents have a handful open
_INT_MOST = 2**63 - 1


class OtelOptions(Struct, frozen=True):
    """Where spans go. What is None is taken from the OTEL_* variables, and else is what OpenTelemetry says it is."""

    endpoint: str | None = None  # of the collector; /v1/traces is added where it is missing
    service_name: str | None = None
    protocol: str | None = None  # http/protobuf, nothing else
    capture_content: bool = False  # send what was asked and answered, too
    deadline_s: float = 5.0  # how long the end of a run may wait for the collector


def otel(options: OtelOptions) -> Sink:
    """
    Send a span for each call of a model that has ended. The collector may be slow or gone: that costs spans, which are
    counted at the stage `otel`, and never time.

    Replays give the same trace and span ids. A call that is open when the capture ends has no span. OTEL_EXPORTER_OTLP_*,
    OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and the OTEL_SPAN_* limits mean what they always mean.
    Raises SinkError on opening where the endpoint or the protocol is none that we speak.
    """
    # The sink is named by its protocol, since `otel` counts spans and the runtime counts events under the name of the sink.
    return Sink("otlp", lambda ledger: _OtelWriter(options, ledger))


class _OtelWriter:
    """Makes the spans, on the writer thread, which also is the one that counts; `_Sender` sends them on a thread of its own."""

    def __init__(self, options: OtelOptions, ledger: Ledger) -> None:
        self._endpoint = _endpoint(options)
        _check_protocol(options)
        try:
            self._spans = _Spans(options.service_name)
            self._sender = _Sender(self._endpoint)
        except ValueError as error:  # of the SDK, about a variable
            raise SinkError(f"OpenTelemetry cannot be set up from its OTEL_* variables: {error}") from error
        self._content = _Content() if options.capture_content else None
        self._deadline_s = options.deadline_s
        self._meter: Meter = ledger.meter("otel")
        self._told = False

    def write(self, batch: Sequence[Output], /) -> None:
        for item in batch:
            if not isinstance(item, CallRow):
                if self._content is not None:
                    self._content.see(item)
            elif item.status == "pending":
                if self._content is not None:
                    self._content.asked(item)
            elif item.end_timestamp_ms is not None and not item.more:
                self._send(item)
        self._settle()

    def _send(self, row: CallRow) -> None:
        meter = self._meter
        meter.seen += 1
        span = self._spans.span(row, self._content.of(row) if self._content is not None else {})
        if span is None:
            meter.lose(Reason.SAMPLED, 1)
        elif dropped := self._sender.box.put([span]):
            meter.lose(Reason.QUEUE_FULL, dropped.count, dropped.size)

    def flush(self) -> None:
        self._settle()

    def close(self) -> None:
        """Send what is left, until the deadline. What nobody took by then is lost."""
        answered = self._sender.close(self._deadline_s)
        self._settle()
        missing = self._meter.seen - self._meter.passed - self._meter.lost()
        if missing:
            self._meter.lose(Reason.SINK_FAILED, missing)
            self._tell(answered.why or f"no answer within {self._deadline_s:g} s")

    def _settle(self) -> None:
        """Count what the sender has done since the last time."""
        while (sent := self._sender.done()) is not None:
            self._meter.passed += sent.taken
            if sent.lost:
                self._meter.lose(Reason.SINK_FAILED, sent.lost)
                self._tell(sent.why)

    def _tell(self, why: str) -> None:
        """Once, in one line: what comes later is in the summary."""
        if not self._told:
            self._told = True
            where = re.sub(r"//[^/@]*@", "//", self._endpoint)
            say(f"OpenTelemetry: {where}: {why}; spans that it does not take are counted")


# -- where to --------------------------------------------------------------------------------------------------------


def _endpoint(options: OtelOptions) -> str:
    """The URL to post to. Raises SinkError where it is none."""
    verbatim = None if options.endpoint else os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    url = verbatim or options.endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or "http://localhost:4318"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SinkError(f"the OpenTelemetry endpoint {url!r} is no URL of a collector; give one like http://localhost:4318")
    return url if verbatim or url.endswith(_PATH) else url.removesuffix("/") + _PATH


def _check_protocol(options: OtelOptions) -> None:
    names = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = options.protocol or next(filter(None, map(os.environ.get, names)), _PROTOCOL)
    if protocol != _PROTOCOL:
        raise SinkError(f"OpenTelemetry protocol {protocol!r} is not spoken here; use {_PROTOCOL}, which is on port 4318")


# -- what a span says ------------------------------------------------------------------------------------------------


class _Spans:
    """CallRow -> span, by the SDK: its sampler, its limits and its resource are those of the environment."""

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

    def span(self, row: CallRow, content: dict[str, AttributeValue]) -> ReadableSpan | None:
        """The span of a call that has ended; None if the sampler does not want it."""
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
            span.set_status(Status(StatusCode.ERROR, _failure(row, row.text if content else "")))
        span.end(max(start_ns, end_ns))
        return span


def _resource(service_name: str | None) -> Resource:
    """`service_name` before OTEL_SERVICE_NAME before OTEL_RESOURCE_ATTRIBUTES before what we would say ourselves."""
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
    """One trace a conversation, else one a process, so that calls that belong together are found together."""
    conversation = row.conversation_id or row.session_id
    if conversation:
        return _hash(f"conversation {conversation}", 16)
    return _hash(row.process_id or f"{row.id} {row.start_timestamp_ms}", 16)


def _hash(text: str, size: int) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=size).digest()) or 1  # 0 is no id


# What a path says about the operation, and about `openai.api.type` where the provider is OpenAI; the first that matches
_OPERATIONS: tuple[tuple[re.Pattern[str], str, str | None], ...] = (
    (re.compile(r"/chat/completions"), "chat", "chat_completions"),
    (re.compile(r"/deployments/[^/]+/completions|/v1/completions"), "text_completion", None),
    (re.compile(r"/responses"), "chat", "responses"),
    (re.compile(r":(?:generate|streamGenerate)Content"), "generate_content", None),
)
_OPENAI = ("openai", "azure.ai.openai")


def _attributes(row: CallRow) -> dict[str, AttributeValue]:
    """
    The attributes of the GenAI conventions, v1.41.1, as far as the row knows them.

    What is not known is left out; the conventions want no zeros for it. Input tokens include the cached ones there.
    """
    path = (row.path or "").partition("?")[0]
    operation, api = next(((name, api) for pattern, name, api in _OPERATIONS if pattern.search(path)), ("chat", None))
    provider = _provider(row)
    address, port = _server(row.host)
    request_seen, counted = row.match_method != "none", row.total_tokens > 0
    input_tokens = row.input_tokens + row.cache_creation_tokens + row.cache_read_tokens
    known: dict[str, AttributeValue | None] = {
        "gen_ai.operation.name": operation,
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
    """A host that nobody knows speaks somebody's dialect, and that is what the conventions ask for then."""
    provider = provider_named(row.call_kind)
    label = provider.label if provider else row.call_kind
    return label if row.provider == row.host else row.provider


def _server(host: str | None) -> tuple[str | None, int | None]:
    """Name and port of a `host` header; 443 where it says none, since only TLS is read."""
    try:
        parts = urlsplit(f"//{host or ''}")
        address, port = parts.hostname, parts.port
    except ValueError:
        address, port = host, None
    return (address, port or 443) if address else (None, None)


def _first_chunk_s(row: CallRow) -> float | None:
    return max(0, row.first_chunk_ns - row.start_ns) / 1e9 if row.first_chunk_ns and row.start_ns else None


_CODE = re.compile(r"[\w.-]{1,64}")


def _error_type(row: CallRow) -> str | None:
    """Something that can be counted by: a status, a provider's code. What else a provider says may hold anything."""
    if row.status == "aborted":
        return "connection_closed"
    if row.status != "error":
        return None
    if (row.status_code or 0) >= 400:
        return str(row.status_code)
    return row.error_type if _CODE.fullmatch(row.error_type or "") else "_OTHER"


def _failure(row: CallRow, words: str) -> str:
    """The description of a failed call. The provider's `words` are content: they may repeat parts of the request."""
    if row.status == "aborted":
        return "the connection was closed before an answer"
    if (row.status_code or 0) < 400:
        return _error_type(row) or ""
    return ": ".join(filter(None, (f"HTTP {row.status_code}", words)))


# -- what was asked and answered -------------------------------------------------------------------------------------


class _Block(Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    id: str = ""
    name: str = ""
    input: Raw = Raw()
    tool_use_id: str = ""
    content: str | list[_Block] | _Block | None = None


class _Function(Struct):
    name: str = ""
    arguments: str | None = None


class _Call(Struct):
    id: str = ""
    function: _Function | None = None


class _Message(Struct):
    role: str = ""
    content: str | list[_Block] | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None


class _Request(Struct):
    """A request to Anthropic's Messages or to OpenAI's chat: no name means one thing here and another there."""

    messages: list[_Message] = []


_REQUEST = msgspec.json.Decoder(_Request)

_Part = dict[str, object]

# `finish_reason` of gen_ai.output.messages for what providers say
_FINISHED = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_call",
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "refusal": "content_filter",
    "max_output_tokens": "length",
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
}


class _Content:
    """
    gen_ai.input.messages and gen_ai.output.messages, as JSON text in the schema of the conventions.

    A row does not hold all of that, but the event that it was made of comes right before it.
    """

    def __init__(self) -> None:
        self._event: HttpRequest | HttpResponse | SseMessage | None = None
        self._asked: dict[str, str] = {}

    def see(self, item: Output) -> None:
        if isinstance(item, HttpRequest | HttpResponse | SseMessage):
            self._event = item

    def asked(self, row: CallRow) -> None:
        """A call began: keep its messages until it ends."""
        event = self._event
        if not isinstance(event, HttpRequest) or call_id(event.origin, event.exchange) != row.id:
            return
        messages = _messages(event.body)
        if messages is not None:
            while len(self._asked) >= _ASKED_MOST:
                del self._asked[next(iter(self._asked))]
            self._asked[row.id] = messages

    def of(self, row: CallRow) -> dict[str, AttributeValue]:
        """The content of a call that has ended. Where only the row is left, what a person typed last and the text."""
        asked = self._asked.pop(row.id, None)
        if asked is None:
            asked = _json([{"role": "user", "parts": [_text(row.prompt)]}] if row.prompt else [])
        reply = self._reply(row)
        parts = [_text(reply.thinking, kind="reasoning")] if reply.thinking else []
        parts += [_text(reply.text)] if reply.text else []
        parts += [_tool_call(call.id, call.name, call.input) for call in reply.tool_calls]
        reason = "error" if row.status in ("error", "aborted") else row.finish_reason or "stop"
        answer: list[_Part] = [{"role": "assistant", "parts": parts, "finish_reason": _FINISHED.get(reason, reason)}]
        return {"gen_ai.input.messages": asked, "gen_ai.output.messages": _json(answer if parts else [])}

    def _reply(self, row: CallRow) -> Reply:
        event = self._event
        if event is not None and call_id(event.origin, event.exchange) == row.id:
            if isinstance(event, SseMessage):
                return event.reply
            provider = provider_named(row.call_kind)
            if isinstance(event, HttpResponse) and provider is not None:
                return provider.response(event.body)
        failed = (row.status_code or 0) >= 400  # then the text is what the provider said about that
        return Reply(text="" if failed else row.text, thinking=row.thinking)


def _messages(body: bytes) -> str | None:
    """The newest messages of a request, whole ones and at least one; None where it has none."""
    request = decoded(_REQUEST, body)
    kept: list[str] = []
    room = _CONTENT_MOST
    for message in reversed(request.messages if request else []):
        text = _json({"role": message.role, "parts": _parts(message)})
        room -= len(text)
        if kept and room < 0:
            break
        kept.append(text)
    return f"[{','.join(reversed(kept))}]" if kept else None


def _parts(message: _Message) -> list[_Part]:
    if message.role in ("tool", "function"):
        return [_tool_response(message.tool_call_id or "", message.content)]
    parts = [_part(block) for block in _blocks(message.content)]
    for call in message.tool_calls or ():
        function = call.function or _Function()
        parts.append(_tool_call(call.id, function.name, function.arguments or ""))
    return parts


def _part(block: _Block) -> _Part:
    if block.type.endswith("tool_use"):
        return _tool_call(block.id, block.name, bytes(block.input).decode("utf-8", "replace"))
    if block.type.endswith("tool_result"):
        return _tool_response(block.tool_use_id, block.content)
    if block.text is not None:
        return _text(block.text)
    if block.thinking is not None:
        return _text(block.thinking, kind="reasoning")
    return {"type": block.type}  # an image, a document: that it was there


def _text(text: str, *, kind: str = "text") -> _Part:
    return {"type": kind, "content": text[:_CONTENT_MOST]}


def _tool_call(id: str, name: str, arguments: str) -> _Part:
    return {"type": "tool_call", "id": id, "name": name, "arguments": _value(arguments)}


def _tool_response(id: str, content: str | list[_Block] | _Block | None) -> _Part:
    text = "\n".join(block.text for block in _blocks(content) if block.text)
    return {"type": "tool_call_response", "id": id, "response": text[:_CONTENT_MOST]}


def _blocks(content: str | list[_Block] | _Block | None) -> list[_Block]:
    if isinstance(content, str):
        return [_Block("text", content)] if content else []
    return [content] if isinstance(content, _Block) else content or []


def _value(text: str) -> object:
    """The arguments as JSON inside JSON, as they were sent, where they are that, else as a string."""
    if len(text) > _CONTENT_MOST:
        return text[:_CONTENT_MOST]
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return Raw(text.encode())


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


# -- how it is sent --------------------------------------------------------------------------------------------------


class _Sent(Struct, frozen=True):
    """What became of one batch."""

    taken: int
    lost: int = 0
    why: str = ""


class _Answer:
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


class _Sender:
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
        self._answer = _Answer()
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

    def close(self, deadline_s: float) -> _Answer:
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


def _exporter(endpoint: str, answer: _Answer) -> SpanExporter:
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
