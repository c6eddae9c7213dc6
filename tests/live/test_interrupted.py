"""A call that its client interrupts ends with its socket, also where the TLS object stays."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agentsight_rx import op, sources
from agentsight_rx.events import HttpRequest, HttpResponse, TlsClose
from agentsight_rx.sources import Target, TlsOptions
from tests.live.capture import running, started, until
from tests.live.peers import fake_llm

pytestmark = pytest.mark.live

# Reads the first bytes of an answer, closes the socket, and keeps the TLS object, as a collector of garbage does
INTERRUPT = """
import os, socket, ssl, sys, time
gate, port, ca = sys.argv[1:]
while not os.path.exists(gate):
    time.sleep(0.01)
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = ssl.create_default_context(cafile=ca).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
plain = socket.create_connection(("127.0.0.1", int(port)))
def step(call, *words):
    while True:
        try:
            return call(*words)
        except ssl.SSLWantReadError:
            plain.sendall(outgoing.read())
            incoming.write(plain.recv(16384))
        finally:
            plain.sendall(outgoing.read())
step(tls.do_handshake)
step(tls.write, b"GET /v1/models HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n")
step(tls.read, 9)
plain.close()
time.sleep(600)
"""


def test_a_call_ends_with_its_socket_while_its_process_and_its_object_live(tmp_path: Path) -> None:
    gate = tmp_path / "go"
    with fake_llm(tmp_path) as peer:
        port = peer.base_url.rpartition(":")[2]
        with started([sys.executable, "-c", INTERRUPT, str(gate), port, str(peer.ca_file)]) as client:
            graph = sources.tls(TlsOptions(Target(pid=client.pid))).pipe(op.read_http())
            with running(graph) as (_, kept):
                gate.touch()
                until(lambda: kept.of(TlsClose))
                assert client.poll() is None
                (request,), (close,) = kept.of(HttpRequest), kept.of(TlsClose)
                assert (request.target, close.origin.connection) == ("/v1/models", request.origin.connection)
                assert kept.of(HttpResponse) == []  # nine bytes are no head
