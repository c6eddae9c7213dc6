"""
HTTPS requests of LLM clients -> a fake model's answers over HTTP/1.1, HTTP/2 and WebSocket, in every content coding.

    python -m tests.live.wire_server --dir DIR [--coding gzip|deflate|raw-deflate|br|zstd|gzip,br|none] [--no-deflate] …

listens on 127.0.0.1, prints its port and writes DIR/ca.pem, which clients must trust. DIR/exchanges.jsonl says what really went
over the wire: a line an exchange, a line a WebSocket message, and a line with all bytes of each WebSocket.

It serves POST /v1/messages, /v1/chat/completions, /v1/responses, /v1beta/models/M:generateContent, …:streamGenerateContent and
/mcp; the pages of `wire_pages`; the WebSockets /v1/responses and /echo; /trailers, whose answers end with trailers, and /reset,
whose answers break off in the middle. An answer is coded as its request asks in `?coding=` or in the header `x-want-coding`,
else as --coding says, if its accept-encoding allows that. With --plain there is no TLS: a connection speaks HTTP/2 if it begins
with its preface, else HTTP/1.1.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import ssl
import threading
from asyncio import StreamReader, StreamWriter
from pathlib import Path
from typing import Any

import trustme

from tests.live.wire_http1 import serve_http1
from tests.live.wire_http2 import serve_http2
from tests.live.wire_link import Link
from tests.live.wire_site import Options, Site

__all__ = ["main"]

_PREFACE = b"PRI * HTTP/2.0"  # RFC 9113, section 3.4
_FINISH_SECONDS = 10.0  # for the open answers when the server stops


def main() -> int:
    """Serve until SIGTERM, SIGINT or, if asked, the end of stdin. The status is 1 if the server itself failed somewhere."""
    arguments = _arguments()
    directory: Path = arguments.dir
    directory.mkdir(parents=True, exist_ok=True)
    options = Options(arguments.coding, arguments.deflate, arguments.gap_ms / 1000, arguments.tool_command)
    with (directory / "exchanges.jsonl").open("w", encoding="utf-8") as log:
        context = _tls(directory)  # without TLS too: clients read ca.pem before they connect
        serving = _serve(
            Site(log, options), None if arguments.plain else context, arguments.port, until_eof=arguments.until_eof
        )
        return asyncio.run(serving)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="wire_server", description="A fake LLM server for tests.")
    parser.add_argument("--dir", type=Path, required=True, help="where ca.pem and exchanges.jsonl are written")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--coding", default="none", help="of the answers, if the client takes it and asks for no other")
    deflate = parser.add_mutually_exclusive_group()
    deflate.add_argument("--deflate", dest="deflate", action="store_const", const="takeover", default="takeover")
    deflate.add_argument("--no-deflate", dest="deflate", action="store_const", const="none")
    deflate.add_argument("--no-takeover", dest="deflate", action="store_const", const="no-takeover")
    parser.add_argument("--gap-ms", type=float, default=0.0, help="between the parts of a streamed answer")
    parser.add_argument("--tool-command", default="echo hello from the tool", help="what the model asks the shell to run")
    parser.add_argument("--plain", action="store_true", help="serve without TLS")
    parser.add_argument("--until-eof", action="store_true", help="end when stdin does")
    return parser.parse_args()


def _tls(directory: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF  # clients may leave without close_notify
    context.set_alpn_protocols(["h2", "http/1.1"])
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # or takes pyOpenSSL's, not installed
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    return context


async def _serve(site: Site, context: ssl.SSLContext | None, port: int, *, until_eof: bool) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    failures: list[object] = []

    def failed(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        failures.append(context)
        loop.default_exception_handler(context)

    loop.set_exception_handler(failed)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    if until_eof:
        threading.Thread(target=_stop_at_eof, args=(loop, stopping), daemon=True).start()
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        connections.add(connection)
        try:
            await _connection(site, Link(reader, writer, next(site.connections), stopping), writer)
        finally:
            connections.discard(connection)

    shutdown_timeout = None if context is None else 1.0
    server = await asyncio.start_server(connected, "127.0.0.1", port, ssl=context, ssl_shutdown_timeout=shutdown_timeout)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stopping.wait()
    server.close()
    if connections:
        await asyncio.wait(connections, timeout=_FINISH_SECONDS)
    return 1 if failures else 0


def _stop_at_eof(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    while os.read(0, 65_536):
        pass
    with contextlib.suppress(RuntimeError):  # the loop is closed: a signal stopped the server before
        loop.call_soon_threadsafe(stopping.set)


async def _connection(site: Site, link: Link, writer: StreamWriter) -> None:
    try:
        with contextlib.suppress(ConnectionError):  # a client may leave at any time
            serve = serve_http2 if await _speaks_http2(link, writer.get_extra_info("ssl_object")) else serve_http1
            await serve(site, link)
    finally:
        await link.close()


async def _speaks_http2(link: Link, tls: ssl.SSLObject | None) -> bool:
    return await link.begins_with(_PREFACE) if tls is None else tls.selected_alpn_protocol() == "h2"


if __name__ == "__main__":
    raise SystemExit(main())
