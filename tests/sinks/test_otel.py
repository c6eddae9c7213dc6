"""The OpenTelemetry sink against a collector of our own: the spans, and the counts of spans that are not taken."""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

from agentsight_rx.core.stream import of
from agentsight_rx.errors import SinkError
from agentsight_rx.events import (
    PLAIN,
    Connection,
    Event,
    HttpRequest,
    HttpResponse,
    Origin,
    ProcessFork,
    Reply,
    SseMessage,
    TlsClose,
    ToolCall,
    Usage,
)
from agentsight_rx.events.loss import Entry, Ledger, Meter, Reason
from agentsight_rx.llm import PROVIDERS
from agentsight_rx.runtime.run import run
from agentsight_rx.sinks import OtelOptions, otel
from agentsight_rx.sinks.otel.spans import span_id
from agentsight_rx.view import AlertRow, AuditRow, BlindSpotRow, CallRow, Fold, Output, ProcessRow, RowGone
from tests.llm.cases import case_of
from tests.provider_component import ProviderCase

SECOND = 1_000_000_000
CLOCK = 1_800_000_000 * SECOND  # Unix time of the kernel's zero
CONNECTION = Connection(42, 0xABC, "/usr/lib/libssl.so.3", 0x1000)
ROW = CallRow("llm-1", 1000, 2000, status="complete", model="m", process_id="process-1-1")


# -- a collector -----------------------------------------------------------------------------------------------------

Answer = tuple[int, dict[str, str], bytes]
Body = Mapping[str, object]
TAKEN: Answer = (200, {}, b"")


