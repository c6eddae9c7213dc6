"""The bytes of a connection are those that its process has written and read, however it ends and whatever was sent again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agentsight_rx import op, sources
from agentsight_rx.events import BlindSpot, TcpTraffic
from agentsight_rx.sources import Target, TlsOptions
from tests.live.capture import PATIENCE_S, running, started, until

pytestmark = pytest.mark.live

# The server is a thread of the same process, so that both ends end as the test says; it prints what the client wrote and read
TALK = """
import fcntl, os, socket, struct, sys, threading, time
gate, how = sys.argv[1:]
while not os.path.exists(gate):
    time.sleep(0.01)
def loopback(flags):
    with socket.socket() as any_one:
        fcntl.ioctl(any_one, 0x8914, struct.pack("16sh14x", b"lo", flags))  # SIOCSIFFLAGS
if how == "sent again":
    os.unshare(os.CLONE_NEWNET)
    loopback(1)
server = socket.create_server(("127.0.0.1", 0))
client = socket.socket()
client.connect(server.getsockname())
here, _ = server.accept()
def take(end, size):
    while size:
        size -= len(end.recv(min(size, 65536)))
def closed(end):  # its process reads that the other side has closed it
    assert end.recv(1) == b""
written = read = 0
match how:
    case "in order" | "half closed" | "closed by the other" | "closed by the other, not read" | "sent again" | "stays open":
        if how == "sent again":
            loopback(0)
        client.sendall(b"x" * 5003)
        written = 5003
        if how == "sent again":
            time.sleep(0.5)
            loopback(1)
        take(here, written)
        if how == "half closed":
            client.shutdown(socket.SHUT_WR)
            closed(here)
        here.sendall(b"y" * 7001)
        take(client, 7001)
        read = 7001
        if how == "closed by the other":
            here.close()
            closed(client)
        if how == "closed by the other, not read":
            here.sendall(b"z" * 11)
            here.close()
            time.sleep(0.1)
        if how == "half closed":
            here.close()
            closed(client)
    case "not all sent":
        client.setblocking(False)
        try:
            while True:
                written += client.send(b"x" * 65536)
        except BlockingIOError:
            pass
    case "refused":
        server.close()
        try:
            with socket.socket() as other:
                other.connect(("127.0.0.1", 1))
        except OSError:
            pass
    case "reset":
        client.sendall(b"x" * 99)
        written = 99
        take(here, 99)
        here.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        here.close()
        time.sleep(0.1)
print(written, read, flush=True)
if how == "stays open":
    time.sleep(3600)
if how != "not all sent":
    client.close()
os._exit(0)
"""
HOW = {
    *("in order", "half closed", "closed by the other", "closed by the other, not read", "sent again", "stays open"),
    *("not all sent", "nothing", "refused", "reset"),
}


@pytest.mark.parametrize("how", sorted(HOW))
def test_what_a_connection_carried_is_what_its_process_wrote_and_read(how: str, tmp_path: Path) -> None:
    gate, said = tmp_path / "go", tmp_path / "said"
    with said.open("wb") as output:
        command = [sys.executable, "-c", TALK, str(gate), how]
        with started(command, output=output.fileno()) as talker:
            graph = sources.tls(TlsOptions(Target(talker.pid))).pipe(op.find_blind_spots())
            with running(graph) as (run, kept):
                gate.touch()
                if how == "stays open":
                    until(said.read_bytes)
                else:
                    assert talker.wait(PATIENCE_S) == 0
                run.stop()
    written, read = map(int, said.read_text().split())
    (event,) = kept.of(TcpTraffic)
    assert (written, read, how != "stays open") == (event.sent, event.received, event.ended)
    assert bool(written) == bool(kept.of(BlindSpot))
