"""Probes that are gone are noticed by what their processes read and write; nothing else is taken for it."""

from __future__ import annotations

from collections.abc import Callable

from agentsight_rx.events import Origin
from agentsight_rx.sources.tls.scope import Silence, Silent
from agentsight_rx.sources.tls.traffic import Carried, Tcp, Traffic

PID, START = 70, 5


class World:
    """One process with one connection, whose bytes and plaintext grow by what is given for each second."""

    def __init__(self, *, read: bool = True) -> None:
        self.seconds = 0.0
        self.moved = (1 << 32) - 1000  # it wraps around
        self.plaintext = 0
        self.traffic = Traffic()
        self.traffic.ask = lambda _: Carried(0, 0, self.moved % (1 << 32))
        self.traffic.begin(
            Tcp(
                Origin(1, PID, comm="agent"),
                START,
                sock=100,
                peer="127.0.0.1",
                port=443,
                sent=0,
                received=0,
                in_offset=0,
                out_offset=0,
                ended=False,
            )
        )
        if read:
            self.traffic.plaintext(PID, START)
        self.silence = Silence(self.traffic, lambda: {(PID, START): self.plaintext}, clock=lambda: self.seconds)

    def second(self, moved: int, plaintext: int = 0) -> list[Silent]:
        self.seconds += 1
        self.moved += moved
        self.plaintext += plaintext
        return self.silence.look()


def over(seconds: int, step: Callable[[], list[Silent]]) -> list[Silent]:
    return [each for _ in range(seconds) for each in step()]


def test_bytes_without_plaintext_for_five_seconds_are_noticed() -> None:
    world = World()
    assert over(3, lambda: world.second(5000, 4900)) == []
    assert over(4, lambda: world.second(5000)) == []
    (silent,) = world.second(5000)
    assert (silent.origin.pid, silent.seconds, silent.size) == (PID, 5, 25_000)


def test_any_plaintext_is_a_sign_of_life() -> None:
    world = World()
    assert over(4, lambda: world.second(5000)) == []
    assert world.second(5000, 1) == []
    assert over(4, lambda: world.second(5000)) == []


def test_nothing_is_expected_of_a_process_that_waits_or_keeps_its_connection_alive() -> None:
    world = World()
    assert over(60, lambda: world.second(0)) == []
    assert over(60, lambda: world.second(100)) == []


def test_nothing_is_known_of_a_process_that_was_not_read_before() -> None:
    world = World(read=False)
    assert over(60, lambda: world.second(5000)) == []


def test_it_is_not_tried_for_ever() -> None:
    world = World()
    assert len(over(100, lambda: world.second(5000))) == 3


def test_it_looks_once_a_second() -> None:
    world = World()
    world.second(5000)
    world.moved += 5000
    for _ in range(100):
        world.seconds += 0.001
        assert world.silence.look() == []
