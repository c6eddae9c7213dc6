"""
Strategies for our events: conversations of several connections, cut and damaged on their way; processes; losses.

Longer than 300 lines because the input of each operator is built from parts of the input of the operator before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Literal, TypeAlias, TypeVar

from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from agentsight_rx.events import (
    BodyPart,
    Channel,
    Connection,
    Direction,
    Event,
    FileEvent,
    Headers,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Loss,
    NetEvent,
    Origin,
    ProcessEvent,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    Readline,
    Reply,
    RpcMessage,
    SseEvent,
    SseMessage,
    StdioChunk,
    StdioClose,
    StdioEvent,
    SystemSample,
    TlsChunk,
    TlsClose,
    TlsEvent,
    TlsHandshake,
    ToolCall,
    Usage,
    WebSocketKind,
    WebSocketMessage,
)
from agentsight_rx.events.loss import Reason
from agentsight_rx.runtime.testing.operators.driven import START_NS
from property_tests import http2_strategies, websocket_strategies
from property_tests.aws_frames import chunk, failure, frame
from property_tests.cuts import batches_of, pieces_of

__all__ = [
    "START_NS",
    "batches_of",
    "connections",
    "exchanges",
    "http_events",
    "losses",
    "model_events",
    "origins",
    "pieces_of",
    "process_events",
    "rpc_events",
    "socket_events",
    "sse_bodies",
    "stdio_events",
    "streamed_events",
    "tls_events",
]

E = TypeVar("E")

MS = 1_000_000

Fate: TypeAlias = Literal["seen", "lost", "truncated"]
Segment: TypeAlias = tuple[Direction, bytes]  # bytes of one side until the other one answers

connections = st.builds(Connection, st.integers(1, 3), st.just(7), st.just("/usr/lib/libssl.so.3"), st.integers(1, 3))

# Mostly less than a time step, sometimes more, rarely a silence that makes steps coarse or lets a stream time out
_waits_ms = st.sampled_from([0, 1, 7, 0, 1, 7, 0, 1, 7, 21, 45, 130, 1_450, 31_000])
_mostly = st.sampled_from([True, True, True, True, False])


@st.composite
def origins(draw: st.DrawFn, time_ns: int = START_NS) -> Origin:
    connection = draw(st.none() | connections)
    pid = connection.pid if connection else draw(st.integers(1, 3))
    direction: Direction | None = draw(st.sampled_from(["in", "out"])) if connection else None
    return Origin(time_ns, pid, pid, 1000, draw(st.sampled_from(["claude", "node", ""])), 0, connection, direction)


def losses(origin: Origin) -> st.SearchStrategy[Loss]:
    """Loss that a source reports."""
    return st.builds(
        Loss,
        st.just(origin),
        st.sampled_from(["tls", "process", "inbox"]),
        st.sampled_from([Reason.KERNEL_LOST, Reason.QUEUE_FULL, Reason.TRUNCATED]),
        st.integers(1, 3),
        st.integers(0, 100),
    )


def _in_order(timed: list[tuple[int, E]]) -> list[E]:
    return [event for _, event in sorted(timed, key=lambda pair: pair[0])]


# -- HTTP/1.1 on the wire ----------------------------------------------------------------------------------------------

_HOSTS = ["api.anthropic.com", "api.openai.com", "localhost:8080"]
_TARGETS = ["/", "/v1/messages", "/v1/chat/completions", "/v1/messages?beta=true&api_key=geheim", "/files/a%20b"]
_MORE_HEADERS = ["Accept: */*", "Authorization: Bearer geheim", "X-Api-Key: geheim", "Cookie: a=b", "Server: nginx"]
_bodies = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"0\r\n\r\n", b'{"model":"m","messages":[]}']),
)

_ANTHROPIC = [
    '{"type":"message_start","message":{"id":"msg_1","model":"claude","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}',
    '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
    '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Grüße"}}',
    '{"type":"ping"}',
    '{"type":"content_block_stop","index":0}',
    '{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t1","name":"Bash","input":{}}}',
    '{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\\"command\\":\\"ls -l\\"}"}}',
    '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}',
    '{"type":"message_stop"}',
]
_OPENAI = [
    '{"id":"c1","object":"chat.completion.chunk","model":"gpt","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}',
    '{"id":"c1","object":"chat.completion.chunk","model":"gpt","choices":[{"index":0,"delta":{"content":"Hallo"}}]}',
    '{"id":"c1","object":"chat.completion.chunk","model":"gpt","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
    '{"id":"c1","object":"chat.completion.chunk","model":"gpt","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}',
    "[DONE]",
]


@st.composite
def sse_bodies(draw: st.DrawFn) -> bytes:
    """An event stream of a known or unknown provider, complete or broken off."""
    dialect = draw(st.sampled_from(["anthropic", "openai", "unknown"]))
    end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    datas = {"anthropic": _ANTHROPIC, "openai": _OPENAI, "unknown": ["eins", "zwei\ndrei", ""]}[dialect]
    left_out = draw(st.sets(st.integers(1, len(datas)), max_size=3))
    lines: list[str] = []
    for index, data in enumerate(datas):
        if index in left_out:
            continue
        if dialect == "anthropic":
            lines.append(f"event: {data.split(':')[1].partition(',')[0].strip(chr(34) + '}')}")
        lines += [f"data: {line}" for line in data.split("\n")]
        lines.append("")
    body = "".join(line + end for line in lines).encode()
    return body if draw(_mostly) else body[: draw(st.integers(0, len(body)))]


def _head(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


@st.composite
def _chunked(draw: st.DrawFn, body: bytes) -> bytes:
    extension = draw(st.sampled_from([b"", b"", b";name=value"]))
    trailer = draw(st.sampled_from([b"", b"", b"Digest: x\r\n"]))
    parts = draw(pieces_of(body))
    return b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts) + b"0\r\n" + trailer + b"\r\n"


@st.composite
def _message(draw: st.DrawFn, first: str, headers: list[str], body: bytes) -> bytes:
    """A head and a body in one of the two framings that define where the body ends."""
    if draw(st.booleans()):
        return _head(first, *headers, "Transfer-Encoding: chunked") + draw(_chunked(body))
    return _head(first, *headers, f"Content-Length: {len(body)}") + body


@st.composite
def _request(draw: st.DrawFn, method: str) -> bytes:
    headers = [f"Host: {draw(st.sampled_from(_HOSTS))}", *draw(st.lists(st.sampled_from(_MORE_HEADERS), max_size=2))]
    first = f"{method} {draw(st.sampled_from(_TARGETS))} HTTP/1.1"
    return draw(_message(first, headers, draw(_bodies))) if method == "POST" else _head(first, *headers)


@st.composite
def _response(draw: st.DrawFn, method: str, kind: str) -> bytes:
    if method == "HEAD":
        return _head("HTTP/1.1 200 OK", "Content-Length: 1000")
    if kind == "empty":
        return _head(draw(st.sampled_from(["HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified"])))
    if kind == "continue":
        return _head("HTTP/1.1 100 Continue") + draw(_message("HTTP/1.1 201 Created", [], draw(_bodies)))
    if kind == "until close":
        return _head("HTTP/1.1 200 OK", "Content-Type: text/event-stream") + draw(sse_bodies())
    if kind == "event stream":
        return draw(_message("HTTP/1.1 200 OK", ["Content-Type: text/event-stream; charset=utf-8"], draw(sse_bodies())))
    first = draw(st.sampled_from(["HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found", "HTTP/1.0 500"]))
    return draw(_message(first, draw(st.lists(st.sampled_from(_MORE_HEADERS), max_size=2)), draw(_bodies)))


_empty_lines = st.sampled_from([b"", b"", b"", b"\r\n"])  # RFC 9112 2.2 allows them before a request
_junk = st.sampled_from([b"", b"", b"", b"\r\n", b"HTTP/1.1 2", b"\x00"])


@st.composite
def exchanges(draw: st.DrawFn) -> list[Segment]:
    """Valid HTTP/1.1: up to three requests and their responses, in order; at the end perhaps extra bytes."""
    said: list[Segment] = []
    for _ in range(draw(st.integers(1, 3))):
        method = draw(st.sampled_from(["POST", "POST", "GET", "HEAD"]))
        kind = draw(st.sampled_from(["plain", "event stream", "event stream", "empty", "continue", "until close"]))
        said.append(("out", draw(_empty_lines) + draw(_request(method))))
        said.append(("in", draw(_response(method, kind))))
        if kind == "until close" and method != "HEAD":
            return said
    return [*said, ("out", draw(_empty_lines)), ("in", draw(_junk))]


_directions: st.SearchStrategy[Direction] = st.sampled_from(["in", "out"])
_UPGRADED: list[Segment] = [
    ("out", _head("GET /chat HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket")),
    ("in", _head("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket")),
]


@st.composite
def _foreign(draw: st.DrawFn) -> list[Segment]:
    """Bytes that are not HTTP/1.1, from the beginning or from some point on."""
    said = st.tuples(_directions, st.binary(min_size=1, max_size=12))
    beginnings: list[list[Segment]] = [[], _UPGRADED, [("out", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")], [("in", b"\x16\x03\x01")]]
    return draw(st.sampled_from(beginnings)) + draw(st.lists(said, max_size=4))


@st.composite
def _two(draw: st.DrawFn) -> list[Segment]:
    """HTTP/2: several streams at once."""
    return draw(http2_strategies.conversations(most=2)).segments


@st.composite
def _upgraded(draw: st.DrawFn) -> list[Segment]:
    """A WebSocket from its handshake on, plain or compressed."""
    talk = draw(websocket_strategies.conversations(most=2))
    accepted = [f"Sec-WebSocket-Extensions: {talk.extensions}"] if talk.extensions else []
    target = draw(st.sampled_from(["/v1/responses", "/chat"]))
    asked = _head(f"GET {target} HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket")
    answered = _head("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", *accepted)
    server: Direction = "in" if talk.client == "out" else "out"
    return [(talk.client, asked), (server, answered), *talk.records]


# -- what the probe sees of it -----------------------------------------------------------------------------------------


class _Record(Struct, frozen=True):
    """One TLS record of one life of a connection, and its fate."""

    connection: Connection
    direction: Direction
    data: bytes
    offset: int
    seq: int
    wait_ms: int
    fate: Fate


_all_seen: st.SearchStrategy[Fate] = st.just("seen")
_some_lost: st.SearchStrategy[Fate] = st.sampled_from(["seen", "seen", "seen", "seen", "lost", "truncated"])


@st.composite
def _life(draw: st.DrawFn, connection: Connection) -> list[_Record | TlsClose]:
    """One connection from its first byte to its end, if that is seen."""
    said = draw(draw(st.sampled_from([exchanges(), exchanges(), _two(), _upgraded(), _foreign()])))
    fates = draw(st.sampled_from([_all_seen, _some_lost]))
    offsets, seqs = {"in": 0, "out": 0}, {"in": 0, "out": 0}
    records: list[_Record | TlsClose] = []
    for direction, words in said:
        for data in draw(pieces_of(words)):
            wait_ms, fate = draw(_waits_ms), draw(fates)
            records.append(_Record(connection, direction, data, offsets[direction], seqs[direction], wait_ms, fate))
            offsets[direction] += len(data)
            seqs[direction] += 1
    origin = Origin(0, connection.pid, connection=connection)
    end = draw(st.sampled_from(["orderly", "orderly", "killed", "unseen"]))
    if end == "orderly":
        records.append(TlsClose(origin, offsets["in"], offsets["out"]))
    elif end == "killed":
        records.append(TlsClose(origin))
    return records


@st.composite
def tls_events(draw: st.DrawFn) -> list[TlsEvent]:
    """Events of a TLS source: several connections at once, some reused after their end, some records out of order."""
    timed: list[tuple[int, TlsEvent]] = []
    for connection in draw(st.lists(connections, max_size=3, unique=True)):
        time_ns = START_NS + draw(_waits_ms) * MS
        if draw(st.booleans()):
            timed.append((time_ns, TlsHandshake(Origin(time_ns, connection.pid, connection=connection))))
        lives = [record for _ in range(draw(st.sampled_from([1, 1, 2]))) for record in draw(_life(connection))]
        for record in lives:
            wait_ms = 1 if isinstance(record, TlsClose) else record.wait_ms
            time_ns += wait_ms * MS
            timed += [(time_ns, event) for event in draw(_seen(record, time_ns))]
    events = _in_order(timed)
    for place in draw(st.lists(st.integers(0, len(events)), max_size=2)):
        time_ns = events[place].origin.time_ns if place < len(events) else START_NS
        events.insert(place, draw(losses(Origin(time_ns, 0))))
    for place in draw(st.sets(st.integers(0, 30), max_size=2)) if events else ():
        events[place % len(events)] = _earlier(events[place % len(events)])
    return events


@st.composite
def _seen(draw: st.DrawFn, record: _Record | TlsClose, time_ns: int) -> list[TlsEvent]:
    if isinstance(record, TlsClose):
        return [replace(record, origin=replace(record.origin, time_ns=time_ns))]
    if record.fate == "lost":
        return []
    pid = record.connection.pid
    origin = Origin(time_ns, pid, pid + 1, 1000, "claude", 0, record.connection, record.direction)
    kept = draw(st.integers(0, len(record.data))) if record.fate == "truncated" else len(record.data)
    marked = draw(st.sampled_from([False, False, False, True]))
    return [TlsChunk(origin, record.data[:kept], record.offset, record.seq, len(record.data) - kept, 10, marked)]


@st.composite
def streamed_records(draw: st.DrawFn) -> list[TlsEvent]:
    """
    1 to 64 connections at once, each with streamed answers of which nearly every record is one whole chunk; now and then one is
    lost, cut, empty, of another kind, or another connection begins with the same address.
    """
    random = draw(st.randoms(use_true_random=False))
    flows = [_answers(random, number) for number in range(draw(st.sampled_from([1, 1, 2, 8, 64])))]
    events: list[TlsEvent] = []
    while flows:
        flow = random.choice(flows)
        for _ in range(random.choice([1, 1, 3, 9])):
            event = next(flow, None)
            if event is None:
                flows.remove(flow)
                break
            time_ns = START_NS + len(events) * random.choice([0, MS // 4, MS])
            time_ns = max(time_ns, events[-1].origin.time_ns if events else 0)
            events.append(replace(event, origin=replace(event.origin, time_ns=time_ns)))
    return events


def _answers(random: Random, number: int) -> Iterator[TlsEvent]:
    connection = Connection(300 + number // 3, 1, "/usr/lib/libssl.so", 0x1000 + number)
    origin = Origin(0, connection.pid, connection.pid, 1000, "claude", 0, connection)
    ends = {"in": 0, "out": 0}
    seqs = {"in": 0, "out": 0}

    def record(direction: Direction, data: bytes, lost: int = 0) -> TlsChunk:
        made = TlsChunk(replace(origin, direction=direction), data, ends[direction], seqs[direction], lost)
        ends[direction] += len(data) + lost
        seqs[direction] += 1
        return made

    for _ in range(random.choice([1, 1, 2])):
        yield record("out", b"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nContent-Length: 0\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        begun = _whole_chunk(b"data: {}\n\n") if random.random() < 0.3 else b""
        yield record("in", head + begun)
        for text in random.choices(["", "a", "naïve", "x" * 40], k=random.choice([0, 3, 12])):
            said = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
            data = _whole_chunk(b"event: content_block_delta\ndata: %b\n\n" % json.dumps(said).encode())
            fate = random.random()
            if fate < 0.02:
                ends["in"] += len(data)  # lost
            elif fate < 0.04:
                yield record("in", data[:-5], lost=5)
            elif fate < 0.08:
                yield record("in", data[:9])
                yield record("in", data[9:])
            elif fate < 0.1:
                yield record("in", b"")
            elif fate < 0.12:
                yield record("in", data + data)
            else:
                yield record("in", data)
            if fate > 0.98:
                yield record("out", b"?")
        yield record("in", b"0\r\n\r\n")
    if random.random() < 0.5:
        yield TlsClose(origin, ends["in"], ends["out"])


def _whole_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _earlier(event: TlsEvent) -> TlsEvent:
    """The same event with a time some time before its arrival."""
    return replace(event, origin=replace(event.origin, time_ns=event.origin.time_ns - 30 * MS))


# -- parsed HTTP -------------------------------------------------------------------------------------------------------

_headers: st.SearchStrategy[Headers] = st.lists(
    st.sampled_from([("host", "api.openai.com"), ("authorization", "geheim"), ("server", "nginx"), ("x-api-key", "geheim")]),
    max_size=3,
).map(tuple[tuple[str, str], ...])
_targets = st.sampled_from(_TARGETS)
_http_1 = st.just("HTTP/1.1")
_raw = st.sampled_from([b"\x00\x01", b"Authorization: Bearer geheim\r\n", b"cookie: a"])


def _http_event(origin: Origin) -> st.SearchStrategy[HttpEvent]:
    at, exchange = st.just(origin), st.integers(0, 3)
    methods, statuses, said = (
        st.sampled_from(["GET", "POST"]),
        st.sampled_from([200, 404]),
        st.just((SseEvent("message", "a"),)),
    )
    return st.one_of(
        st.builds(HttpRequest, at, exchange, methods, _targets, _http_1, _headers, _bodies),
        st.builds(HttpResponse, at, exchange, statuses, st.just(""), _http_1, _headers, _bodies, target=_targets),
        st.builds(BodyPart, at, exchange, _bodies, st.booleans()),
        st.builds(SseMessage, at, exchange, st.just(""), st.just(Reply()), said, st.just(origin.time_ns), target=_targets),
        st.builds(TlsChunk, at, _raw, st.just(0), st.just(0), marked=st.booleans()),
        st.builds(TlsClose, at),
        losses(origin),
    )


@st.composite
def http_events(draw: st.DrawFn) -> list[HttpEvent]:
    """Unrelated messages, parts and raw records: the input of filters and maps."""
    events: list[HttpEvent] = []
    time_ns = START_NS
    for wait_ms in draw(st.lists(_waits_ms, max_size=12)):
        time_ns += wait_ms * MS
        events.append(draw(_http_event(draw(origins(time_ns)))))
    return events


_FRAMES = [frame(b""), chunk('{"type":"message_stop"}'), failure("xException", "no"), chunk("{}")[:-1], bytes(20)]
_LINES = [b'{"message":{"content":"a"}}\n', b'{"done":true}\n', b"no json\n", b'{"a":']


def _stream_bodies() -> st.SearchStrategy[tuple[str, bytes]]:
    """The content type of a stream, and its body."""
    frames, lines = st.lists(st.sampled_from(_FRAMES), max_size=5), st.lists(st.sampled_from(_LINES), max_size=5)
    return st.one_of(
        st.tuples(st.sampled_from(["", "text/event-stream"]), sse_bodies()),
        st.tuples(st.just("application/vnd.amazon.eventstream"), frames.map(b"".join)),
        st.tuples(st.just("application/x-ndjson"), lines.map(b"".join)),
    )


@st.composite
def _streamed(draw: st.DrawFn, origin: Origin, exchange: int) -> list[HttpEvent]:
    """One event stream: its head and its parts as they arrive, gaps, silence, an end or none; or a recording of it."""
    kind, body = draw(_stream_bodies())
    recorded = not draw(_mostly)
    exchange += 10 * recorded  # a recording has no parts of these
    target, host = draw(st.sampled_from([(None, None), ("/v1/messages", "api.anthropic.com"), ("/x", "localhost")]))
    headers = (("content-type", kind),) if kind else ()
    head = HttpResponse(origin, exchange, 200, "OK", "HTTP/1.1", headers, streaming=True, target=target, host=host)
    events: list[HttpEvent] = [head] if draw(_mostly) else []
    if recorded:
        return [*events, SseMessage(origin, exchange, "", Reply(), (), origin.time_ns, size=len(body))]
    time_ns = origin.time_ns
    for data in draw(pieces_of(body, most=5)):
        time_ns += draw(_waits_ms) * MS
        lost = 0 if draw(_mostly) else 5
        events.append(BodyPart(replace(origin, time_ns=time_ns), exchange, data, lost=lost, size=len(data) + 7))
    if draw(_mostly):
        reason = draw(st.sampled_from([None, None, None, "closed", "lost"]))
        time_ns += draw(_waits_ms) * MS
        events.append(BodyPart(replace(origin, time_ns=time_ns), exchange, b"", True, reason is None, reason))
    return events


@st.composite
def streamed_events(draw: st.DrawFn) -> list[HttpEvent]:
    """Event streams as the parser emits them, on some connections, with other events between."""
    timed: list[tuple[int, HttpEvent]] = []
    for connection in draw(st.lists(connections, max_size=2, unique=True)):
        time_ns = START_NS
        for exchange in draw(st.lists(st.integers(1, 2), min_size=1, max_size=2)):
            origin = Origin(time_ns, connection.pid, connection=connection, direction="in")
            for event in draw(_streamed(origin, exchange)):
                time_ns = event.origin.time_ns
                timed.append((time_ns, event))
    others = [event for event in draw(http_events()) if not isinstance(event, BodyPart | SseMessage)]
    return _in_order(timed + [(event.origin.time_ns, event) for event in others])


_CALLED = [
    ("out", '{"type":"response.create","model":"gpt-5","input":"hi"}'),
    ("in", '{"type":"response.created","response":{"id":"resp_1","model":"gpt-5"}}'),
    ("in", '{"type":"response.output_text.delta","output_index":0,"delta":"Hallo"}'),
    ("in", '{"type":"response.completed","response":{"id":"resp_1","usage":{"input_tokens":3,"output_tokens":2}}}'),
    ("in", '{"type":"error","status":429,"error":{"type":"rate_limit","message":"slow down"}}'),
    ("in", "{"),
]
_SPOKEN = [
    ("out", '{"type":"session.update","session":{"instructions":"be brief"}}'),
    ("out", '{"type":"conversation.item.create","item":{"type":"message"}}'),
    ("out", '{"type":"input_audio_buffer.append","audio":"AAAA"}'),
    ("out", '{"type":"response.create","event_id":"e","response":{"conversation":"none"}}'),
    ("out", '{"type":"response.create"}'),
    ("in", '{"type":"input_audio_buffer.committed"}'),
    ("in", '{"type":"response.created","response":{"id":"a"}}'),
    ("in", '{"type":"response.output_text.delta","response_id":"a","delta":"Hallo"}'),
    ("in", '{"type":"response.done","response":{"id":"a"}}'),
    ("in", '{"type":"response.created","response":{"id":"b"}}'),
    ("in", '{"type":"response.done","response":{"id":"b"}}'),
    ("in", '{"type":"error","error":{"event_id":"e","message":"no"}}'),
]
_LIVE = [
    ("out", '{"setup":{"model":"models/gemini"}}'),
    ("out", '{"clientContent":{"turns":[{"parts":[{"text":"hi"}]}],"turnComplete":true}}'),
    ("out", '{"realtime_input":{"media_chunks":[{"mime_type":"audio/pcm","data":"AAAA"}]}}'),
    ("out", '{"toolResponse":{"functionResponses":[{"id":"1"}]}}'),
    ("in", '{"serverContent":{"modelTurn":{"parts":[{"text":"Hallo"}]}}}'),
    ("in", '{"serverContent":{"turnComplete":true},"usageMetadata":{"totalTokenCount":3}}'),
    ("in", '{"toolCall":{"functionCalls":[{"id":"1"},{"id":"2"}]}}'),
    ("in", '{"usageMetadata":{"totalTokenCount":3}}'),
    ("in", "{"),
]
_SAID_ON = {"/v1/realtime": _SPOKEN, "/ws/v1.BidiGenerateContent": _LIVE}


@st.composite
def _socket(draw: st.DrawFn, connection: Connection) -> list[tuple[int, HttpEvent]]:
    """The messages of one WebSocket that is used to call a model, or for something else."""
    time_ns, target = START_NS, draw(st.sampled_from(["/v1/responses", "/v1/responses", *_SAID_ON, "/chat", None]))
    timed: list[tuple[int, HttpEvent]] = []
    for number in range(2, draw(st.integers(2, 9))):
        time_ns += draw(_waits_ms) * MS
        direction, text = draw(st.sampled_from(_SAID_ON.get(target or "", _CALLED)))
        origin = Origin(time_ns, connection.pid, connection=connection, direction="out" if direction == "out" else "in")
        kind: WebSocketKind = draw(st.sampled_from(["text", "text", "text", "text", "binary", "close"]))
        reason, missed = draw(st.sampled_from([(None, 0), (None, 0), (None, 7), ("lost", 0)]))
        sender: Literal["client", "server"] = "client" if direction == "out" else "server"
        message = WebSocketMessage(
            origin, number, 1, kind, text.encode(), 0, reason is None, reason, time_ns, 0, len(text) + 2, target, "h", missed,
            sender,
        )  # fmt: skip
        timed.append((time_ns, message))
    return timed


@st.composite
def socket_events(draw: st.DrawFn) -> list[HttpEvent]:
    """Messages of a few WebSockets, with other events between."""
    timed: list[tuple[int, HttpEvent]] = [(event.origin.time_ns, event) for event in draw(http_events())]
    for connection in draw(st.lists(connections, max_size=2, unique=True)):
        timed += draw(_socket(connection))
    return _in_order(timed)


# -- JSON-RPC on pipes -------------------------------------------------------------------------------------------------

_RPC = [
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}',
    b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"ls"}}',
    b'{"jsonrpc":"2.0","id":1,"result":{"serverInfo":{"name":"files","version":"1"}}}',
    b'{"jsonrpc":"2.0","id":2,"result":{"isError":true}}',
    b'{"jsonrpc":"2.0","id":2,"error":{"code":-1,"message":"no"}}',
    b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}',
    b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
    b"plain text",
    b'{"jsonrpc":',
    b"",
    b"\x00\x01\x02",
]
_ENDS: list[list[Direction]] = [["in", "out"], ["in", "out"], ["in"], ["out"]]
_ways = st.sampled_from([(Channel("pipe", 1), 2, 3), (Channel("pipe", 2), 3, 2), (Channel("tty", 3), 4, 5)])


@st.composite
def _end(draw: st.DrawFn, way: tuple[Channel, int, int], direction: Direction, words: bytes) -> list[tuple[int, StdioEvent]]:
    """The events of one end of a channel."""
    channel, writer, reader = way
    time_ns, pid = START_NS, writer if direction == "out" else reader
    fates = draw(st.sampled_from([_all_seen, _some_lost]))
    timed: list[tuple[int, StdioEvent]] = []
    offset = 0
    for seq, data in enumerate(draw(pieces_of(words))):
        time_ns += draw(_waits_ms) * MS
        fate = draw(fates)
        if fate != "lost":
            kept = len(data) if fate == "seen" else draw(st.integers(0, len(data)))
            origin = Origin(time_ns, pid, pid, direction=direction)
            timed.append((time_ns, StdioChunk(origin, channel, 1, data[:kept], offset, seq, len(data) - kept)))
        offset += len(data)
    if direction == "in" and draw(st.booleans()):
        timed.append((time_ns, StdioClose(Origin(time_ns, pid), channel, offset)))
    elif not draw(_mostly):
        timed.append((time_ns, StdioClose(Origin(time_ns, pid))))
    return timed


@st.composite
def stdio_events(draw: st.DrawFn) -> list[StdioEvent]:
    """A client and a server of JSON-RPC, seen at one end of their pipes or at both; text, bytes, and losses."""
    timed: list[tuple[int, StdioEvent]] = []
    for way in draw(st.lists(_ways, max_size=3, unique=True)):
        lines = draw(st.lists(st.sampled_from(_RPC), min_size=1, max_size=4))
        words = b"\n".join(lines) + (b"\n" if draw(_mostly) else b"")
        for direction in draw(st.sampled_from(_ENDS)):
            timed += draw(_end(way, direction, words))
    if timed and not draw(_mostly):
        timed.append((START_NS, draw(losses(Origin(START_NS, 0)))))
    return _in_order(timed)


def _rpc_body(draw: st.DrawFn) -> bytes:
    return draw(st.sampled_from(_RPC))


@st.composite
def rpc_events(draw: st.DrawFn) -> list[HttpEvent]:
    """JSON-RPC over HTTP on a few connections: unrelated requests, plain and streamed answers."""
    timed: list[tuple[int, HttpEvent]] = [(event.origin.time_ns, event) for event in draw(http_events())]
    for connection in draw(st.lists(connections, max_size=2, unique=True)):
        time_ns = START_NS
        for exchange in draw(st.lists(st.integers(1, 3), max_size=6)):
            time_ns += draw(_waits_ms) * MS
            at, body = Origin(time_ns, connection.pid, connection=connection, direction="out"), _rpc_body(draw)
            answers = (SseEvent("message", body.decode()), SseEvent("message", _rpc_body(draw).decode()))
            reason = draw(st.sampled_from([None, None, "timeout", "closed"]))
            said: list[HttpEvent] = [
                HttpRequest(at, exchange, "POST", "/mcp", "HTTP/1.1", (), body, size=len(body)),
                HttpResponse(at, exchange, 200, "", "HTTP/1.1", (), body, size=len(body)),
                SseMessage(at, exchange, "mcp", Reply(), answers, time_ns, complete=reason is None, reason=reason),
            ]
            timed.append((time_ns, draw(st.sampled_from(said))))
    return _in_order(timed)


# -- processes and calls of models -------------------------------------------------------------------------------------

_COMMANDS = [("ls", "-l"), ("bash", "-c", "ls -l"), ("true",)]


_paths = st.sampled_from(["/tmp/a", "/tmp/b", ""])
_peers = st.sampled_from(["10.0.0.1", "::1"])


def _process_event(origin: Origin) -> st.SearchStrategy[ProcessEvent]:
    at, ppid, start_ns = st.just(origin), st.integers(1, 4), st.sampled_from([7, 8])
    run = st.sampled_from(_COMMANDS)
    executed = st.builds(ProcessExec, at, ppid, start_ns, run.map(lambda argv: f"/usr/bin/{argv[0]}"), run, st.just("/tmp"))
    return st.one_of(
        st.builds(ProcessFork, at, ppid, start_ns),
        executed,
        executed,
        st.builds(ProcessExit, at, ppid, start_ns, st.integers(0, 1)),
        st.builds(ProcessExit, at, ppid, start_ns, st.none(), st.just(9)),
        st.builds(FileEvent, at, start_ns, st.sampled_from(["open", "rename"]), _paths, _paths, error=st.sampled_from([0, 2])),
        st.builds(NetEvent, at, start_ns, st.sampled_from(["connect", "bind"]), st.just("ipv4"), st.just("tcp"), peer=_peers),
        st.builds(Readline, at, _paths),
        losses(origin),
    )


@st.composite
def process_events(draw: st.DrawFn) -> list[ProcessEvent]:
    """Events of a few processes; some beginnings and ends are not seen."""
    events: list[ProcessEvent] = []
    time_ns = START_NS
    for wait_ms in draw(st.lists(_waits_ms, max_size=10)):
        time_ns += wait_ms * MS
        pid = draw(st.integers(2, 5))
        events.append(draw(_process_event(Origin(time_ns, pid, pid, 1000, "bash", time_ns))))
    return events


_ASKED = b'{"model":"claude","messages":[{"role":"user","content":"list"}]}'
_TOLD = (
    b'{"model":"claude","messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"Bash","input":{}}]},'
    b'{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"total 0"}]}]}'
)
_ANSWER = b'{"id":"msg_1","type":"message","model":"claude","content":[{"type":"text","text":"a"}],"usage":{"input_tokens":1}}'


def _answer(origin: Origin, exchange: int) -> st.SearchStrategy[Event]:
    end_ns = origin.time_ns + MS
    tools = st.sampled_from([(), (ToolCall("t1", "Bash", '{"command":"ls -l"}'),)])
    replies = st.builds(Reply, model=st.just("claude"), tool_calls=tools, usage=st.sampled_from([None, Usage(3, 4)]))

    def message(reply: Reply, reason: str | None) -> SseMessage:
        host, complete = "api.anthropic.com", reason is None
        return SseMessage(origin, exchange, "anthropic", reply, (), end_ns, complete=complete, reason=reason, host=host)

    return st.one_of(
        st.builds(message, replies, st.sampled_from([None, None, "timeout", "closed"])),
        st.just(HttpResponse(origin, exchange, 200, "OK", "HTTP/1.1", (), _ANSWER, end_ns=end_ns, target="/v1?x", host="h")),
        st.builds(RpcMessage, st.just(origin), st.just(Channel("pipe", 3)), st.just("request"), st.just("tools/call")),
        st.just(SystemSample(origin, 1.5, 2, 0.1, 1 << 20, 1 << 21, 3, 4, 5, 6, 1)),
        st.just(TlsClose(origin)),
    )


@st.composite
def model_events(draw: st.DrawFn) -> list[Event]:
    """Calls to models with tools, and the processes around them."""
    timed: list[tuple[int, Event]] = [(event.origin.time_ns, event) for event in draw(process_events())]
    for connection in draw(st.lists(connections, max_size=2, unique=True)):
        time_ns = START_NS
        for exchange in range(1, draw(st.integers(1, 3)) + 1):
            time_ns += draw(_waits_ms) * MS
            origin = Origin(time_ns, connection.pid, 0, 0, "claude", time_ns, connection)
            body = draw(st.sampled_from([_ASKED, _TOLD, b"", b"\xff"]))
            head = (("host", "api.anthropic.com"),)
            if draw(_mostly):
                timed.append((time_ns, HttpRequest(origin, exchange, "POST", "/v1/messages", "HTTP/1.1", head, body)))
            if draw(_mostly):
                timed.append((time_ns, draw(_answer(origin, exchange))))
    return _in_order(timed)
