"""What could not be read is said, and is not complete: programs with TLS of their own, connections without any."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agentsight_rx import op, sources
from agentsight_rx.events import BlindSpot, HttpRequest, TlsChunk
from agentsight_rx.events.loss import Reason
from agentsight_rx.graphs import TraceOptions, trace
from agentsight_rx.sources import PlainHttpOptions, Target, TlsOptions
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.state import LmdbStore
from tests.live.capture import PATIENCE_S, running, started, until
from tests.live.peers import Peer, client_named, fake_llm
from tests.reports import read_report

pytestmark = pytest.mark.live

PROGRAM = [sys.executable, "-m", "agentsight_rx"]
UV = Path(sys.executable).parent / "uv"  # rustls with aws-lc, stripped
ASK = """
import os, socket, sys, time
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
for _ in range(3):
    with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as connection:
        connection.sendall(b"x" * 1009)
        while connection.recv(4096):
            pass
"""
# Reads one answer over TLS, beside it a connection on which it says only what looks like the begin of TLS
BESIDE = """
import asyncio, os, socket, ssl, sys, time
gate, port, ca, other, how = sys.argv[1:]
while not os.path.exists(gate):
    time.sleep(0.01)
context = ssl.create_default_context(cafile=ca)
asked = f"GET /v1/models HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nConnection: close\\r\\n\\r\\n".encode()

async def fed_from_memory():
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port), ssl=context)
    with socket.create_connection(("127.0.0.1", int(other))) as foreign:
        foreign.sendall(b"\\x16\\x03\\x01\\x02\\x0e" + b"x" * 526)
        writer.write(asked)
        while await reader.read(100):
            pass
    writer.close()

def by_its_socket():
    plain = socket.create_connection(("127.0.0.1", int(port)))
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
        with socket.create_connection(("127.0.0.1", int(other))) as foreign:
            foreign.sendall(b"\\x16\\x03\\x01\\x02\\x0e" + b"x" * 526)
        tls.sendall(asked)
        while tls.recv(100):
            pass

