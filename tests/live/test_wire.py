"""Real clients over HTTP/2, WebSockets and every content coding: the capture has what the server sent and received."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx import operators as op
from agentsight_rx.core.stream import of
from agentsight_rx.events import (
    BodyPart,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    SseMessage,
    TlsChunk,
    TlsClose,
    TlsEvent,
    WebSocketMessage,
    time_of,
)
from agentsight_rx.graphs import TraceOptions, trace
from agentsight_rx.runtime.run import Summary
from agentsight_rx.sources import PlainHttpOptions, Target, TlsOptions
from agentsight_rx.view import CallRow, TokenRow
from tests.live.capture import PATIENCE_S, PROGRAM, Kept, running, started, tracing
from tests.live.peers import (
    WIRE_CLIENTS,
    Client,
    Message,
    WireExchange,
    WirePeer,
    client_named,
    read_calls,
    read_messages,
    wire_server,
)

pytestmark = pytest.mark.live

CALLS = 7  # one in each coding
SIZE = 100_003  # more than an HTTP/2 window
_SOCKETS = [client for client in WIRE_CLIENTS if client.name.startswith("socket-")]
_HTTP = [client for client in WIRE_CLIENTS if client not in _SOCKETS]
_DIALECTS = {
    "anthropic": "/v1/messages",
    "openai": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "gemini": "/v1",  # …/models/demo:generateContent, after all others
}


@dataclass(frozen=True)
class _Seen:
    """One run of a client: the events of the product's graph, and the logs of client and server."""

    kept: Kept
    summary: Summary
    peer: WirePeer
    log: Path

    def chunks(self) -> list[TlsEvent]:
        return self.kept.of(TlsChunk, TlsClose)

    def parsed(self) -> list[HttpEvent]:
        """The raw records, parsed up to the decoding of bodies, so that streams are still in parts."""
        out: list[HttpEvent] = []
        of(self.chunks(), time_of=time_of).pipe(op.parse_http(), op.decode_content()).subscribe(out.append)
        return out

    def calls(self) -> list[WireExchange]:
        return [exchange for exchange in self.peer.exchanges() if exchange.path.startswith("/v1")]


def _run(client: Client, home: Path, *, plain: bool = False) -> _Seen:
    gate = home / "go"
    with wire_server(home, *(["--plain"] if plain else [])) as peer:
        command = client.command(peer, CALLS, SIZE)
        with started(command, _held(client, peer, home)) as process:
            options = TraceOptions(
                tls=None if plain else TlsOptions(Target(process.pid), candidates=(command[0],)),
                plain_http=PlainHttpOptions(Target(process.pid)) if plain else None,
                raw=True,
                remove_auth=False,
            )
            with running(trace(options)) as (run, kept):
                gate.touch()
                assert process.wait(PATIENCE_S) == 0
                summary = run.stop()
    return _Seen(kept, summary, peer, home / "calls.jsonl")


@pytest.mark.parametrize("plain", [False, True], ids=["tls", "plain"])
@pytest.mark.parametrize("client", _HTTP, ids=lambda client: client.name)
def test_every_byte_of_http_is_seen_decoded(client: Client, plain: bool, tmp_path: Path) -> None:
    seen = _run(client, tmp_path, plain=plain)
    # The mcp SDK asks for a stream of the server's own and closes without reading the body of the refusal.
    exchanges = [exchange for exchange in seen.peer.exchanges() if exchange.method != "GET"]
    calls = read_calls(seen.log)

    assert seen.summary.complete, seen.summary.ledger.entries()
    ours = [exchange for exchange in _exchanges(seen.parsed()) if exchange.method != "GET"]
    assert Counter(map(_as_served, exchanges)) == Counter(ours)
    assert Counter((call.request, call.response) for call in calls) == Counter(
        (one.request, one.response) for one in ours if one.method == "POST"
    )
    _check_protocol(client, exchanges, seen.kept)
    _check_streams(exchanges, seen.kept.of(SseMessage))
    _check_calls(seen.calls(), seen)


