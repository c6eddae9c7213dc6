"""A request of any HTTP version -> the response to send; and what was sent -> a line of the log."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import TextIO
from urllib.parse import parse_qs
from zlib import crc32

from agentsight_rx.runtime.demo.answers import Reply, error_reply, reply_to
from tests.live.wire_answers import dialect_for
from tests.live.wire_coding import agreed, content_encoding, decoded, encoded
from tests.live.wire_mcp import mcp_reply
from tests.live.wire_pages import GRPC_CALL, page_reply

__all__ = ["LARGEST_BODY", "SOCKETS", "Answered", "Options", "Request", "Sending", "Site"]

LARGEST_BODY = 64 << 20  # twice what the real APIs take (32 MB)
SOCKETS = ("/v1/responses", "/echo")  # the paths that may become WebSockets


@dataclass(frozen=True)
class Options:
    coding: str = "none"
    deflate: str = "takeover"  # of WebSocket messages: takeover, no-takeover or none
    gap: float = 0.0  # seconds between the parts of a streamed answer
    tool_command: str = "echo hello from the tool"


@dataclass(frozen=True)
class Request:
    number: int
    method: str
    target: str
    headers: dict[str, str]  # names in lower case; values of the same name are joined by ", "
    body: bytes  # as received, with its codings

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Sending:
    """One response before framing: its parts, plain and coded, and its trailers."""

    status: int
    headers: dict[str, str]
    parts: tuple[tuple[bytes, bytes], ...]  # plain, coded
    tail: bytes  # ends the codings
    coding: str  # content-encoding, "" = none
    streamed: bool
    trailers: dict[str, str]
    reset: bool  # breaks off instead of ending
    request_body: bytes  # decoded


@dataclass(frozen=True)
class Answered:
    """How a response was sent."""

    protocol: str  # h2 or http/1.1
    connection: int
    stream: int = 0  # HTTP/2 only
    sent: int = 0  # parts sent
    ended: bool = False  # the tail was sent too
    frames: tuple[int, int] = (0, 0)  # the first and last DATA frame among those of the connection, from 1


class Site:
    """Shared by all connections: the options, the counters and the log."""

    def __init__(self, log: TextIO, options: Options) -> None:
        agreed(options.coding, "")  # an unknown name is refused before the first connection
        self.options = options
        self.numbers = itertools.count(1)
        self.connections = itertools.count(1)
        self._log = log

    def sending(self, request: Request) -> Sending:
        """The response to `request`."""
        body, trailers, reset = b"", dict[str, str](), False
        try:
            body = decoded(request.body, request.headers.get("content-encoding", ""))
            names = agreed(self._wanted(request), request.headers.get("accept-encoding", ""))
            reply = self._reply(request, body)
        except ValueError as error:
            names, reply = (), error_reply(400, "invalid_request_error", str(error))
        if request.path == "/trailers":
            trailers = {"x-checksum": f"{crc32(b''.join(reply.parts)):08x}"}
        if request.path == GRPC_CALL:
            trailers = {"grpc-status": "0"}
        if request.path == "/reset":
            reset, reply = True, replace(reply, parts=reply.parts[: len(reply.parts) // 2])
        if request.method == "HEAD" or not reply.parts:
            reply, names = replace(reply, parts=()), ()
        *coded, tail = encoded(names, reply.parts, flush=reply.streamed)
        if not reply.streamed and coded:
            coded, tail = [b"".join([*coded, tail])], b""  # one part, with a content-length
        headers = {"date": formatdate(usegmt=True), "server": "fake-llm", "request-id": f"req_{request.number:024d}"}
        headers |= reply.headers
        if names:
            headers |= {"content-encoding": content_encoding(names), "vary": "accept-encoding"}
        if not reply.streamed and reply.status != 204:
            headers["content-length"] = str(sum(map(len, coded)))
        return Sending(
            status=reply.status,
            headers=headers,
            parts=tuple(zip(reply.parts, coded, strict=True)),
            tail=tail,
            coding=content_encoding(names),
            streamed=reply.streamed,
            trailers=trailers,
            reset=reset,
            request_body=body,
        )

    def _wanted(self, request: Request) -> str:
        asked = parse_qs(request.target.partition("?")[2]).get("coding", [])
        return next(iter(asked), None) or request.headers.get("x-want-coding") or self.options.coding

    def _reply(self, request: Request, body: bytes) -> Reply:
        if request.path == "/mcp":
            return mcp_reply(request.method, body)
        if request.path in ("/trailers", "/reset"):
            return Reply(200, {"content-type": "text/plain"}, tuple(_lines()), streamed=True)
        if (request.method, request.path) == ("HEAD", "/"):
            return Reply(200, {})
        if page := page_reply(request.method, request.target, body):
            return page
        dialect = dialect_for(request.target)
        if request.method != "POST" or dialect is None:
            return error_reply(404, "not_found_error", f"{request.method} {request.path} is not served here")
        return reply_to(dialect, request.path, body, request.number, (self.options.tool_command,))

    def record_exchange(self, request: Request, sending: Sending, answered: Answered) -> None:
        parts = sending.parts[: answered.sent]
        coded = b"".join(coded for _, coded in parts) + (sending.tail if answered.ended else b"")
        self.record(
            {
                "n": request.number,
                "connection": answered.connection,
                "method": request.method,
                "path": request.target,
                "request_headers": request.headers,
                "request_body_hex": sending.request_body.hex(),
                "status": sending.status,
                "response_headers": sending.headers,
                "response_body_hex": b"".join(meant for meant, _ in parts).hex(),
                "protocol": answered.protocol,
                "stream": answered.stream,
                "frames": answered.frames,
                "coding": sending.coding,
                "coded_hex": coded.hex(),
                "trailers": sending.trailers,
                "complete": answered.ended and not sending.reset,
            }
        )

    def record(self, line: Mapping[str, object]) -> None:
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()


def _lines() -> Iterator[bytes]:
    for number in range(20):
        yield b"".join(b"line %d of part %d\n" % (line, number) for line in range(100))
