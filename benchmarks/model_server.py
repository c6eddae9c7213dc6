"""FOLDER THINK_MS EVENT_MS -> a server whose every answer to a POST is an event stream of Anthropic Messages, 206 events."""

from __future__ import annotations

import ssl
import sys
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import trustme

from benchmarks.recording import answer, chunked

__all__ = ["main"]

_DELTAS = 200


def main() -> None:
    """Write FOLDER/ca.pem, print the port, and serve until standard input ends."""
    folder, think_ms, event_ms = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    handler = partial(_Connection, count(), think_ms / 1000, event_ms / 1000)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, numbers: count[int], think_s: float, event_s: float, *args: Any) -> None:
        self._numbers, self._think_s, self._event_s = numbers, think_s, event_s
        super().__init__(*args)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        time.sleep(self._think_s)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in answer(_DELTAS, next(self._numbers)):
            self.wfile.write(chunked(event))
            time.sleep(self._event_s)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of each request."""


if __name__ == "__main__":
    main()