@pytest.mark.parametrize("plain", [False, True], ids=["tls", "plain"])
@pytest.mark.parametrize("client", _SOCKETS, ids=lambda client: client.name)
def test_every_message_of_a_websocket_is_seen(client: Client, plain: bool, tmp_path: Path) -> None:
    seen = _run(client, tmp_path, plain=plain)
    served, heard = seen.peer.messages(), read_messages(seen.log)
    # As they are before `merge_websocket`, which turns those on /v1/responses into calls
    ours = [event for event in seen.parsed() if isinstance(event, WebSocketMessage)]

    assert seen.summary.complete, seen.summary.ledger.entries()
    assert all(message.complete and not (message.lost or message.missed) for message in ours)
    for path in {message.websocket for message in served}:
        for way in ("in", "out"):
            said = [one for one in ours if (one.target, one.origin.direction) == (path, way)]
            assert _of_server(served, path, way, "text", "binary") == [_said(one) for one in said if one.kind in _CONTENT]
            assert _of_server(heard, path, way, "text", "binary") == [_said(one) for one in said if one.kind in _CONTENT]
            assert _of_server(served, path, way, "ping", "pong", "close") == [
                _said(one) for one in said if one.kind not in _CONTENT
            ]
            assert sum(one.size for one in said) == sum(
                len(socket.in_hex if way == "in" else socket.out_hex) // 2
                for socket in seen.peer.sockets()
                if socket.websocket_wire == path
            )
    upgrades = {request.exchange for request in seen.kept.of(HttpRequest) if request.method == "GET"}
    assert {message.upgrade for message in ours} == upgrades
    asked = [message.data for message in served if (message.websocket, message.kind) == ("/v1/responses", "text")]
    _check_socket_calls([data for data in asked if b'"response.create"' in data[:40]], seen)


_CONTENT = ("text", "binary")


@dataclass(frozen=True)
class _Exchange:
    protocol: str
    stream: int
    method: str
    target: str
    request: bytes
    status: int
    coding: str
    response: bytes
    trailers: tuple[tuple[str, str], ...]
    complete: bool


def _as_served(one: WireExchange) -> _Exchange:
    return _Exchange(
        "HTTP/2" if one.protocol == "h2" else "HTTP/1.1",
        one.stream,
        one.method,
        one.path,
        one.request,
        one.status,
        one.coding,
        one.response,
        tuple(one.trailers.items()),
        one.complete,
    )


def _exchanges(events: Iterable[HttpEvent]) -> list[_Exchange]:
    requests: dict[tuple[Any, int], HttpRequest] = {}
    heads: dict[tuple[Any, int], HttpResponse] = {}
    parts: dict[tuple[Any, int], list[BodyPart]] = {}
    for event in events:
        match event:
            case HttpRequest():
                assert event.complete
                assert not event.body_lost
                requests[event.origin.connection, event.exchange] = event
            case HttpResponse(status=status) if status >= 200:
                heads[event.origin.connection, event.exchange] = event
            case BodyPart():
                parts.setdefault((event.origin.connection, event.exchange), []).append(event)
            case _:
                assert not isinstance(event, TlsChunk), "a record that is no HTTP"
    assert requests.keys() == heads.keys()
    assert parts.keys() == {key for key, head in heads.items() if head.streaming}
    return [_exchange(request, heads[key], parts.get(key, [])) for key, request in requests.items()]


def _exchange(request: HttpRequest, head: HttpResponse, parts: Sequence[BodyPart]) -> _Exchange:
    assert (head.method, head.target, head.version) == (request.method, request.target, request.version)
    assert head.stream == request.stream
    assert [part.last for part in parts[:-1]] == [False] * len(parts[:-1])
    assert not any(part.encoding or part.lost for part in parts)
    return _Exchange(
        request.version,
        request.stream,
        request.method,
        request.target,
        request.body,
        head.status,
        head.encoding,
        head.body + b"".join(part.data for part in parts),
        head.trailers,
        parts[-1].last if parts else head.complete,
    )


def _check_protocol(client: Client, exchanges: Sequence[WireExchange], kept: Kept) -> None:
    """Check that the client spoke the protocol it stands for and that the events say so."""
    version = "HTTP/2" if client.name.endswith("-h2") else "HTTP/1.1"
    requests = kept.of(HttpRequest)
    responses = [response for response in kept.of(HttpResponse) if response.method != "GET"]
    assert {message.version for message in (*requests, *responses)} == {version}
    assert all(message.headers_complete for message in (*requests, *responses))
    codings = {exchange.coding for exchange in exchanges}
    assert {"gzip", "br", "deflate", "gzip, br", ""} <= codings
    assert "zstd" in codings or client.name.startswith("node-")  # node has it from 22.15 on
    assert Counter(response.encoding for response in responses) == Counter(exchange.coding for exchange in exchanges)
    assert not [response for response in responses if dict(response.headers).get("content-encoding")]


