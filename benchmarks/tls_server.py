"""FOLDER -> a server that answers GET /RECORDS/SIZE/MS with so many TLS records of that size, MS after the head."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import trustme

__all__ = ["main"]


def main() -> None:
    """Write FOLDER/ca.pem, print the port, and serve until standard input ends."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(Path(sys.argv[1]) / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, context), daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        sys.stdin.read()


def _accept(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        plain, _ = listener.accept()
        threading.Thread(target=_serve, args=(plain, context), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext) -> None:
    with suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(16_384)
        records, size, wait_ms = map(int, head.split()[1].decode().strip("/").split("/"))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (records * size))
        time.sleep(wait_ms / 1000)
        record = b"x" * size
        for _ in range(records):
            connection.sendall(record)
        connection.unwrap()


if __name__ == "__main__":
    main()