class Collector:
    """An OTLP/HTTP receiver that gives the prepared answers in order, and then accepts everything."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.taken: list[ExportTraceServiceRequest] = []
        self.measured: list[ExportMetricsServiceRequest] = []
        self.open = threading.Event()  # until it is set, no request is answered
        self.open.set()
        self.asked = threading.Event()
        self.url = ""

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        plain = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        if path.endswith("/metrics"):
            self.measured.append(ExportMetricsServiceRequest.FromString(plain))
            return TAKEN
        self.requests.append((path, headers))
        self.asked.set()
        assert self.open.wait(30)
        answer = self.answers.pop(0) if self.answers else TAKEN
        if answer[0] == 200:
            self.taken.append(ExportTraceServiceRequest.FromString(plain))
        return answer

    @property
    def scopes(self) -> list[ScopeSpans]:
        return [scope for request in self.taken for resource in request.resource_spans for scope in resource.scope_spans]

    @property
    def spans(self) -> list[Span]:
        return [span for scope in self.scopes for span in scope.spans]

    @property
    def span(self) -> Span:
        """The only call of a model."""
        (span,) = [span for span in self.spans if span.kind == Span.SPAN_KIND_CLIENT or span.name == "agentsight.blind_spot"]
        return span

    @property
    def resource(self) -> dict[str, object]:
        return values(self.taken[0].resource_spans[0].resource.attributes)


@contextmanager
def collecting(*answers: Answer) -> Generator[Collector]:
    collector = Collector(*answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, extra, content = collector.answer(self.path, headers, body)
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield collector
        finally:
            collector.open.set()
            server.shutdown()
            thread.join()


def values(attributes: Iterable[KeyValue]) -> dict[str, object]:
    return {attribute.key: value(attribute.value) for attribute in attributes}


def value(of: AnyValue) -> object:
    kind = of.WhichOneof("value")
    assert kind is not None
    return [value(each) for each in of.array_value.values] if kind == "array_value" else getattr(of, kind)


def send(options: OtelOptions, batch: Sequence[Output]) -> Ledger:
    """Give `batch` to the sink and close it, as a run does."""
    ledger = Ledger()
    writer = otel(options).open(ledger)
    writer.write(batch)
    writer.flush()
    writer.close()
    meter = meter_of(ledger)
    assert meter.seen == meter.passed + meter.lost()
    return ledger


def meter_of(ledger: Ledger) -> Meter:
    (meter,) = ledger
    return meter


def sent(batch: Sequence[Output], *, capture_content: bool = False) -> Collector:
    """What a collector that takes everything got of `batch`."""
    with collecting() as collector:
        ledger = send(OtelOptions(collector.url, capture_content=capture_content), batch)
    assert ledger.complete
    return collector


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


# -- calls -----------------------------------------------------------------------------------------------------------


def origin(time_ns: int) -> Origin:
    return Origin(time_ns, 42, comm="agent", wall_ns=CLOCK + time_ns, connection=CONNECTION)


def request(body: Body, *, path: str = "/v1/messages", host: str = "api.anthropic.com", at: int = SECOND) -> HttpRequest:
    return HttpRequest(origin(at), 1, "POST", path, "HTTP/1.1", (("host", host),), msgspec.json.encode(body))


def stream(reply: Reply, *, at: int = 4 * SECOND, **fields: Any) -> SseMessage:
    whole = SseMessage(origin(at), 1, "anthropic", reply, (), 5 * SECOND, status=200)
    return replace(whole, **fields)


def answer(status: int, body: Body) -> HttpResponse:
    head = (status, "", "HTTP/1.1", ())
    return HttpResponse(origin(4 * SECOND), 1, *head, msgspec.json.encode(body), end_ns=5 * SECOND)


def folded(*events: Event) -> list[Output]:
    """The events and their rows, as they come out of a graph."""
    fold = Fold()
    return [item for event in events for item in (event, *fold.add(event))] + fold.finish()


ASKED: Body = {
    "model": "claude-sonnet-4-5",
    "stream": True,
    "max_tokens": 1000,
    "temperature": 0.5,
    "top_p": 0.75,
    "metadata": {"session_id": "session-7"},
    "messages": [{"role": "user", "content": "Say hi"}],
}
REPLY = Reply("msg_1", "claude-sonnet-4-5-20250929", "Hi", "Hm", (), Usage(10, 20, 300, 4000, 5), "end_turn")


def test_a_streamed_call_is_a_span_with_all_that_is_known() -> None:
    batch = folded(request(ASKED), stream(REPLY, first_chunk_ns=3 * SECOND + 7))
    collector = sent(batch)
    span = collector.span
    assert "chat claude-sonnet-4-5" == span.name
    assert Span.SPAN_KIND_CLIENT == span.kind
    assert (CLOCK + SECOND, CLOCK + 5 * SECOND) == (span.start_time_unix_nano, span.end_time_unix_nano)
    assert Status.STATUS_CODE_UNSET == span.status.code
    (root,) = [each for each in collector.spans if each.name.startswith("invoke_agent")]
    assert (root.span_id, root.trace_id) == (span.parent_span_id, span.trace_id)
    assert {
        "agentsight.view_source": "view",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.conversation.id": "session-7",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.request.stream": True,
        "gen_ai.request.max_tokens": 1000,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.75,
        "gen_ai.response.id": "msg_1",
        "gen_ai.response.model": "claude-sonnet-4-5-20250929",
        "gen_ai.response.finish_reasons": ["end_turn"],
        "gen_ai.response.time_to_first_chunk": 2.000000007,
        "gen_ai.usage.input_tokens": 4310,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 4000,
        "gen_ai.usage.cache_write.input_tokens": 300,
        "gen_ai.usage.cache_creation.input_tokens": 300,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "server.address": "api.anthropic.com",
        "server.port": 443,
        "url.scheme": "https",
        "http.response.status_code": 200,
        "agentsight.call.id": "llm-42-abc-1000-1",
        "agentsight.session.id": "session-7",
        "agentsight.turn": 1,
        "agentsight.pid": 42,
        "agentsight.comm": "agent",
        "agentsight.complete": True,
        "agentsight.context.prompt.tokens": 4310,
    } == values(span.attributes)
    (scope,) = collector.scopes
    assert ("agentsight_rx", "https://opentelemetry.io/schemas/1.41.1") == (scope.scope.name, scope.schema_url)


def test_a_whole_answer_of_openai() -> None:
    asked: Body = {"model": "gpt-5", "messages": []}
    answered = {
        "id": "chatcmpl-1",
        "model": "gpt-5-2025",
        "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 70, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 64}},
    }
    batch = folded(request(asked, path="/v1/chat/completions", host="api.openai.com:8443"), answer(200, answered))
    attributes = values(sent(batch).span.attributes)
    assert ("openai", "chat_completions") == (attributes["gen_ai.provider.name"], attributes["openai.api.type"])
    assert ("api.openai.com", 8443) == (attributes["server.address"], attributes["server.port"])
    assert (70, 64) == (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.cache_read.input_tokens"])
    absent = ("gen_ai.request.stream", "gen_ai.response.time_to_first_chunk", "gen_ai.request.max_tokens", "error.type")
    assert not set(absent) & attributes.keys()


@pytest.mark.parametrize(
    ("path", "operation", "api"),
    [
        ("/v1/chat/completions", "chat", "chat_completions"),
        ("/openai/deployments/gpt/chat/completions?api-version=1", "chat", "chat_completions"),
        ("/v1/completions", "text_completion", None),
        ("/v1/responses", "chat", "responses"),
        ("/v1beta/models/gemini:streamGenerateContent?alt=sse", "generate_content", None),
    ],
)
def test_the_operation_is_that_of_the_call_and_the_api_that_of_its_path(path: str, operation: str, api: str | None) -> None:
    span = sent([replace(ROW, path=path, provider="openai", operation=operation)]).span
    attributes = values(span.attributes)
    assert (f"{operation} m", operation) == (span.name, attributes["gen_ai.operation.name"])
    assert api == attributes.get("openai.api.type")


def test_an_unknown_host_gets_the_provider_of_its_dialect() -> None:
    batch = folded(request(ASKED, host="127.0.0.1:8080"), stream(REPLY))
    attributes = values(sent(batch).span.attributes)
    assert "anthropic" == attributes["gen_ai.provider.name"]
    assert ("127.0.0.1", 8080) == (attributes["server.address"], attributes["server.port"])


def test_a_call_without_tls_is_http() -> None:
    asked = request(ASKED, host="127.0.0.1")
    assert asked.origin.connection is not None
    plain = replace(asked.origin, connection=replace(asked.origin.connection, library=PLAIN))
    attributes = values(sent(folded(replace(asked, origin=plain), stream(REPLY, origin=plain))).span.attributes)
    assert ("http", "127.0.0.1", 80) == tuple(attributes[name] for name in ("url.scheme", "server.address", "server.port"))


def test_where_the_request_was_not_seen_its_attributes_are_left_out() -> None:
    span = sent(folded(stream(REPLY, first_chunk_ns=3 * SECOND, host="api.anthropic.com"))).span
    attributes = values(span.attributes)
    assert "chat claude-sonnet-4-5-20250929" == span.name
    assert not {"gen_ai.request.model", "gen_ai.response.time_to_first_chunk"} & attributes.keys()
    assert (False, "request_unseen") == (attributes["agentsight.complete"], attributes["agentsight.reason"])


def test_unknown_token_counts_are_left_out() -> None:
    span = sent(folded(request(ASKED), stream(replace(REPLY, usage=None)))).span
    assert not [name for name in values(span.attributes) if name.startswith("gen_ai.usage")]


def test_numbers_too_large_for_a_collector_do_not_spoil_the_batch() -> None:
    huge = 2**63 - 1
    rows = folded(request({**ASKED, "max_tokens": 10**30}), stream(replace(REPLY, usage=Usage(huge, 1, huge))))
    collector = sent([*rows, ROW])
    calls = [span for span in collector.spans if span.kind == Span.SPAN_KIND_CLIENT]
    assert [huge, None] == [values(span.attributes).get("gen_ai.usage.input_tokens") for span in calls]


# -- how it ended ----------------------------------------------------------------------------------------------------


def ended(*batch: Output) -> tuple[int, str, object]:
    span = sent(batch).span
    return span.status.code, span.status.message, values(span.attributes).get("error.type")


def test_a_refused_call_is_an_error() -> None:
    refused = {"type": "error", "error": {"type": "rate_limit_error", "message": "prompt: my secret"}}
    batch = folded(request(ASKED), answer(429, refused))
    assert (Status.STATUS_CODE_ERROR, "HTTP 429", "429") == ended(*batch)


def test_an_error_in_the_middle_of_a_stream_is_an_error() -> None:
    batch = folded(request(ASKED), stream(replace(REPLY, error="overloaded_error: Overloaded")))
    assert (Status.STATUS_CODE_ERROR, "overloaded_error", "overloaded_error") == ended(*batch)


def test_free_text_of_a_provider_is_not_an_error_type() -> None:
    batch = folded(request(ASKED), stream(replace(REPLY, error="I cannot read your secret")))
    assert (Status.STATUS_CODE_ERROR, "_OTHER", "_OTHER") == ended(*batch)


def test_a_call_whose_connection_closed_is_an_error() -> None:
    batch = folded(request(ASKED), TlsClose(origin(3 * SECOND)))
    assert (Status.STATUS_CODE_ERROR, "the connection was closed before an answer", "connection_closed") == ended(*batch)


def test_a_partial_call_is_not_an_error() -> None:
    batch = folded(request(ASKED), stream(REPLY, complete=False, reason="lost"))
    span = sent(batch).span
    attributes = values(span.attributes)
    assert Status.STATUS_CODE_UNSET == span.status.code
    assert (False, "lost") == (attributes["agentsight.complete"], attributes["agentsight.reason"])


def test_a_call_that_is_open_at_the_end_has_no_span() -> None:
    assert ["invoke_agent agent"] == [span.name for span in sent(folded(request(ASKED))).spans]


def test_a_stream_that_goes_on_after_a_silence_is_one_span() -> None:
    silent = stream(replace(REPLY, text="H"), complete=False, reason="timeout")
    whole = stream(REPLY, revision=1, end_ns=6 * SECOND)
    span = sent(folded(request(ASKED), silent, whole)).span
    assert CLOCK + 6 * SECOND == span.end_time_unix_nano
    assert values(span.attributes)["agentsight.complete"]


@pytest.mark.parametrize("last", [[], [TlsClose(origin(9 * SECOND))]], ids=["end", "close"])
def test_a_stream_that_stays_silent_is_a_span_with_its_text_so_far(last: list[TlsClose]) -> None:
    silent = stream(REPLY, complete=False, reason="timeout")
    attributes = values(sent(folded(request(ASKED), silent, *last)).span.attributes)
    assert ("timeout", 20) == (attributes["agentsight.reason"], attributes["gen_ai.usage.output_tokens"])


# -- ids -------------------------------------------------------------------------------------------------------------


def ids(*rows: CallRow) -> list[tuple[bytes, bytes]]:
    return [(span.trace_id, span.span_id) for span in sent(rows).spans]


def test_a_replay_has_the_same_ids() -> None:
    batch = folded(request(ASKED), stream(REPLY))
    spans = [sent(batch).span for _ in range(2)]
    assert 1 == len({(span.trace_id, span.span_id) for span in spans})
    assert (16, 8) == (len(spans[0].trace_id), len(spans[0].span_id))


@pytest.mark.parametrize("field", ["session_id", "process_id"])
def test_calls_that_belong_together_are_one_trace(field: str) -> None:
    rows = [replace(ROW, id=f"llm-{number}", **{field: name}) for number, name in enumerate("aab")]
    (first, a), (second, b), (third, c) = ids(*rows)
    assert first == second != third
    assert 3 == len({a, b, c})


def test_a_session_goes_on_in_another_process() -> None:
    rows = [replace(ROW, id=f"llm-{each}", session_id="s", process_id=f"process-{each}") for each in range(2)]
    assert 1 == len({trace for trace, _ in ids(*rows)})


def test_the_process_of_a_call_is_that_of_its_row() -> None:
    fork = ProcessFork(origin(1), 1, CONNECTION.start_ns)
    rows = folded(fork, request(ASKED))
    (process,) = {row.id for row in rows if isinstance(row, ProcessRow)}
    assert {process} == {row.process_id for row in rows if isinstance(row, CallRow)}


# -- content ---------------------------------------------------------------------------------------------------------


def content(*batch: Output) -> tuple[Any, Any]:
    attributes = values(sent(batch, capture_content=True).span.attributes)
    asked, answered = (str(attributes[f"gen_ai.{side}.messages"]) for side in ("input", "output"))
    return msgspec.json.decode(asked), msgspec.json.decode(answered)


def test_content_is_not_sent_by_default() -> None:
    refused = {"error": {"message": "You said hi"}}
    for batch in (folded(request(ASKED), stream(REPLY)), folded(request(ASKED), answer(400, refused))):
        (taken,) = sent(batch).taken
        assert not [word for word in (b"Say hi", b"Hi", b"Hm", b"You said") if word in taken.SerializeToString()]


def test_messages_of_anthropic() -> None:
    messages: list[Body] = [
        {"role": "user", "content": "List"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm"},
                {"type": "tool_use", "id": "t1", "name": "bash", "input": {"command": "ls"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a"}]}]},
        {"role": "user", "content": [{"type": "image", "source": {}}, {"type": "text", "text": "More"}]},
    ]
    reply = replace(REPLY, tool_calls=(ToolCall("t2", "bash", '{"command":"ls -a"}'),), finish_reason="tool_use")
    asked, answered = content(*folded(request({**ASKED, "messages": messages}), stream(reply)))
    call = {"type": "tool_call", "id": "t1", "name": "bash", "arguments": {"command": "ls"}}
    assert [
        {"role": "user", "parts": [{"type": "text", "content": "List"}]},
        {"role": "assistant", "parts": [{"type": "reasoning", "content": "Hm"}, call]},
        {"role": "user", "parts": [{"type": "tool_call_response", "id": "t1", "response": "a"}]},
        {"role": "user", "parts": [{"type": "image"}, {"type": "text", "content": "More"}]},
    ] == asked
    assert [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "Hm"},
                {"type": "text", "content": "Hi"},
                {"type": "tool_call", "id": "t2", "name": "bash", "arguments": {"command": "ls -a"}},
            ],
            "finish_reason": "tool_call",
        }
    ] == answered


def test_messages_of_openai() -> None:
    call = {"id": "c1", "function": {"name": "bash", "arguments": "not json"}}
    messages = [
        {"role": "system", "content": "Be kind"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
    ]
    answered_call = {"id": "c2", "function": {"name": "bash", "arguments": '{"a":1}'}}
    body = {"choices": [{"message": {"tool_calls": [answered_call]}, "finish_reason": "tool_calls"}]}
    asked, answered = content(
        *folded(request({"messages": messages}, path="/v1/chat/completions", host="api.openai.com"), answer(200, body))
    )
    assert [
        {"role": "system", "parts": [{"type": "text", "content": "Be kind"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "bash", "arguments": "not json"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "done"}]},
    ] == asked
    part = {"type": "tool_call", "id": "c2", "name": "bash", "arguments": {"a": 1}}
    assert [{"role": "assistant", "parts": [part], "finish_reason": "tool_call"}] == answered


def test_of_a_long_conversation_the_newest_messages_are_sent() -> None:
    messages = [{"role": "user", "content": f"{number}:" + "x" * 9_000} for number in range(30)]
    asked, _ = content(*folded(request({**ASKED, "messages": messages}), stream(REPLY)))
    assert [f"{number}:" for number in range(23, 30)] == [each["parts"][0]["content"][:3] for each in asked]


def test_without_the_events_content_comes_from_the_row() -> None:
    asked, answered = content(replace(ROW, prompt="Say hi", text="Hi", finish_reason="max_tokens"))
    assert [{"role": "user", "parts": [{"type": "text", "content": "Say hi"}]}] == asked
    assert [{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": "length"}] == answered


def test_the_words_of_a_refusal_are_content() -> None:
    refused = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    span = sent(folded(request(ASKED), answer(429, refused)), capture_content=True).span
    assert "HTTP 429: rate_limit_error: slow down" == span.status.message
    assert "[]" == values(span.attributes)["gen_ai.output.messages"]


# -- the resource and the environment --------------------------------------------------------------------------------


def test_the_resource_names_us_and_the_host() -> None:
    resource = sent([ROW]).resource
    assert ("agentsight-rx", socket.gethostname()) == (resource["service.name"], resource["host.name"])
    assert resource["service.version"]


def test_the_environment_names_the_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=one,host.name=box,team=a%20b")
    resource = sent([ROW]).resource
    assert ("one", "box", "a b") == (resource["service.name"], resource["host.name"], resource["team"])
    monkeypatch.setenv("OTEL_SERVICE_NAME", "two")
    assert "two" == sent([ROW]).resource["service.name"]
    with collecting() as collector:
        send(OtelOptions(collector.url, service_name="three"), [ROW])
    assert "three" == collector.resource["service.name"]


def test_the_command_line_comes_first_then_the_endpoint_of_traces_then_the_general_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        options = OtelOptions()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{collector.url}/general/")
        send(options, [ROW])
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/verbatim")
        send(options, [ROW])
        send(OtelOptions(f"{collector.url}/given"), [ROW])
        send(OtelOptions(f"{collector.url}/whole/v1/traces"), [ROW])
    paths = [path for path, _ in collector.requests]
    assert ["/general/v1/traces", "/verbatim", "/given/v1/traces", "/whole/v1/traces"] == paths


def test_headers_and_compression_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=a%20b")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    collector = sent([ROW])
    ((_, headers),) = collector.requests
    assert ("a b", "gzip") == (headers["x-team"], headers["content-encoding"])
    assert "application/x-protobuf" == headers["content-type"]
    assert "chat m" == collector.span.name


def test_spans_that_the_sampler_drops_are_counted_as_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with collecting() as collector:
        ledger = send(OtelOptions(collector.url), [ROW])
    assert [Entry("otel", Reason.SAMPLED, 1)] == ledger.entries()
    assert [] == collector.spans


@pytest.mark.parametrize("url", ["localhost:4318", "ftp://localhost", "http://", "http://[::1", "http://a:b"])
def test_an_endpoint_that_is_not_a_url_is_refused(url: str) -> None:
    with pytest.raises(SinkError, match="not the URL of a collector"):
        otel(OtelOptions(url)).open(Ledger())


def test_an_unsupported_protocol_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
    with pytest.raises(SinkError, match="'http/json' is not supported"):
        otel(OtelOptions()).open(Ledger())
    otel(OtelOptions(protocol="http/protobuf")).open(Ledger()).close()


def test_a_variable_that_the_sdk_does_not_accept_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many")
    with pytest.raises(SinkError, match="OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"):
        otel(OtelOptions()).open(Ledger())


# -- collectors that do not take everything --------------------------------------------------------------------------


def test_a_collector_that_is_busy_is_asked_again() -> None:
    with collecting((503, {"retry-after": "0"}, b""), (429, {"retry-after": "0"}, b"")) as collector:
        ledger = send(OtelOptions(collector.url), [ROW])
    assert 3 == len(collector.requests)
    assert "chat m" == collector.span.name
    assert ledger.complete


def test_spans_that_are_rejected_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    body = ExportTraceServiceResponse()
    body.partial_success.rejected_spans = 2
    body.partial_success.error_message = "too\nold"
    with collecting((200, {}, body.SerializeToString())) as collector:
        ledger = send(OtelOptions(collector.url), rows(3))
    assert [Entry("otel", Reason.SINK_FAILED, 2)] == ledger.entries()
    assert [f"agentsight-rx: OpenTelemetry: {collector.url}/v1/traces: too old; spans that it does not take are counted"] == (
        capsys.readouterr().err.splitlines()
    )


@pytest.mark.parametrize(("status", "phrase"), [(401, "Unauthorized"), (302, "Found")])
def test_a_refusal_is_final_and_counted(status: int, phrase: str, capsys: pytest.CaptureFixture[str]) -> None:
    with collecting((status, {}, b"")) as collector:
        ledger = send(OtelOptions(collector.url), rows(3))
    assert 1 == len(collector.requests)
    assert [Entry("otel", Reason.SINK_FAILED, 3)] == ledger.entries()
    assert f"HTTP {status} {phrase};" in capsys.readouterr().err


@contextmanager
def no_collector(monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    """A URL without a listener; the exporter gives up before it retries."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://user:secret@127.0.0.1:{bound.getsockname()[1]}"


