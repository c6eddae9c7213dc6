"""
HTTPS requests of an LLM client -> answers of a fake model: Anthropic Messages and OpenAI Chat, plain and streamed.

    python -m agentsight_rx.runtime.demo.fake_llm --dir DIR

listens on 127.0.0.1, prints its port and writes DIR/ca.pem, which clients must trust. DIR/exchanges.jsonl has what really went
over the wire, one line an exchange; a trace of the client is compared with it.

The answers are made in agentsight_rx/runtime/demo/answers.py.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from email.message import Message
from functools import partial
from http.server import BaseHTTPRequestHandler
from io import BufferedIOBase
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, NamedTuple, TextIO

from agentsight_rx.core.errors import UsageError
from agentsight_rx.runtime.demo import require_demo
from agentsight_rx.runtime.demo.answers import DIALECTS, Reply, error_reply, reply_to
from agentsight_rx.runtime.demo.prompt_cache import Counted, PromptCache

_LARGEST_BODY = 64 << 20  # twice as much as the real APIs accept (32 MB)
_STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}


def main() -> int:
    """Serve until SIGTERM, SIGINT or, if asked, the end of stdin."""
    try:
        require_demo()
    except UsageError as error:
        sys.exit(f"Error: {error}")
    import trustme

    options = _options()
    directory: Path = options.dir
    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF  # else stop(), and clients that just disconnect, end in a TLS alert
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # also takes contexts of pyOpenSSL, which is not installed

    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    with (directory / "exchanges.jsonl").open("w", encoding="utf-8") as log:
        pace = _Pace(options.think_ms / 1000, options.event_ms / 1000)
        commands = options.tool_command or ["echo hello from the tool"]
        model = _Model(log, commands, pace=pace, close=options.close)
        server = _Server(("127.0.0.1", options.port), partial(_Connection, model), context)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        if options.until_eof:
            threading.Thread(target=_stop_at_eof, daemon=True).start()
        print(server.server_address[1], flush=True)
        signal.sigwait(_STOP_SIGNALS)
        server.stop()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fake_llm", description="A fake LLM server for demonstrations and tests.")
    parser.add_argument("--dir", type=Path, required=True, help="where ca.pem and exchanges.jsonl are written")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--tool-command", action="append", help="a command that the model has the shell run; again for the next"
    )
    parser.add_argument("--close", action="store_true", help="close each connection after its first response")
    parser.add_argument("--think-ms", type=int, default=0, help="how long the model thinks before each answer")
    parser.add_argument("--event-ms", type=int, default=0, help="time between two events of a streamed answer")
    parser.add_argument("--until-eof", action="store_true", help="end when stdin does")
    return parser.parse_args()


def _stop_at_eof() -> None:
    while os.read(0, 65_536):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


class _Server(ThreadingMixIn, TCPServer):
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: Callable[..., _Connection], context: ssl.SSLContext) -> None:
        self._context = context
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        plain, client = super().get_request()
        # No handshake here: a slow client would keep the others from being accepted.
        connection = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        return connection, client

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        with contextlib.suppress(OSError):
            request.settimeout(0)  # send close_notify, but do not wait for that of the client
            request.unwrap()
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that disconnects or does not trust us is not our error
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Accept no more requests, finish the responses being sent, and end."""
        self.shutdown()
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                # SSLSocket.shutdown() would drop the TLS state and with it the rest of the response.
                socket.socket.shutdown(connection, socket.SHUT_RD)
        self.server_close()


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # each event of a stream is sent at once
    timeout = 60  # seconds; a client that is silent for longer is gone

    def __init__(self, model: _Model, *args: Any) -> None:
        self._model = model
        self._number = next(model.connections)
        super().__init__(*args)

    def _exchange(self) -> None:
        number = next(self._model.numbers)
        try:
            body = b"".join(_body(self.rfile, self.headers))
        except ValueError as error:
            body, reply = b"", error_reply(400, "invalid_request_error", str(error), close=True)
        else:
            reply = self._model.reply(number, self.command, self.path, body)
        if self.command == "HEAD":
            reply = replace(reply, parts=())
        headers = self._send(reply, f"req_{number:024d}")
        self._model.record(
            {
                "n": number,
                "connection": self._number,
                "method": self.command,
                "path": self.path,
                "request_body_hex": body.hex(),
                "status": reply.status,
                "response_headers": headers,
                "response_body_hex": b"".join(reply.parts).hex(),
            }
        )

    do_HEAD = do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _exchange

    def _send(self, reply: Reply, request_id: str) -> dict[str, str]:
        headers = {"date": self.date_time_string(), "server": "fake-llm", "request-id": request_id} | reply.headers
        if reply.streamed:
            headers["transfer-encoding"] = "chunked"
        else:
            headers["content-length"] = str(sum(map(len, reply.parts)))
        headers["connection"] = "close" if self.close_connection or self._model.close or reply.close else "keep-alive"

        time.sleep(self._model.pace.think_s)
        self.send_response_only(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        for part in reply.parts:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if reply.streamed else part)
            time.sleep(self._model.pace.event_s)
        if reply.streamed:
            # In a TLS record of its own, as often in practice: the openai SDK disconnects at [DONE] and never reads it.
            with contextlib.suppress(ConnectionError):
                self.wfile.write(b"0\r\n\r\n")
        return headers


