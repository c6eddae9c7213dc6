"""Lists of values over a socket: in any pieces, and counted where nobody takes them."""

from __future__ import annotations

import socket
from collections.abc import Generator

import pytest

from agentsight_rx.events import Origin, ProcessFork
from agentsight_rx.sources.hooks.calls import Report, Stated, Wire

FORK = ProcessFork(Origin(1, 2), 1, 5)


Wires = tuple[Wire[Report, str], Wire[str, Report]]


@pytest.fixture
def wires() -> Generator[Wires]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Wire(ours, list[str]), Wire(theirs, list[Report])


def test_values_come_as_they_were_sent(wires: Wires) -> None:
    tracer, recorder = wires
    tracer.send([b"record", FORK])
    tracer.send([Stated(7, "no")])
    assert recorder.receive() == [b"record", FORK, Stated(7, "no")]
    recorder.send(["end"])
    assert tracer.receive() == ["end"]


def test_a_value_that_came_in_part_waits(wires: Wires) -> None:
    tracer, recorder = wires
    ours, theirs = socket.socketpair()
    with ours, theirs:
        tracer.send([b"x" * 100, FORK])
        whole = socket.socket.recv(recorder._end, 1 << 16)  # pyright: ignore[reportPrivateUsage]  # as bytes
        slow: Wire[str, Report] = Wire(theirs, list[Report])
        received: list[Report] = []
        for at in range(len(whole)):
            ours.send(whole[at : at + 1])
            received += slow.receive()
    assert received == [b"x" * 100, FORK]


def test_an_end_is_seen_and_all_before_it_comes(wires: Wires) -> None:
    tracer, recorder = wires
    tracer.send([FORK])
    tracer.close()
    assert recorder.receive() == [FORK]
    assert recorder.closed


def test_what_nobody_takes_is_counted_beyond_a_limit(wires: Wires) -> None:
    tracer, recorder = wires
    part = b"x" * (1 << 20)
    sent = 0
    while not tracer.lost:
        tracer.send([part])
        sent += 1
    received: list[Report] = []
    while len(received) + tracer.lost < sent:
        tracer.flush()
        received += recorder.receive()
    assert sent == len(received) + tracer.lost