def test_a_missing_collector_is_reported_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with no_collector(monkeypatch) as url:
        ledger = send(OtelOptions(url), rows(1000))
    assert [Entry("otel", Reason.SINK_FAILED, 1000)] == ledger.entries()
    (line,) = capsys.readouterr().err.splitlines()
    assert "Connection refused; spans that it does not take are counted" in line
    assert "secret" not in line


PROGRAM = """
import sys
from agentsight_rx.events.loss import Ledger
from agentsight_rx.sinks import OtelOptions, otel
from agentsight_rx.core.stream import of
from agentsight_rx.view import CallRow
writer = otel(OtelOptions(sys.argv[1])).open(Ledger())
writer.write([CallRow("llm-1", 1000, 2000, status="complete")])
writer.close()
"""


def test_the_exporter_itself_says_nothing_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with no_collector(monkeypatch) as url:
        process = subprocess.run([sys.executable, "-c", PROGRAM, url], capture_output=True, text=True, timeout=60, check=True)
    assert ["agentsight-rx"] == [line.partition(":")[0] for line in process.stderr.splitlines()]


def test_spans_lost_in_a_run_make_the_capture_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = folded(request(ASKED), stream(REPLY))
    with collecting() as collector:
        assert run(of(batch), [otel(OtelOptions(collector.url))], on_bug="raise_all").complete
    assert "chat claude-sonnet-4-5" == collector.span.name
    with no_collector(monkeypatch) as url:
        summary = run(of(batch), [otel(OtelOptions(url))], on_bug="raise_all")
    assert [Entry("otel", Reason.SINK_FAILED, 2)] == summary.ledger.unintended()  # the agent and its call