def _check_streams(exchanges: Sequence[WireExchange], messages: Sequence[SseMessage]) -> None:
    assert all(message.complete and not message.events_lost and not message.revision for message in messages)
    streams = [_events_of(exchange) for exchange in exchanges]
    assert Counter(events for events in streams if events) == Counter(
        tuple((each.event, each.data) for each in message.events) for message in messages
    )


def _events_of(exchange: WireExchange) -> tuple[tuple[str, str], ...]:
    """(type, data) of each event of a streamed answer; () for a plain one."""
    kind, text = exchange.response_headers.get("content-type", ""), exchange.response.decode().replace("\r\n", "\n")
    if kind.startswith("text/event-stream"):
        fields = [dict(line.split(": ", 1) for line in block.split("\n")) for block in text.split("\n\n")[:-1]]
        return tuple((field.get("event", "message"), field["data"]) for field in fields)
    if ":streamGenerateContent" in exchange.path:
        return tuple(("message", json.dumps(value, ensure_ascii=False, separators=(",", ":"))) for value in json.loads(text))
    return ()


def _check_calls(calls: Sequence[WireExchange], seen: _Seen) -> None:
    rows = _rows(seen)
    assert [(row.status, row.complete, row.status_code) for row in rows] == [("complete", True, 200)] * len(calls)
    assert Counter((row.path, row.call_kind) for row in rows) == Counter((call.path, _dialect(call.path)) for call in calls)
    assert len({row.response_id for row in rows}) == len(calls)
    with_usage = [call for call in calls if b'"usage":{' in call.response or b'"usageMetadata":{' in call.response]
    _check_tokens([(len(call.request), _dialect(call.path)) for call in with_usage], seen)


def _check_socket_calls(asked: Sequence[bytes], seen: _Seen) -> None:
    assert len(asked) == CALLS
    assert [(row.status, row.path, row.call_kind) for row in _rows(seen)] == [
        ("complete", "/v1/responses", "openai_responses")
    ] * CALLS
    _check_tokens([(len(data), "openai_responses") for data in asked], seen)


def _rows(seen: _Seen) -> list[CallRow]:
    last = seen.kept.rows(CallRow)
    assert seen.summary.tally.totals.calls == len(last)
    return last


