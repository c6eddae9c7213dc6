"""What a service says to systemd, over a socket as systemd gives it."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from pathlib import Path

import pytest

from agentsight_rx.runtime.service.bounds import Notifier


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[tuple[socket.socket, str]]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@agentsight-rx-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address if address.startswith("/") else "\0" + address[1:])
        receiver.setblocking(False)
        yield receiver, address


def said(receiver: socket.socket) -> list[str]:
    lines: list[str] = []
    while True:
        try:
            lines += receiver.recv(4096).decode().split("\n")
        except BlockingIOError:
            return lines


def test_it_is_ready_once_and_goes_on_while_its_engine_does(systemd: tuple[socket.socket, str]) -> None:
    receiver, address = systemd
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())})
    assert (60.0, 10.0) == (notifier.watchdog_s, notifier.interval_s)
    notifier.goes_on("not yet", stuck_s=0.1, ready=False)
    assert ["STATUS=not yet", "WATCHDOG=1"] == said(receiver)
    notifier.goes_on("no agent\nruns", stuck_s=0.1)
    assert ["STATUS=no agent runs", "READY=1", "WATCHDOG=1"] == said(receiver)
    notifier.goes_on("1 agent", stuck_s=59.0)
    assert ["STATUS=1 agent", "WATCHDOG=1"] == said(receiver)
    notifier.goes_on("1 agent", stuck_s=60.0)
    assert ["STATUS=1 agent"] == said(receiver), "systemd ends it, and starts it again"
    notifier.stops()
    assert ["STOPPING=1"] == said(receiver)


def test_a_watchdog_of_another_process_is_not_ours(systemd: tuple[socket.socket, str]) -> None:
    receiver, address = systemd
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"})
    assert (None, 10.0) == (notifier.watchdog_s, notifier.interval_s)
    notifier.goes_on("", stuck_s=0)
    assert ["STATUS=", "READY=1"] == said(receiver)
    assert 1.0 == Notifier({"WATCHDOG_USEC": "3000000"}).interval_s


@pytest.mark.parametrize(
    "given", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}, {"NOTIFY_SOCKET": "/nowhere/at/all"}]
)
def test_without_a_socket_it_says_nothing(given: dict[str, str]) -> None:
    notifier = Notifier(given)
    notifier.goes_on("x", stuck_s=0)
    notifier.stops()