def test_a_collector_that_never_answers_does_not_delay_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with collecting() as collector:
        collector.open.clear()
        ledger = send(OtelOptions(collector.url, deadline_s=0.1), rows(3))
        assert not collector.open.is_set()
    assert [Entry("otel", Reason.SINK_FAILED, 3)] == ledger.entries()
    assert "no answer within 0.1 s" in capsys.readouterr().err


def test_spans_for_which_there_is_no_room_are_counted() -> None:
    ledger = Ledger()
    with collecting() as collector:
        collector.open.clear()
        writer = otel(OtelOptions(collector.url, deadline_s=60)).open(ledger)
        some = rows(512 + 2048 + 300)
        writer.write([*some[:512], later(10)])
        assert collector.asked.wait(30)
        writer.write([*some[512:], later(20)])
        assert [Entry("otel", Reason.QUEUE_FULL, 300)] == ledger.entries()
        collector.open.set()
        writer.close()
    meter = meter_of(ledger)
    assert (512 + 2048, 512 + 2048 + 300) == (meter.passed, meter.seen)
    assert [512] * 5 == [len(scope.spans) for scope in collector.scopes]


def test_content_is_bounded_in_bytes_too() -> None:
    ledger = Ledger()
    big = [replace(row, text="x" * 65_000, prompt="y" * 65_000) for row in rows(300)]
    with collecting() as collector:
        collector.open.clear()
        writer = otel(OtelOptions(collector.url, capture_content=True, deadline_s=60)).open(ledger)
        writer.write(big)
        collector.open.set()
        writer.close()
    meter = meter_of(ledger)
    assert 0 < meter.lost(Reason.QUEUE_FULL) == len(big) - len(collector.spans)
    assert all(len(scope.spans) <= 33 for scope in collector.scopes)  # 4 MiB and one