asyncio.run(fed_from_memory()) if how == "memory" else by_its_socket()
"""


def hidden(tmp_path: Path) -> Path:
    """A program whose TLS functions are not found: the text that its errors refer to begins one byte later."""
    path = tmp_path / "bin" / "uv"
    path.parent.mkdir()
    before = b"/aws-lc/crypto/fipsmodule/cipher/aead.c"
    content = UV.read_bytes()
    assert content.count(before) == 1
    path.write_bytes(content.replace(before, b"\0" + before[1:]))
    path.chmod(0o755)
    return path


def recorded(program: Path, peer: Peer, tmp_path: Path) -> tuple[Path, str, str]:
    """Record a program that asks the peer for a package: the store, what record said, what report says."""
    path = tmp_path / "run.lmdb"
    environment = os.environ | {"SSL_CERT_FILE": str(peer.ca_file), "HOME": str(tmp_path), "UV_NO_CONFIG": "1"}
    words = ["pip", "install", "--python", sys.executable, "--target", str(tmp_path / "x"), "--no-cache"]
    words += ["--index-url", f"{peer.base_url}/simple", "a-package-that-is-not-there"]
    command = [*PROGRAM, "record", "--no-server", "--db", str(path), "--", str(program), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    report = subprocess.run(
        [*PROGRAM, "report", "health", "--text", "--db", str(path)], capture_output=True, text=True, check=True
    )
    return path, done.stderr, report.stdout


def test_a_recording_of_a_program_whose_tls_is_not_found_is_not_complete(tmp_path: Path) -> None:
    program = hidden(tmp_path)
    with fake_llm(tmp_path) as peer:
        path, closing, text = recorded(program, peer, tmp_path)
    port = peer.base_url.rpartition(":")[2]
    assert re.search(
        r"\n1 thing is missing: uv \d+ could not be read, rustls with aws-lc\nall of it: .*report health", closing
    ), closing
    _, _, wrapped = text.partition("1 thing is missing\n  ! ")
    missing = " ".join(wrapped.split())
    assert missing.startswith("could not be read: uv (rustls with aws-lc), process "), text
    assert f"bytes to 127.0.0.1:{port}" in missing
    assert f"doctor --probe {program}" in missing
    store = LmdbStore.open(path, readonly=True)
    try:
        (row,) = read_report(store).blind_spots
    finally:
        store.close()
    assert (row.comm, row.files, row.looks_like) == ("uv", (str(program),), ("rustls with aws-lc",))
    assert row.connections >= 1


def test_a_program_whose_tls_is_found_by_what_its_code_does_is_read(tmp_path: Path) -> None:
    with fake_llm(tmp_path) as peer:
        path, summary, report = recorded(UV, peer, tmp_path)
        asked = [exchange.path for exchange in peer.exchanges()]
    assert "nothing is missing" in summary
    assert "nothing is missing" in report
    assert f"rustls with aws-lc in {UV}, by error reasons: proven" in report
    store = LmdbStore.open(path, readonly=True)
    try:
        seen = [event.target for event in read_events(store) if isinstance(event, HttpRequest)]
    finally:
        store.close()
    assert asked
    assert asked == seen


def test_connections_without_plaintext_are_counted_to_the_byte(tmp_path: Path) -> None:
    gate = tmp_path / "go"
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_answer, args=(server, 3), daemon=True).start()
        port = server.getsockname()[1]
        with started([sys.executable, "-c", ASK, str(gate), str(port)]) as watched:
            graph = sources.tls(TlsOptions(Target(watched.pid))).pipe(op.normalize(), op.find_blind_spots())
            with running(graph) as (run, kept):
                gate.touch()
                assert watched.wait(60) == 0
                until(lambda: any(spot.connections == 3 for spot in kept.of(BlindSpot)))
                summary = run.stop()
    last = kept.of(BlindSpot)[-1]
    assert (last.size, last.peers, last.files) == (3 * (1009 + 5003), (f"127.0.0.1:{port}",), ())
    (entry,) = summary.ledger.unintended()
    assert (entry.reason, entry.count, entry.size) == (Reason.UNREADABLE, 3, last.size)


@pytest.mark.parametrize("how", ["socket", "memory"])
def test_of_two_connections_the_one_that_was_not_read_is_named(tmp_path: Path, how: str) -> None:
    gate = tmp_path / "go"
    with fake_llm(tmp_path) as peer, socket.create_server(("127.0.0.1", 0)) as server:
        other, port = str(server.getsockname()[1]), peer.base_url.rpartition(":")[2]
        words = [sys.executable, "-c", BESIDE, str(gate), port, str(peer.ca_file), other, how]
        with started(words) as watched:
            graph = sources.tls(TlsOptions(Target(watched.pid))).pipe(op.normalize(), op.find_blind_spots())
            with running(graph) as (run, kept):
                gate.touch()
                assert watched.wait(60) == 0
                summary = run.stop()
    assert any(chunk.data.startswith(b"HTTP/1.1") for chunk in kept.of(TlsChunk))
    assert [(spot.connections, spot.among, spot.size, spot.peers) for spot in kept.of(BlindSpot)] == [
        (1, 0, 531, (f"127.0.0.1:{other}",))
    ]
    (entry,) = summary.ledger.unintended()
    assert (entry.reason, entry.count, entry.size) == (Reason.UNREADABLE, 1, 531)


def test_connections_that_were_read_are_none(tmp_path: Path) -> None:
    gate = tmp_path / "go"
    client = client_named("curl")
    with fake_llm(tmp_path) as peer:
        environment = client.env(peer, tmp_path) | {"WAIT_FOR": str(gate)}
        with started(client.command(peer, 5, 100), environment) as watched:
            graph = sources.tls(TlsOptions(Target(watched.pid))).pipe(op.normalize(), op.find_blind_spots())
            with running(graph) as (run, kept):
                gate.touch()
                assert watched.wait(60) == 0
                summary = run.stop()
    assert (kept.of(BlindSpot), summary.complete) == ([], True)


def _answer(server: socket.socket, connections: int) -> None:
    for _ in range(connections):
        connection, _ = server.accept()
        with connection:
            left = 1009
            while left:
                left -= len(connection.recv(left))
            connection.sendall(b"y" * 5003)


PROXY = """
import os, socket, subprocess, sys, threading, time
gate, port, ca = sys.argv[1:]
while not os.path.exists(gate):
    time.sleep(0.01)
server = socket.create_server(("127.0.0.1", 0))
def pass_on(source, drain):
    while data := source.recv(65536):
        drain.sendall(data)
    drain.shutdown(socket.SHUT_WR)
def serve():
    client, _ = server.accept()
    head = b""
    while not head.endswith(b"\\r\\n\\r\\n"):
        head += client.recv(4096)
    upstream = socket.create_connection(("127.0.0.1", int(port)))
    client.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
    threading.Thread(target=pass_on, args=(upstream, client)).start()
    pass_on(client, upstream)
threading.Thread(target=serve).start()
url = f"https://127.0.0.1:{port}/v1/models"
done = subprocess.run(["curl", "-s", "-x", f"http://127.0.0.1:{server.getsockname()[1]}", "--cacert", ca, url])
sys.exit(done.returncode)
"""


def test_a_tunnel_of_a_proxy_is_read_where_its_client_is(tmp_path: Path) -> None:
    gate = tmp_path / "go"
    with fake_llm(tmp_path) as peer:
        port = peer.base_url.rpartition(":")[2]
        with started([sys.executable, "-c", PROXY, str(gate), port, str(peer.ca_file)]) as proxy:
            graph = trace(TraceOptions(tls=TlsOptions(Target(proxy.pid)), plain_http=PlainHttpOptions(Target(proxy.pid))))
            with running(graph) as (run, kept):
                gate.touch()
                assert 0 == proxy.wait(PATIENCE_S)
                run.stop()
    assert {"CONNECT", "GET"} == {event.method for event in kept.of(HttpRequest)}
    assert [] == kept.of(BlindSpot)
