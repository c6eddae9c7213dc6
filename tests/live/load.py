"""BEFORE, BEHIND, SIZE and GATE -> that many HTTP requests over a TLS connection in memory, one SSL_write for each."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.tls_worker import connected
from tests.live.gate import wait_for


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