def test_a_sink_without_spans_sends_no_request() -> None:
    assert [] == sent([]).requests


def later(seconds: int) -> AuditRow:
    """Time goes on: what ended before is not amended any more."""
    end_ms = ROW.end_timestamp_ms
    assert end_ms is not None
    return AuditRow(f"audit-{seconds}", end_ms + 1000 * seconds, "file")


def rows(count: int) -> list[CallRow]:
    return [replace(ROW, id=f"llm-{number}") for number in range(count)]


# -- what could not be read ------------------------------------------------------------------------------------------


def test_a_process_that_could_not_be_read_is_one_span_in_its_trace() -> None:
    spot = BlindSpotRow(
        "blind-7-1", 5000, 7, "uv", "process-7-1", connections=1, size=10, peers=("127.0.0.1:443",), files=("/bin/uv",),
        looks_like=("rustls with aws-lc",),
    )  # fmt: skip
    span = sent([spot, replace(spot, connections=3, size=900)]).span
    said = values(span.attributes)
    assert (span.name, span.status.code) == ("agentsight.blind_spot", Status.STATUS_CODE_ERROR)
    assert "uv (rustls with aws-lc), process 7: 3 connections, 900 bytes to 127.0.0.1:443" in span.status.message
    assert (said["agentsight.connections"], said["agentsight.files"], said["error.type"]) == (3, ["/bin/uv"], "unreadable")


