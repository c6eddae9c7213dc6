"""BEFORE, BEHIND, SIZE and GATE -> that many HTTP requests over a TLS connection in memory, one SSL_write for each."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import trustme

from .gate import wait_for


def connected() -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """The two ends of a TLS connection in memory, after the handshake."""
    authority = trustme.CA()
    inside, outside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(inside)  # pyright: ignore[reportUnknownMemberType]
    authority.configure_trust(outside)  # pyright: ignore[reportUnknownMemberType]
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = outside.wrap_bio(back, there, server_hostname="localhost")
    server = inside.wrap_bio(there, back, server_side=True)
    done: set[ssl.SSLObject] = set()
    while len(done) < 2:
        for end in (client, server):
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                pass
    return client, server


def message(number: int, size: int) -> bytes:
    body = f"{number}:".encode() + b"x" * size
    return b"POST /%d HTTP/1.1\r\nhost: load\r\ncontent-length: %d\r\n\r\n%b" % (number, len(body), body)


def main() -> None:
    before, behind, size, gate = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    client, server = connected()
    (gate / "ready").touch()
    wait_for(gate / "go")
    for number in range(before + behind):
        if number == before:
            (gate / "before").touch()
            wait_for(gate / "on")
        data = message(number, size)
        client.write(data)
        server.read(len(data) + 1)


if __name__ == "__main__":
    main()