def _check_tokens(asked: Iterable[tuple[int, str]], seen: _Seen) -> None:
    """The fake model counts a token for 4 bytes of the request, some of them read from or written to a cache."""
    rows = seen.kept.rows(TokenRow)
    expected = Counter(
        (size // 4, size // 16, size // 32) if dialect == "anthropic" else (size // 4 - size // 32, 0, size // 32)
        for size, dialect in asked
    )
    assert Counter((row.input_tokens, row.cache_creation_tokens, row.cache_read_tokens) for row in rows) == expected
    assert all(row.output_tokens > 0 for row in rows)


def _dialect(path: str) -> str:
    return next(dialect for dialect, begin in _DIALECTS.items() if path.startswith(begin))


def _of_server(messages: Sequence[Message], path: str, way: str, *kinds: str) -> list[tuple[str, bytes]]:
    return [
        (message.kind, message.data)
        for message in messages
        if (message.websocket, message.direction) == (path, way) and message.kind in kinds
    ]


def _said(message: WebSocketMessage) -> tuple[str, bytes]:
    code = message.code.to_bytes(2, "big") if message.kind == "close" else b""
    return message.kind, code + message.data


# -- recordings ------------------------------------------------------------------------------------------------------------

# Ports and labels: each run has its own key; raw records of HTTP/1.1 have stars where HTTP/2 has a Huffman code
_NOT_SAID = re.compile(r"(?<=127\.0\.0\.1:)\d+|(?:Bearer )?\[redacted:[a-z-]+:[0-9a-f]{8}\]")
# Times and addresses; and the HTTP version and codings, in which the recordings differ
_MASKED = {
    "local_port", "port", "local", "peer", "since_ns",
    "connection_id", "process_start_ns", "transport_handle", "tid", "timestamp_ns", "time_unix_ns", "end_timestamp_ns",
    "start_time", "end_time", "duration_ns", "duration_ms", "end_ns", "first_chunk_ns",
    "first_line", "protocol", "stream_id", "original_source", "header_list", "is_chunked", "content_length", "total_size",
    "wire_size", "size", "decompressed", "original_content_encoding", "decompressed_body_size", "in_offset", "out_offset",
}  # fmt: skip
_MASKED_FIELDS = {
    "date", "connection", "transfer-encoding", "content-length", "vary", "accept-encoding", "x-want-coding",
    ":method", ":authority", ":scheme", ":path", ":status",
}  # fmt: skip


def test_recordings_of_the_same_calls_replay_to_the_same_lines(tmp_path: Path) -> None:
    clients = {
        "plain": client_named("anthropic"),
        "coded": client_named("anthropic", WIRE_CLIENTS),
        "h2": client_named("anthropic-h2", WIRE_CLIENTS),
    }
    recordings = {name: _record(client, tmp_path / name) for name, client in clients.items()}
    lines = {name: _replay(recording) for name, recording in recordings.items()}

    said = {name: [_masked(line) for line in printed if _is_said(line)] for name, printed in lines.items()}
    assert said["coded"] == said["plain"]
    assert said["h2"] == said["plain"]
    messages = {name: [line["data"] for line in printed if "protocol" in line["data"]] for name, printed in lines.items()}
    assert {name: {data["protocol"] for data in each} for name, each in messages.items()} == {
        "plain": {"HTTP/1.1"},
        "coded": {"HTTP/1.1"},
        "h2": {"HTTP/2"},
    }
    codings = {name: {data.get("original_content_encoding", "") for data in each} for name, each in messages.items()}
    assert codings["plain"] == {""}
    assert codings["coded"] == codings["h2"] >= {"gzip", "br", "zstd"}
    kinds = Counter(line["source"] for line in lines["plain"])
    assert (kinds["http_parser"], kinds["sse_processor"]) == (2 * CALLS, CALLS // 2)


def _record(client: Client, home: Path) -> Path:
    """The raw records of a client's calls, written by the program."""
    home.mkdir()
    gate, path = home / "go", home / "raw.jsonl"
    with wire_server(home) as peer, started(client.command(peer, CALLS, 3001), _held(client, peer, home)) as watched:
        words = ["trace", "--ssl", "--no-ssl-http", "-p", str(watched.pid), "-q", "--jsonl", str(path)]
        with tracing(*words) as (tracer, _):
            gate.touch()
            assert watched.wait(PATIENCE_S) == 0
            _, err = tracer.communicate(timeout=PATIENCE_S)
    assert tracer.returncode == 0
    assert "nothing is missing" in err
    assert {json.loads(line)["source"] for line in path.read_bytes().splitlines()} <= {"ssl", "diagnostic"}
    return path


def _held(client: Client, peer: WirePeer, home: Path) -> dict[str, str]:
    return client.env(peer, home) | {"WAIT_FOR": str(home / "go")}


def _replay(recording: Path) -> list[Any]:
    done = subprocess.run([*PROGRAM, "replay", str(recording)], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert f"{CALLS:,} calls · " in done.stderr
    assert "nothing is missing" in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _is_said(line: Any) -> bool:
    """False of what depends on how it was sent: how many bytes a connection carried, what is reported of the run."""
    return bool(line["source"] != "diagnostic" and line["data"]["event_type"] != "tcp_traffic")


def _masked(line: Any) -> Any:
    """A printed line without times, ports, ids of processes and connections, and fields about the transport."""
    data = {name: value for name, value in line["data"].items() if name not in _MASKED}
    if "headers" in data:
        data["headers"] = {
            name: value
            for name, value in data["headers"].items()
            if name not in _MASKED_FIELDS and not name.startswith(("x-stainless-", "user-agent"))
        }
    return json.loads(_NOT_SAID.sub("0", json.dumps({"source": line["source"], "comm": line["comm"], "data": data})))
