"""
BASE_URL, CALLS and SIZE -> that many Anthropic calls, and one to /trailers and one to /reset, all at once over one HTTP/2
connection: the h2 package over an SSLSocket. CLIENT_LOG says what each sent and, decoded, received; of the answer of /reset,
which breaks off, the bytes received.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import brotli  # type: ignore[import-untyped]  # it has no types
import zstandard
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection

from tests.live.clients.parts import CODINGS, prompt, wait_for_gate

_brotli: Any = brotli
_BASH = {"name": "bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}


@dataclass
class _Call:
    path: str
    coding: str
    body: bytes
    sent: int = 0
    response: bytearray = field(default_factory=bytearray)
    response_coding: str = ""
    trailers: dict[str, str] = field(default_factory=dict[str, str])
    reset: bool = False


def main(base_url: str, calls: int, size: int) -> None:
    asked = [_Call("/v1/messages", CODINGS[number % 7], _body(number, size)) for number in range(calls)]
    asked += [_Call("/trailers", "br", b"with trailers"), _Call("/reset", "none", b"broken off")]
    wait_for_gate()
    url = urlsplit(base_url)
    with socket.create_connection((url.hostname, url.port)) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if url.scheme == "http":
            _Connection(plain, url.netloc, "http").make(asked)
        else:
            _with_tls(plain, url.netloc, url.hostname or "", asked)
    with open(os.environ["CLIENT_LOG"], "w") as log:
        for call in asked:
            line: dict[str, object] = {"request_body_hex": call.body.hex(), "response_body_hex": _decoded(call).hex()}
            line |= {"path": call.path, "trailers": call.trailers, "reset": call.reset}
            print(json.dumps(line), file=log)


def _with_tls(plain: socket.socket, authority: str, hostname: str, asked: list[_Call]) -> None:
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    context.set_alpn_protocols(["h2"])
    with context.wrap_socket(plain, server_hostname=hostname) as tls:
        assert tls.selected_alpn_protocol() == "h2"
        _Connection(tls, authority, "https").make(asked)


def _body(number: int, size: int) -> bytes:
    messages = [{"role": "user", "content": prompt(number, size)}]
    ask: dict[str, object] = {"model": "demo", "max_tokens": 4096, "stream": number % 2 == 1, "messages": messages}
    return json.dumps(ask | ({"tools": [_BASH]} if number // 2 % 2 == 0 else {}), ensure_ascii=False).encode()


class _Connection:
    def __init__(self, wire: socket.socket, authority: str, scheme: str) -> None:
        self._wire = wire
        self._scheme = scheme
        self._authority = authority
        self._h2 = H2Connection(H2Configuration(header_encoding="utf-8"))
        self._open: dict[int, _Call] = {}

    def make(self, calls: list[_Call]) -> None:
        self._h2.initiate_connection()
        for call in calls:
            stream = self._h2.get_next_available_stream_id()
            self._open[stream] = call
            self._h2.send_headers(stream, self._headers(call))
        while self._open:
            self._send_bodies()
            self._wire.sendall(self._h2.data_to_send())
            for event in self._h2.receive_data(self._wire.recv(65_536)):
                self._take(event)
        self._h2.close_connection()
        self._wire.sendall(self._h2.data_to_send())

    def _headers(self, call: _Call) -> list[tuple[str, str]]:
        return [
            (":method", "POST"),
            (":scheme", self._scheme),
            (":authority", self._authority),
            (":path", call.path),
            ("content-type", "application/json"),
            ("x-api-key", os.environ["ANTHROPIC_API_KEY"]),
            ("accept-encoding", "gzip, deflate, br, zstd"),
            ("x-want-coding", call.coding),
        ]

    def _send_bodies(self) -> None:
        """Send a frame of each stream in turn, as far as the windows allow."""
        turns = [self._frames(stream, call) for stream, call in self._open.items() if call.sent < len(call.body)]
        while turns:
            turns = [turn for turn in turns if next(turn, False)]

    def _frames(self, stream: int, call: _Call) -> Iterator[bool]:
        while call.sent < len(call.body):
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            if room <= 0:
                return
            piece = call.body[call.sent : call.sent + room]
            call.sent += len(piece)
            self._h2.send_data(stream, piece, end_stream=call.sent == len(call.body))
            yield True

    def _take(self, event: events.Event) -> None:
        match event:
            case events.ResponseReceived():
                headers = {str(name): str(value) for name, value in event.headers}
                self._open[event.stream_id].response_coding = headers.get("content-encoding", "")
            case events.DataReceived():
                self._open[event.stream_id].response += event.data or b""
                self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
            case events.TrailersReceived():
                self._open[event.stream_id].trailers = {str(name): str(value) for name, value in event.headers}
            case events.StreamEnded():
                self._open.pop(event.stream_id)
            case events.StreamReset():
                self._open.pop(event.stream_id).reset = True
            case events.ConnectionTerminated():
                raise ConnectionError("the server ended the connection")
            case _:
                pass


def _decoded(call: _Call) -> bytes:
    body = bytes(call.response)
    for token in reversed(call.response_coding.split(", ")):
        match token:
            case "gzip":
                body = zlib.decompress(body, 31)
            case "deflate":
                body = zlib.decompress(body, 15 if body[0] & 15 == 8 else -15)
            case "br":
                body = bytes(_brotli.decompress(body))
            case "zstd":
                body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
            case _:
                pass
    return body


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
