"""The fake server of every wire format and its real clients agree on every byte, and each client speaks its protocol."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import ssl
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from os import kill
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import brotli  # type: ignore[import-untyped]  # it has no types
import httpx2
import pytest
import zstandard
from h2 import events
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from agentsight_rx.wire.aws_event_stream import AwsEventStreamDecoder
from tests.live.capture import PATIENCE_S, started, until
from tests.live.peers import WIRE_CLIENTS, Message, SocketBytes, WireExchange, WirePeer, read_calls, read_messages, wire_server
from tests.live.wire_coding import CODINGS, agreed, content_encoding, decoded, encoded

pytestmark = pytest.mark.needs("curl")  # one run of all clients serves them

CALLS = 7
SIZE = 100_003  # more than an HTTP/2 window, so that each side must wait for the other's WINDOW_UPDATE
_brotli: Any = brotli
_NAMES = [client.name for client in WIRE_CLIENTS]
_AT_ONCE = ["curl-h2", "python-h2", "node-h2"]
_SOCKETS = [name for name in _NAMES if name.startswith("socket-")]
_HTTP = [name for name in _NAMES if name not in _SOCKETS]
_ASK = {"model": "demo", "max_tokens": 99, "stream": True, "messages": [{"role": "user", "content": "size=3000"}]}


@dataclass(frozen=True)
class _Ran:
    """What one client did in its turn."""

    waited: bool
    status: int
    log: Path
    exchanges: list[WireExchange]
    messages: list[Message]
    sockets: list[SocketBytes]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], _Ran]:
    """All clients wait for their turns at one server. A request of the test separates the turns."""
    homes = {client.name: tmp_path_factory.mktemp(client.name) for client in WIRE_CLIENTS}
    outcomes: dict[str, tuple[bool, int]] = {}
    with wire_server(tmp_path_factory.mktemp("server")) as peer, ExitStack() as stack:
        waiting = {
            client.name: stack.enter_context(
                started(
                    client.command(peer, CALLS, SIZE),
                    client.env(peer, homes[client.name]) | {"WAIT_FOR": str(homes[client.name] / "go")},
                )
            )
            for client in WIRE_CLIENTS
        }
        with httpx2.Client(verify=_trust(peer), headers={"connection": "close"}) as us:
            for name, process in waiting.items():
                us.head(f"{peer.base_url}/", headers={"x-next": name})
                waited = process.poll() is None
                (homes[name] / "go").touch()
                outcomes[name] = waited, process.wait(PATIENCE_S)
            us.head(f"{peer.base_url}/", headers={"x-next": "end"})
    exchanges, messages, sockets = peer.exchanges(), peer.messages(), peer.sockets()
    turns = [exchange.connection for exchange in exchanges if "x-next" in exchange.request_headers]
    spans = dict(zip(waiting, [range(turn + 1, after) for turn, after in pairwise(turns)], strict=True))

    def look_up(name: str) -> _Ran:
        return _Ran(
            *outcomes[name],
            homes[name] / "calls.jsonl",
            [exchange for exchange in exchanges if exchange.connection in spans[name]],
            [message for message in messages if message.connection in spans[name]],
            [one for one in sockets if one.connection in spans[name]],
        )

    return look_up


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WirePeer]:
    with wire_server(tmp_path_factory.mktemp("peer")) as running:
        yield running


@pytest.fixture(params=[False, True], ids=["h1", "h2"])
def us(peer: WirePeer, request: pytest.FixtureRequest) -> Iterator[httpx2.Client]:
    with httpx2.Client(verify=_trust(peer), base_url=peer.base_url, http2=request.param) as client:
        yield client


def _trust(peer: WirePeer) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(peer.ca_file))


@pytest.mark.parametrize("name", _NAMES)
def test_a_client_waits_for_its_turn_and_succeeds(name: str, ran: Callable[[str], _Ran]) -> None:
    client = ran(name)

    assert client.waited
    assert client.status == 0
    assert client.exchanges


@pytest.mark.parametrize("name", _HTTP)
def test_client_and_server_saw_the_same_bodies(name: str, ran: Callable[[str], _Ran]) -> None:
    client = ran(name)
    calls = [(call.request, call.response) for call in read_calls(client.log)]
    seen = [(exchange.request, exchange.response) for exchange in client.exchanges if exchange.method == "POST"]

    assert len(calls) == CALLS + {"python-h2": 2, "mcp": 3}.get(name, 0)  # /trailers and /reset; opening a session
    assert Counter(calls) == Counter(seen)
    assert [exchange.path for exchange in client.exchanges if not exchange.complete] == ["/reset"] * (name == "python-h2")


@pytest.mark.parametrize("name", _HTTP)
def test_a_client_speaks_its_version_of_http(name: str, ran: Callable[[str], _Ran]) -> None:
    exchanges = ran(name).exchanges

    assert {exchange.protocol for exchange in exchanges} == {"h2" if name.endswith("-h2") else "http/1.1"}
    if name.endswith("-h2"):
        assert len({exchange.connection for exchange in exchanges}) == 1
        assert sorted(exchange.stream for exchange in exchanges) == list(range(1, 2 * len(exchanges), 2))


@pytest.mark.parametrize("name", _HTTP)
def test_answers_are_coded_as_the_client_asks_and_takes(name: str, ran: Callable[[str], _Ran]) -> None:
    posts = [exchange for exchange in ran(name).exchanges if exchange.method == "POST" and exchange.response]

    for exchange in posts:
        asked, accepted = exchange.request_headers["x-want-coding"], exchange.request_headers["accept-encoding"]
        assert exchange.coding == content_encoding(agreed(asked, accepted))
        assert exchange.response_headers.get("content-encoding", "") == exchange.coding
        if exchange.complete:
            assert _plain(exchange.coded, exchange.coding) == exchange.response
    used = {exchange.coding for exchange in posts}
    assert used >= {"gzip", "br", "deflate", "gzip, br", ""}
    assert "zstd" in used or name not in ("curl-h2", "python-h2")  # other clients have it in some versions only


@pytest.mark.parametrize("name", _AT_ONCE)
def test_streams_interleave(name: str, ran: Callable[[str], _Ran]) -> None:
    spans = sorted(exchange.frames for exchange in ran(name).exchanges)

    assert any(begin < end_before for (_, end_before), (begin, _) in pairwise(spans))


def test_one_stream_ends_with_trailers_and_one_is_reset(ran: Callable[[str], _Ran]) -> None:
    client = ran("python-h2")
    calls: dict[str, Any] = {call["path"]: call for call in map(json.loads, client.log.read_bytes().splitlines())}
    seen = {exchange.path: exchange for exchange in client.exchanges}

    assert calls["/trailers"]["trailers"] == seen["/trailers"].trailers != {}
    assert (calls["/trailers"]["reset"], calls["/reset"]["reset"]) == (False, True)
    assert 0 < len(seen["/reset"].response) < len(seen["/trailers"].response)


def test_mcp_results_come_as_events_and_as_json(ran: Callable[[str], _Ran]) -> None:
    posts = [exchange for exchange in ran("mcp").exchanges if exchange.method == "POST"]
    asked: list[Any] = [json.loads(exchange.request) for exchange in posts]

    assert [message["method"] for message in asked[:3]] == ["initialize", "notifications/initialized", "tools/list"]
    assert [message["method"] for message in asked[3:]] == ["tools/call"] * CALLS
    assert {exchange.response_headers.get("content-type") for exchange in posts[3:]} == {
        "text/event-stream",
        "application/json",
    }
    assert all(exchange.request_headers.get("mcp-session-id") == "fake-session" for exchange in posts[1:])


@pytest.mark.parametrize("name", _SOCKETS)
def test_client_and_server_saw_the_same_messages(name: str, ran: Callable[[str], _Ran]) -> None:
    client = ran(name)
    seen = [message for message in client.messages if message.kind in ("text", "binary")]
    heard = read_messages(client.log)

    assert {exchange.status for exchange in client.exchanges} == {101}
    for way in ("in", "out"):
        assert _said(heard, way) == _said(seen, way)
    assert Counter(message.websocket for message in heard if message.direction == "out")["/v1/responses"] == CALLS
    assert max(len(message.data) for message in heard if message.direction == "in") > 99_000
    assert {message.kind for message in client.messages} >= {"text", "ping", "pong", "close"}


def _said(messages: list[Message], direction: str) -> list[tuple[str, int, str, str]]:
    return [(one.websocket, one.n, one.kind, one.data_hex) for one in messages if one.direction == direction]


@pytest.mark.parametrize("name", _SOCKETS)
def test_frames_are_deflated_if_that_was_agreed(name: str, ran: Callable[[str], _Ran]) -> None:
    agreed_on = name != "socket-plain"
    for one in ran(name).sockets:
        assert one.extensions.startswith("permessage-deflate") == agreed_on
        coming, going = _frames(bytes.fromhex(one.in_hex)), _frames(bytes.fromhex(one.out_hex))
        assert {frame.deflated for frame in coming if frame.opcode in (1, 2)} == {agreed_on}
        # Node agrees, and then sends its own messages plain.
        assert {frame.deflated for frame in going if frame.opcode in (1, 2)} == {agreed_on and name != "socket-node"}
        assert not any(frame.deflated for frame in coming + going if frame.opcode not in (1, 2))


@pytest.mark.parametrize("name", ["socket-deflate", "socket-plain"])
def test_messages_go_in_fragments_both_ways_with_a_ping_between(name: str, ran: Callable[[str], _Ran]) -> None:
    for one in ran(name).sockets:
        coming, going = _frames(bytes.fromhex(one.in_hex)), _frames(bytes.fromhex(one.out_hex))
        assert {frame.masked for frame in coming} == {False}
        assert {frame.masked for frame in going} == {True}
        opened = [number for number, frame in enumerate(coming) if frame.opcode in (1, 2) and not frame.final]
        assert opened
        assert {coming[number + 1].opcode for number in opened} == {9}
        assert {coming[number + 2].opcode for number in opened} == {0}
        assert any(not frame.final for frame in going)


@dataclass(frozen=True)
class _Frame:
    """RFC 6455, section 5.2, without its payload."""

    opcode: int
    final: bool
    deflated: bool  # RSV1
    masked: bool


def _frames(wire: bytes) -> list[_Frame]:
    frames: list[_Frame] = []
    at = 0
    while at < len(wire):
        first, second = wire[at], wire[at + 1]
        at += 2
        size = second & 127
        if size > 125:
            width = 2 if size == 126 else 8
            size = int.from_bytes(wire[at : at + width], "big")
            at += width
        at += size + (4 if second & 128 else 0)
        frames.append(_Frame(first & 15, bool(first & 128), bool(first & 64), bool(second & 128)))
    assert at == len(wire)
    return frames


def _plain(coded: bytes, coding: str) -> bytes:
    for token in reversed(coding.split(", ")):
        match token:
            case "gzip":
                coded = zlib.decompress(coded, 31)
            case "deflate":
                coded = zlib.decompress(coded, 15 if coded[0] & 15 == 8 else -15)
            case "br":
                coded = bytes(_brotli.decompress(coded))
            case "zstd":
                coded = zstandard.ZstdDecompressor().decompressobj().decompress(coded)
            case _:
                pass
    return coded


def _brotli_decoder() -> Callable[[bytes], bytes]:
    process: Callable[[bytes], bytes] = _brotli.Decompressor().process
    return process


_UNCODERS: dict[str, Callable[[], Callable[[bytes], bytes]]] = {
    "gzip": lambda: zlib.decompressobj(31).decompress,
    "deflate": lambda: zlib.decompressobj(15).decompress,
    "raw-deflate": lambda: zlib.decompressobj(-15).decompress,
    "br": _brotli_decoder,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj().decompress,
}
_codings = st.lists(st.sampled_from(sorted(CODINGS)), max_size=3)


@settings(deadline=None, max_examples=80)
@given(_codings, st.lists(st.binary(max_size=300), max_size=8))
def test_each_part_can_be_decoded_before_the_next_is_there(names: list[str], parts: list[bytes]) -> None:
    uncoders = [_UNCODERS[name]() for name in reversed(names)]
    *coded, tail = encoded(names, parts, flush=True)

    assert [_through(uncoders, one) for one in coded] == parts
    assert _through(uncoders, tail) == b""


def _through(uncoders: list[Callable[[bytes], bytes]], data: bytes) -> bytes:
    for uncode in uncoders:
        data = uncode(data)
    return data


@settings(deadline=None, max_examples=80)
@given(st.lists(st.sampled_from(sorted(CODINGS.keys() - {"raw-deflate"})), max_size=3), st.binary(max_size=3000), st.booleans())
def test_decoded_undoes_encoded(names: list[str], body: bytes, flush: bool) -> None:
    coded = b"".join(encoded(names, [body], flush=flush))

    assert decoded(coded, content_encoding(names)) == body


@pytest.mark.parametrize(
    ("wanted", "accepted", "names"),
    [
        ("gzip", "gzip, br", ("gzip",)),
        ("gzip,br", "br, gzip", ("gzip", "br")),
        ("gzip,br", "gzip", ()),
        ("raw-deflate", "Deflate", ("raw-deflate",)),
        ("zstd", "zstd;q=0, gzip", ()),
        ("zstd", "zstd; q=0.5", ("zstd",)),
        ("br", "", ()),
        ("none", "gzip", ()),
        ("", "gzip", ()),
    ],
)
def test_a_coding_must_be_accepted(wanted: str, accepted: str, names: tuple[str, ...]) -> None:
    assert agreed(wanted, accepted) == names


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_coded_request_is_read(name: str, us: httpx2.Client, peer: WirePeer) -> None:
    body = json.dumps(_ASK | {"stream": False, "metadata": {"user_id": name}}).encode()
    coded = b"".join(encoded([name], [body], flush=False))
    answer = us.post("/v1/messages", content=coded, headers={"content-encoding": name})

    assert answer.json()["usage"]["input_tokens"] == len(body) // 4
    protocol = "h2" if answer.http_version == "HTTP/2" else "http/1.1"
    until(lambda: (protocol, body) in [(exchange.protocol, exchange.request) for exchange in peer.exchanges()])


@pytest.mark.parametrize("headers", [{"content-encoding": "gzip"}, {"content-encoding": "zip"}, {"x-want-coding": "zip"}])
def test_a_body_with_a_wrong_coding_gets_400(headers: dict[str, str], us: httpx2.Client) -> None:
    assert us.post("/v1/messages", json=_ASK, headers=headers).status_code == 400


def test_a_coding_in_the_query_wins_over_the_header(us: httpx2.Client) -> None:
    answer = us.post("/v1/messages?coding=br", json=_ASK, headers={"x-want-coding": "gzip"})

    assert answer.headers["content-encoding"] == "br"
    assert answer.text.endswith('data: {"type":"message_stop"}\n\n')


def test_the_option_coding_applies_without_a_request_for_it(tmp_path: Path) -> None:
    with wire_server(tmp_path, "--coding", "gzip,br") as peer, httpx2.Client(verify=_trust(peer)) as us:
        coded = us.post(f"{peer.base_url}/v1/messages", json=_ASK)
        plain = us.post(f"{peer.base_url}/v1/messages", json=_ASK, headers={"accept-encoding": "gzip"})

    assert coded.headers["content-encoding"] == "gzip, br"
    assert "content-encoding" not in plain.headers
    assert [len(exchange.coded) < len(exchange.response) for exchange in peer.exchanges()] == [True, False]


@pytest.mark.parametrize("coding", ["none", "gzip", "br", "gzip,br"])
def test_a_stream_comes_event_by_event(coding: str, us: httpx2.Client) -> None:
    with us.stream("POST", "/v1/messages", json=_ASK, headers={"x-want-coding": coding}) as answer:
        parts = [part for part in answer.iter_bytes() if part]

    assert len(parts) > 10
    whole_events = [part for part in parts if part.endswith(b"\n\n")]
    assert len(whole_events) > len(parts) * 3 // 4  # TCP may cut some


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/messages", 404), ("POST", "/x", 404), ("GET", "/mcp", 405)]
)
def test_what_is_not_served_is_refused(method: str, path: str, status: int, us: httpx2.Client) -> None:
    assert us.request(method, path).status_code == status


@pytest.mark.parametrize("http2", [False, True])
def test_without_tls_the_first_bytes_choose_the_protocol(http2: bool, tmp_path: Path) -> None:
    with wire_server(tmp_path, "--plain") as peer, httpx2.Client(http1=not http2, http2=http2) as us:
        answers = [us.post(f"{peer.base_url}/v1/messages", json=_ASK) for _ in range(2)]

    assert peer.base_url.startswith("http://")
    assert [exchange.protocol for exchange in peer.exchanges()] == ["h2" if http2 else "http/1.1"] * 2
    assert [exchange.response for exchange in peer.exchanges()] == [answer.content for answer in answers]


def test_ollama_answers_in_lines(us: httpx2.Client) -> None:
    answer = us.post("/api/chat", json={"model": "demo", "messages": [{"role": "user", "content": "one two"}]})

    said = [json.loads(line) for line in answer.text.splitlines()]
    assert "".join(line["message"]["content"] for line in said) == "Réponse 模型 🙂: the prompt has 7 characters."
    assert [line["done"] for line in said] == [False] * (len(said) - 1) + [True]
    assert said[-1]["eval_count"] == 8


@pytest.mark.parametrize("operation", ["converse-stream", "invoke-with-response-stream"])
def test_bedrock_answers_in_frames_that_say_what_the_whole_answer_says(operation: str, us: httpx2.Client) -> None:
    ask: dict[str, Any] = {"messages": [{"role": "user", "content": [{"type": "text", "text": "size=300"}]}], "max_tokens": 99}
    whole, streamed = (us.post(f"/model/demo/{name}", json=ask) for name in (operation.partition("-")[0], operation))

    decoder = AwsEventStreamDecoder()
    said = [json.loads(event.data) for event in decoder.feed(streamed.content)]
    text = "".join(event.get("delta", {}).get("text", "") for event in said)
    assert streamed.headers["content-type"] == "application/vnd.amazon.eventstream"
    assert not decoder.finish()  # nothing of it is left over
    answer = whole.json()
    content = answer["output"]["message"]["content"] if "output" in answer else answer["content"]
    assert text == content[0]["text"]


def test_a_grpc_call_gets_its_own_message_back_and_a_status(us: httpx2.Client, peer: WirePeer) -> None:
    body = b"\0\0\0\0\3" + uuid4().bytes
    answer = us.post("/demo.Echo/Say", content=body, headers={"content-type": "application/grpc"})

    assert answer.content == body
    until(lambda: any(exchange.request == body for exchange in peer.exchanges()))
    assert [exchange.trailers for exchange in peer.exchanges() if exchange.request == body] == [{"grpc-status": "0"}]


def test_http1_has_trailers_and_resets_too(peer: WirePeer) -> None:
    with httpx2.Client(verify=_trust(peer), base_url=peer.base_url) as us:
        assert us.get("/trailers").text.endswith("line 99 of part 19\n")
        with pytest.raises(httpx2.RemoteProtocolError):
            us.get("/reset")


@pytest.mark.parametrize(
    ("option", "extension"),
    [
        ("--deflate", "permessage-deflate; client_max_window_bits=15"),
        (
            "--no-takeover",
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover; client_max_window_bits=15",
        ),
        ("--no-deflate", ""),
    ],
)
def test_deflate_is_agreed_as_the_option_says(option: str, extension: str, tmp_path: Path) -> None:
    with wire_server(tmp_path, option) as peer:
        assert asyncio.run(_talk(peer, "/echo", ["the same text"] * 2)) == ["the same text"] * 2

    (one,) = peer.sockets()
    assert one.extensions == extension
    sizes = [len(message.data) for message in peer.messages() if message.kind == "text"]
    assert sizes == [13] * 4


def test_a_websocket_answers_a_bad_message_with_an_error(peer: WirePeer) -> None:
    nonsense: list[str | bytes] = ["{", "[]", '{"type":"response.cancel"}', '{"type":"response.create"}', b"\xff"]
    answers: list[Any] = [json.loads(answer) for answer in asyncio.run(_talk(peer, "/v1/responses", nonsense))]

    assert [answer["type"] for answer in answers] == ["error"] * 5


async def _talk(peer: WirePeer, path: str, messages: Sequence[str | bytes]) -> list[str | bytes]:
    """The answers to these messages, one each."""
    answers: list[str | bytes] = []
    async with _socket(peer, path) as model:
        for message in messages:
            await model.send(message)
            answers.append(await model.recv())
    return answers


def _socket(peer: WirePeer, path: str) -> connect:
    return connect(peer.base_url.replace("https", "wss") + path, ssl=_trust(peer))


def test_a_stream_that_the_client_resets_is_not_complete(tmp_path: Path) -> None:
    with wire_server(tmp_path, "--gap-ms", "50") as peer, _connected(peer, "h2") as tls:
        wire, _ = _two_streams(tls)
        for stream in (1, 3):
            wire.reset_stream(stream, ErrorCodes.CANCEL)
        tls.sendall(wire.data_to_send())
        until(lambda: len(peer.exchanges()) == 2)  # while the connection is still there

    seen = peer.exchanges()
    assert [(one.complete, one.stream) for one in seen] == [(False, 1), (False, 3)]
    assert all(len(one.response) < 3_000 for one in seen)


def test_a_client_that_leaves_ends_its_streams(tmp_path: Path) -> None:
    with wire_server(tmp_path, "--gap-ms", "50") as peer:
        with _connected(peer, "h2") as tls:
            _two_streams(tls)
        until(lambda: len(peer.exchanges()) == 2)

    assert [one.complete for one in peer.exchanges()] == [False, False]


def test_sigterm_lets_streams_end_and_says_goaway(tmp_path: Path) -> None:
    with wire_server(tmp_path, "--gap-ms", "2") as peer, _connected(peer, "h2") as tls:
        wire, seen = _two_streams(tls)
        kill(peer.pid, signal.SIGTERM)
        while data := tls.recv(65_536):
            seen += wire.receive_data(data)

    assert sorted(event.stream_id for event in seen if isinstance(event, events.StreamEnded)) == [1, 3]
    assert isinstance(seen[-1], events.ConnectionTerminated)
    assert [exchange.complete for exchange in peer.exchanges()] == [True, True]


def _two_streams(tls: ssl.SSLSocket) -> tuple[H2Connection, list[events.Event]]:
    """Two answers that have begun, and their events so far."""
    wire = H2Connection()
    wire.initiate_connection()
    head = [(":method", "POST"), (":scheme", "https"), (":authority", "x"), (":path", "/v1/messages")]
    for stream in (1, 3):
        wire.send_headers(stream, head)
        wire.send_data(stream, json.dumps(_ASK).encode(), end_stream=True)
    tls.sendall(wire.data_to_send())
    seen: list[events.Event] = []
    while sum(isinstance(event, events.ResponseReceived) for event in seen) < 2:
        seen += wire.receive_data(tls.recv(65_536))
    return wire, seen


def test_sigterm_closes_websockets_and_idle_connections(tmp_path: Path) -> None:
    with wire_server(tmp_path) as peer, _connected(peer, "http/1.1") as tls:
        tls.sendall(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert tls.recv(65_536).startswith(b"HTTP/1.1 200 ")
        assert asyncio.run(_closed_by(peer, lambda: kill(peer.pid, signal.SIGTERM))) == 1001
        assert tls.recv(1) == b""


async def _closed_by(peer: WirePeer, action: Callable[[], None]) -> int | None:
    """The code with which the server closes a WebSocket that waits for a message."""
    async with _socket(peer, "/echo") as echo:
        action()
        with pytest.raises(ConnectionClosed):
            await echo.recv()
        return echo.close_code


def _connected(peer: WirePeer, protocol: str) -> ssl.SSLSocket:
    url = urlsplit(peer.base_url)
    context = _trust(peer)
    context.set_alpn_protocols([protocol])
    plain = socket.create_connection((url.hostname, url.port), timeout=PATIENCE_S)
    tls = context.wrap_socket(plain, server_hostname=url.hostname)
    assert tls.selected_alpn_protocol() == protocol
    return tls