def test_an_alert_is_a_span_below_its_tool_with_its_last_count() -> None:
    alert = AlertRow(
        "alert-1", 5000, "secret-left", "warn", "claude read ~/.env", "/root/.env", number=1, session_id="s-1", pid=7,
        tool_id="tool-1", prompt="deploy", evidence=("a", "b"), proven=3, last_timestamp_ms=6000,
    )  # fmt: skip
    gone = replace(alert, id="alert-2")
    made = sent([replace(ROW, session_id="s-1"), alert, gone, replace(alert, count=4), RowGone(gone)]).spans
    (span,) = [span for span in made if span.name == "agentsight.alert"]
    said = values(span.attributes)
    assert ("claude read ~/.env", Status.STATUS_CODE_ERROR) == (span.status.message, span.status.code)
    assert (said["agentsight.alert.count"], said["agentsight.alert.evidence"]) == (4, ["a", "b"])
    assert "agentsight.alert.prompt" not in said
    assert {span.trace_id} == {each.trace_id for each in made}
    assert span_id("tool-1").to_bytes(8) == span.parent_span_id
    assert 2 == len(made)
    (note,) = sent([replace(alert, do="note", tool_id=None)], capture_content=True).spans
    assert ("deploy", Status.STATUS_CODE_UNSET) == (values(note.attributes)["agentsight.alert.prompt"], note.status.code)


