"""
A program of its own, for `trial.py`: once a line comes on its input, it does a little of everything that a capture sees, and
ends with its input. Each thing carries the word that is its argument. Plain Python, since it starts without packages.
"""

from __future__ import annotations

import os
import pty
import socket
import ssl
import subprocess
import sys
import tempfile
from contextlib import suppress

BASH = "/bin/bash"


def _speak_tls(word: bytes) -> None:
    """Between two ends in memory. An anonymous key exchange needs no certificate; TLS 1.3 has none, so it is TLS 1.2."""
    ends: list[ssl.SSLObject] = []
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    for reads, writes, protocol in (
        (to_client, to_server, ssl.PROTOCOL_TLS_CLIENT),
        (to_server, to_client, ssl.PROTOCOL_TLS_SERVER),
    ):
        context = ssl.SSLContext(protocol)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aNULL:@SECLEVEL=0")
        ends.append(context.wrap_bio(reads, writes, server_side=protocol == ssl.PROTOCOL_TLS_SERVER))
    for _ in range(4):  # the flights of a handshake
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    client, server = ends
    client.write(word)
    server.read(len(word))


def _speak_http(word: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as client:
        server, _ = listening.accept()
        with server:
            client.sendall(b"GET /" + word + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            server.recv(4096)
            server.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            client.recv(4096)


def _type_line(word: bytes) -> None:
    """Into a bash on a terminal, which says when it is ready."""
    pid, terminal = pty.fork()
    if not pid:
        os.execve(BASH, [BASH, "--norc", "--noprofile", "-i"], {"PS1": "ready>", "HISTFILE": "/dev/null", "TERM": "dumb"})
    seen = b""
    while b"ready>" not in seen:
        seen += os.read(terminal, 4096)
    os.write(terminal, b"exit # " + word + b"\n")
    with suppress(OSError):  # the end of a terminal
        while os.read(terminal, 4096):
            pass
    os.waitpid(pid, 0)


def _main(word: str) -> None:
    sys.stdin.readline()
    text = word.encode()
    subprocess.run(["/bin/true", word], check=False)
    with tempfile.NamedTemporaryFile(prefix=word) as file:
        file.write(text)
    for deed in (_speak_http, _speak_tls, _type_line):
        if deed is not _type_line or os.path.exists(BASH):
            try:
                deed(text)
            except (OSError, ValueError) as error:  # what cannot be done here is not seen
                print(f"{deed.__name__}: {error}", file=sys.stderr)
    print(word, flush=True)
    sys.stdin.read()  # until what it did was seen


if __name__ == "__main__":
    _main(sys.argv[1])
