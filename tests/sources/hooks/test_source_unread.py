"""Connections of processes, and how many of them were read."""

from __future__ import annotations

from agentsight_rx.events import BlindSpot, Event, NetEvent, Origin, ProcessExit, UnreadTls
from agentsight_rx.sources.hooks.source import Unread

WHO = Origin(10, 7, comm="uv")


def connected(port: int, *, error: int = 0, protocol: str = "tcp") -> NetEvent:
    return NetEvent(WHO, 5, "connect", "ipv4", protocol, peer="127.0.0.1", port=port, error=error)


def ended() -> ProcessExit:
    return ProcessExit(Origin(20, 7), 1, 5, exit_code=0)


def spots(read: int, *events: Event) -> list[BlindSpot]:
    unread = Unread(lambda pid, start_ns: read if (pid, start_ns) == (7, 5) else 0)
    return [each for event in events for each in unread.take(event) if isinstance(each, BlindSpot)]


def test_a_process_of_which_nothing_was_read_is_a_blind_spot_at_its_end() -> None:
    [spot] = spots(0, UnreadTls(WHO, 5, "/bin/uv", "rustls with ring"), connected(443), connected(444), ended())
    assert (2, 0, ("127.0.0.1:443", "127.0.0.1:444")) == (spot.connections, spot.among, spot.peers)
    assert (("/bin/uv",), ("rustls with ring",)) == (spot.files, spot.looks_like)


def test_one_that_was_read_wholly_is_none() -> None:
    assert spots(2, connected(443), connected(444), ended()) == []


def test_of_some_it_is_not_known_which_were_read() -> None:
    [spot] = spots(1, connected(443), connected(444), ended())
    assert (1, 2) == (spot.connections, spot.among)


def test_connects_that_failed_and_other_protocols_do_not_count() -> None:
    assert spots(0, connected(443, error=111), connected(53, protocol="udp"), ended()) == []


def test_processes_that_go_on_are_looked_at_in_the_end() -> None:
    unread = Unread(lambda pid, start_ns: 0)
    assert [*unread.take(connected(443))] == [connected(443)]
    assert [spot.connections for spot in unread.finish()] == [1]
    assert [*unread.finish()] == []


def test_what_code_looks_like_goes_no_further() -> None:
    assert [*Unread(lambda pid, start_ns: 0).take(UnreadTls(WHO, 5, "/bin/uv", "ring"))] == []