def test_a_call_that_a_server_in_the_tree_received_has_no_span_of_its_own() -> None:
    served = replace(ROW, id="llm-2", twin=ROW.id)
    assert len(sent([ROW, served]).spans) == 1


# -- every dialect -----------------------------------------------------------------------------------------------------


CASES = [case_of(provider) for provider in PROVIDERS if provider.path is not None]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.provider.name)
def test_every_message_of_every_dialect_is_sent(case: ProviderCase) -> None:
    asked = replace(request({}, path=case.path, host=case.host), body=case.request)
    body: Body = json.loads(case.response) if case.response.lstrip()[:1] == b"{" else {}
    attributes = values(
        sent(folded(asked, replace(answer(200, body), body=case.response)), capture_content=True).span.attributes
    )
    said = case.provider.asked(case.request, case.path)
    apart = [each for each in said.messages if each.role in ("system", "developer") and not case.provider.system_in_messages]
    assert len(said.messages) - len(apart) == len(json.loads(str(attributes["gen_ai.input.messages"])))
    assert bool(apart) == ("gen_ai.system_instructions" in attributes)
    tools = json.loads(str(attributes.get("gen_ai.tool.definitions", "[]")))
    assert [tool.name for tool in said.tools] == [tool["name"] for tool in tools]
    (message,) = json.loads(str(attributes["gen_ai.output.messages"]))
    assert len(case.provider.answer(case.response).parts) == len(message["parts"])
