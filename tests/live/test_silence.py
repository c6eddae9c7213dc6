"""Probes that are gone are put back, and what was missed meanwhile is counted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agentsight_rx.events import Loss, TlsChunk, TlsEvent
from agentsight_rx.events.loss import Reason
from agentsight_rx.sources import Target, TlsOptions
from agentsight_rx.sources.tls import scope
from agentsight_rx.sources.tls.source import TlsReader
from tests.live.capture import PATIENCE_S, started, until
from tests.live.peers import fake_llm

pytestmark = pytest.mark.live

TALKS = """
import os, socket, ssl, sys, time
gate, port, ca, stop = sys.argv[1:]
while not os.path.exists(gate):
    time.sleep(0.01)
context = ssl.create_default_context(cafile=ca)
with context.wrap_socket(socket.create_connection(("127.0.0.1", int(port))), server_hostname="127.0.0.1") as connection:
    while not os.path.exists(stop):
        connection.sendall(b"POST /nowhere HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2000\\r\\n\\r\\n" + bytes(2000))
        connection.recv(65536)
        time.sleep(0.02)
"""


def test_probes_that_are_gone_are_attached_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope, "_EVERY_S", 0.3)  # each look is a second otherwise
    gate, stop = tmp_path / "go", tmp_path / "stop"
    with fake_llm(tmp_path) as peer:
        words = [str(gate), peer.base_url.rpartition(":")[2], str(peer.ca_file), str(stop)]
        with started([sys.executable, "-c", TALKS, *words]) as process:
            said: list[str] = []
            reader = TlsReader(TlsOptions(Target(process.pid)), say=said.append)
            reader.open()
            events: list[TlsEvent] = []

            def seen(kind: type[TlsEvent]) -> list[TlsEvent]:
                events.extend(reader.poll(0.1) or ())
                return [event for event in events if isinstance(event, kind)]

            try:
                gate.touch()
                until(lambda: len(seen(TlsChunk)) > 4)
                for probed in reader.probed:
                    assert probed.probes is not None
                    probed.probes.close()
                seen(TlsChunk)
                events.clear()
                until(lambda: seen(Loss))
                (loss,) = seen(Loss)
                assert isinstance(loss, Loss)
                assert loss.reason == Reason.UNREADABLE
                assert loss.size >= 5 * 2000
                until(lambda: len(seen(TlsChunk)) > 4)
                assert "gave no plaintext for 5 s; probes attached anew" in said[-1]
            finally:
                reader.close()
                stop.touch()
            assert process.wait(PATIENCE_S) == 0