def _body(wire: BufferedIOBase, headers: Message) -> Iterator[bytes]:
    """The parts of a request body (RFC 9112, section 6). ValueError: malformed, or too large."""
    if "chunked" not in headers.get("transfer-encoding", "").lower():
        yield _exactly(wire, int(headers.get("content-length", "0")), _LARGEST_BODY)
        return
    left = _LARGEST_BODY
    while size := int(_line(wire).partition(b";")[0], 16):
        yield _exactly(wire, size, left)
        left -= size
        _line(wire)
    while _line(wire).strip():  # trailers
        pass


def _line(wire: BufferedIOBase) -> bytes:
    line = wire.readline(65_536)
    if not line:
        raise ConnectionResetError("the client left within a chunked body")
    return line


def _exactly(wire: BufferedIOBase, size: int, limit: int) -> bytes:
    if not 0 <= size <= limit:
        raise ValueError(f"a request body of {size} bytes; at most {limit} are taken")
    data = wire.read(size)
    if len(data) < size:
        raise ConnectionResetError(f"the client left after {len(data)} of {size} bytes")
    return data


class _Pace(NamedTuple):
    """How slowly the model answers: before an answer, and between two events of it."""

    think_s: float
    event_s: float


class _Model:
    """What all connections share: the answers, their pace, the cache, the numbers and the log."""

    def __init__(self, log: TextIO, commands: Sequence[str], *, pace: _Pace, close: bool) -> None:
        self.numbers = itertools.count(1)
        self.connections = itertools.count(1)
        self.close = close
        self.pace = pace
        self._commands = commands
        self._cache = PromptCache()
        self._log = log
        self._lock = threading.Lock()

    def reply(self, number: int, method: str, target: str, body: bytes) -> Reply:
        path = target.partition("?")[0]
        if (method, path) == ("HEAD", "/"):
            return Reply(200, {})
        if method != "POST" or path not in DIALECTS:
            return error_reply(404, "not_found_error", f"{method} {path} is not served here")
        return reply_to(DIALECTS[path], path, body, number, self._commands, counter=self._counted)

    def _counted(self, request: Any) -> Counted:
        with self._lock:
            return self._cache.counted(request, time.monotonic_ns() // 1_000_000)

    def record(self, exchange: Mapping[str, object]) -> None:
        with self._lock:
            self._log.write(json.dumps(exchange) + "\n")
            self._log.flush()


if __name__ == "__main__":
    raise SystemExit(main())
