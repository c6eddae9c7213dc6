"""Which traffic of a process was not read."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentsight_rx.events import (
    NO_CODE,
    NO_HTTP,
    PLAIN,
    BlindSpot,
    Connection,
    Loss,
    Origin,
    TcpTraffic,
    TlsChunk,
    TlsClose,
    TlsEvent,
    TlsOpen,
    UnreadTls,
)
from agentsight_rx.events.loss import Reason
from agentsight_rx.operators import find_blind_spots
from tests.operators import MS, Running, run

START = 7


def tls(handle: int, pid: int = 1) -> Origin:
    return Origin(1, pid, comm="agent", connection=Connection(pid, START, "/lib/libssl.so.3", handle), direction="out")


def chunk(handle: int, pid: int = 1) -> TlsChunk:
    return TlsChunk(tls(handle, pid), b"GET", 0, 0)


def tcp(
    number: int, size: int = 100, *, pid: int = 1, ended: bool = True, peer: str = "10.0.0.1", local_port: int = 0
) -> TcpTraffic:
    return TcpTraffic(
        Origin(2, pid, comm="agent"),
        START,
        number=number,
        peer=peer,
        port=443,
        sent=size,
        received=0,
        ended=ended,
        local_port=local_port,
    )


def on_port(local_port: int, handle: int, *, sure: bool = True) -> TlsOpen:
    """The TLS object receives from the connection with this port."""
    return TlsOpen(tls(handle), first=False, local_port=local_port, port=443, sure=sure)


def found(*events: TlsEvent) -> tuple[list[BlindSpot], int, int]:
    """The blind spots, and (connections, bytes) in the ledger."""
    made = run(find_blind_spots(), events)
    losses = [event for event in made if isinstance(event, Loss)]
    assert all(loss.reason is Reason.UNREADABLE for loss in losses)
    spots = [event for event in made if isinstance(event, BlindSpot)]
    return spots, sum(loss.count for loss in losses), sum(loss.size for loss in losses)


def test_a_connection_that_was_read_is_none() -> None:
    assert found(chunk(1), tcp(1)) == ([], 0, 0)


def test_a_handshake_alone_counts_as_read() -> None:
    assert found(TlsOpen(tls(1)), tcp(1)) == ([], 0, 0)


def test_a_connection_without_plaintext_is_one() -> None:
    spots, connections, size = found(UnreadTls(Origin(1, 1), START, "/bin/codex", "rustls with aws-lc"), tcp(1, 100))
    assert (connections, size) == (1, 100)
    (spot,) = spots
    assert (spot.connections, spot.size, spot.peers) == (1, 100, ("10.0.0.1:443",))
    assert (spot.files, spot.looks_like) == (("/bin/codex",), ("rustls with aws-lc",))


def test_of_two_connections_it_is_not_known_which_one_was_read() -> None:
    spots, connections, size = found(chunk(1), tcp(1, 1000), tcp(2, 30))
    assert [(spot.connections, spot.among, spot.size) for spot in spots] == [(1, 2, 1030)]
    assert (connections, size) == (1, 0)


@pytest.mark.parametrize("sure", [True, False])
@pytest.mark.parametrize("foreign_first", [True, False])
def test_a_connection_that_was_read_is_never_blamed_for_another(*, foreign_first: bool, sure: bool) -> None:
    traffic = [tcp(1, 22_000_000, local_port=50_001), tcp(2, 531, local_port=50_002, peer="10.0.0.2")]
    opened: list[TlsEvent] = [TlsOpen(tls(1)), on_port(50_001, 1, sure=sure), chunk(1)]
    spots, connections, size = found(*opened, *(reversed(traffic) if foreign_first else traffic))
    assert [(spot.connections, spot.among, spot.size, spot.peers) for spot in spots] == [(1, 0, 531, ("10.0.0.2:443",))]
    assert (connections, size) == (1, 531)


def test_an_object_of_which_the_connection_is_learnt_late_takes_it_out() -> None:
    growing = [tcp(1, 10, ended=False, local_port=50_001), tcp(2, 531, local_port=50_002, peer="10.0.0.2")]
    spots, *_ = found(
        TlsOpen(tls(1)), *growing, on_port(50_001, 1), tcp(1, 90, local_port=50_001), tcp(3, 1, local_port=50_003)
    )
    assert (spots[-1].connections, spots[-1].among, spots[-1].size) == (2, 0, 532)
    assert spots[-1].peers == ("10.0.0.2:443", "10.0.0.1:443")


def test_two_objects_that_seem_to_receive_from_one_connection_are_counted() -> None:
    doubtful = [on_port(50_001, 1, sure=False), on_port(50_001, 2, sure=False)]
    spots, *_ = found(*doubtful, tcp(1, local_port=50_001), tcp(2, local_port=50_002), tcp(3, local_port=50_003))
    assert [(spot.connections, spot.among) for spot in spots] == [(1, 3)]


def test_tls_inside_tls_is_one_connection() -> None:
    spots, *_ = found(on_port(50_001, 1), on_port(50_001, 2), tcp(1, local_port=50_001), tcp(2, 7, local_port=50_002))
    assert [(spot.connections, spot.among, spot.size) for spot in spots] == [(1, 0, 7)]


def test_an_object_on_a_connection_from_before_the_capture_excuses_no_other() -> None:
    before = TlsOpen(tls(1), first=False, local_port=-1, port=443)
    spots, *_ = found(chunk(1), before, tcp(1, 7, local_port=50_002))
    assert [(spot.connections, spot.among, spot.size) for spot in spots] == [(1, 0, 7)]


def test_a_port_that_is_used_again_is_another_connection() -> None:
    spots, *_ = found(on_port(50_001, 1), tcp(1, local_port=50_001), TlsClose(tls(1)), tcp(2, 7, local_port=50_001))
    assert [(spot.connections, spot.size) for spot in spots] == [(1, 7)]


def test_an_object_that_is_used_again_has_another_connection() -> None:
    first, second = tcp(1, local_port=50_001), tcp(2, local_port=50_002)
    assert found(on_port(50_001, 1), first, on_port(50_002, 1), second) == ([], 0, 0)


def test_an_address_of_a_tls_object_that_is_used_again_is_another_object() -> None:
    assert found(chunk(1), TlsClose(tls(1)), tcp(1), chunk(1), tcp(2)) == ([], 0, 0)


def test_code_that_is_not_used_is_none() -> None:
    assert found(UnreadTls(Origin(1, 1), START, "/lib/libgnutls.so.30", "GnuTLS")) == ([], 0, 0)


def test_processes_do_not_mix() -> None:
    spots, *_ = found(chunk(1, pid=1), tcp(1, pid=2), tcp(2, pid=1))
    assert [spot.origin.pid for spot in spots] == [2]


def test_an_open_connection_grows_and_counts_once() -> None:
    spots, connections, size = found(tcp(1, 10, ended=False), tcp(1, 25, ended=False), tcp(1, 25), tcp(2, 5))
    assert ([spot.size for spot in spots], connections, size) == ([10, 25, 30], 2, 30)


def test_an_ipv6_address_stands_in_brackets() -> None:
    spots, *_ = found(tcp(1, peer="::1"))
    assert spots[0].peers == ("[::1]:443",)


def plain(handle: int, pid: int = 1) -> Origin:
    return Origin(1, pid, comm="agent", connection=Connection(pid, START, PLAIN, handle), direction="in")


def test_a_connection_without_tls_that_was_recognised_is_none() -> None:
    assert found(TlsOpen(plain(1)), TlsChunk(plain(1), b"GET", 0, 0), TlsClose(plain(1)), tcp(1)) == ([], 0, 0)


def test_what_a_process_accepts_without_tls_hides_no_connection_that_it_opens() -> None:
    spots, *_ = found(TlsChunk(plain(1), b"GET", 0, 0), tcp(1))
    assert [spot.connections for spot in spots] == [1]


def test_a_connection_may_be_recognised_after_its_bytes_were_counted() -> None:
    carried = [tcp(1, local_port=50_001), tcp(2, 30, local_port=50_002)]
    recognised = TlsOpen(plain(1), first=False, local_port=50_001, port=443)
    read: list[TlsEvent] = [carried[0], recognised, carried[1]]
    *passed, spot, loss = run(find_blind_spots(wait=2.0), read)
    assert passed == [replace(each, judged=True) for each in carried]
    assert isinstance(spot, BlindSpot)
    assert isinstance(loss, Loss)
    assert (spot.connections, loss.count, spot.size) == (1, 1, 30)


@pytest.mark.parametrize(("wait", "why"), [(0.0, NO_CODE), (2.0, NO_HTTP)])
def test_where_http_without_tls_was_looked_for_it_is_not_named_as_what_may_be_there(wait: float, why: str) -> None:
    traffic = tcp(1, local_port=50_001)
    code = UnreadTls(traffic.origin, traffic.start_ns, "", NO_CODE)
    events: list[TlsEvent] = [code, traffic]
    made = run(find_blind_spots(wait=wait), events)
    assert [why] == [spot.why for spot in made if isinstance(spot, BlindSpot)]


def test_what_an_object_received_from_before_was_its_own_too() -> None:
    first, second = tcp(1, local_port=50_001), tcp(2, local_port=50_002)
    moved: list[TlsEvent] = [on_port(50_001, 1), first, on_port(50_002, 1), second, on_port(-1, 1)]
    assert run(find_blind_spots(wait=2.0), moved) == [replace(each, judged=True) for each in (first, second)]


def test_a_sure_connection_replaces_a_doubtful_one() -> None:
    doubtful, sure = on_port(50_001, 1, sure=False), on_port(50_002, 1)
    spots, *_ = found(doubtful, sure, tcp(1, 7, local_port=50_001), tcp(2, local_port=50_002))
    assert [(spot.connections, spot.among, spot.size) for spot in spots] == [(1, 0, 7)]


def test_a_wait_begins_with_its_bytes_however_many_ticks_follow() -> None:
    counts: list[int] = []
    for ticks in (range(20 * MS, 4000 * MS + 1, 20 * MS), [4000 * MS]):
        trial = Running(find_blind_spots(wait=2.0))
        trial.tick(20 * MS)
        made = trial.feed(tcp(1))
        made += [each for now_ns in ticks for each in trial.tick(now_ns)]
        made += trial.feed(TlsOpen(plain(1))) + trial.finish()
        counts.append(len([each for each in made if isinstance(each, BlindSpot)]))
    assert counts == [1, 1]


def test_a_wait_goes_on_behind_a_snapshot() -> None:
    before, after = Running(find_blind_spots(wait=2.0)), Running(find_blind_spots(wait=2.0))
    before.tick(5000 * MS)
    after.restore(before.snapshot())
    after.feed(tcp(1))
    assert after.tick(6999 * MS) == []
    assert any(isinstance(each, BlindSpot) for each in after.tick(7000 * MS))


def test_everything_else_passes() -> None:
    events: list[TlsEvent] = [chunk(1), TlsClose(tls(1))]
    assert run(find_blind_spots(), events) == events


# -- what a connection carried ---------------------------------------------------------------------------------------------


def carried(*events: TlsEvent) -> list[tuple[int, int, bool]]:
    """Number, bytes sent, and whether it has ended, of what is passed on."""
    made = [event for event in run(find_blind_spots(), events) if isinstance(event, TcpTraffic)]
    assert all(event.judged for event in made)
    return [(event.number, event.sent, event.ended) for event in made]


def test_the_bytes_of_a_connection_that_has_ended_are_passed_on_once() -> None:
    assert carried(tcp(1, 10, ended=False), tcp(1, 20, ended=False), tcp(1, 30)) == [(1, 30, True)]


def test_the_bytes_of_an_open_connection_are_passed_on_at_the_end() -> None:
    assert carried(tcp(1, 10, ended=False), tcp(1, 20, ended=False), tcp(2, 5)) == [(2, 5, True), (1, 20, False)]


def test_also_of_connections_that_were_read() -> None:
    assert carried(chunk(1), tcp(1, 30)) == [(1, 30, True)]


def test_a_replay_does_not_judge_again() -> None:
    made = run(find_blind_spots(), [tcp(1, 30)])
    passed = [event for event in made if isinstance(event, TcpTraffic)]
    assert run(find_blind_spots(), passed) == passed
    assert len(made) == 3  # with the blind spot and the loss


# -- tunnels ---------------------------------------------------------------------------------------------------------------

PROXY, CLIENT = 5, 6


def accepted(data: bytes, peer: str, *, handle: int = 1) -> list[TlsEvent]:
    """A connection without TLS that the proxy has accepted, and its first bytes."""
    origin = Origin(1, PROXY, connection=Connection(PROXY, START, PLAIN, handle), direction="in")
    opened = TlsOpen(origin, first=False, local_port=-1, port=4000 + handle, local="10.0.0.9:3128", peer=peer)
    return [opened, TlsChunk(origin, data, 0, 0)]


def read_at(local: str, *, handle: int = 77) -> TlsOpen:
    """The TLS of the client is read, over its connection with this end."""
    return TlsOpen(tls(handle, CLIENT), first=False, local_port=4001, port=3128, local=local, peer="10.0.0.9:3128")


def test_what_goes_through_a_tunnel_is_read_where_its_client_is() -> None:
    asked = accepted(b"CONNECT api.example:443 HTTP/1.1\r\n\r\n", "10.0.0.1:4001")
    client: list[TlsEvent] = [chunk(77, CLIENT), read_at("10.0.0.1:4001")]
    assert ([], 0, 0) == found(*asked, *client, tcp(1, pid=PROXY))


@pytest.mark.parametrize(
    ("first", "local"),
    [
        (b"CONNECT api.example:443 HTTP/1.1", "10.0.0.1:4999"),  # of another client, which is not read
        (b"GET http://api.example/ HTTP/1.1", "10.0.0.1:4001"),  # no tunnel
        (b"CONNECT api.example:443 HTTP/1.1", ""),
    ],
)
def test_what_a_proxy_says_itself_is_not_read(first: bytes, local: str) -> None:
    events = [*accepted(first, "10.0.0.1:4001"), chunk(77, CLIENT), *([read_at(local)] if local else []), tcp(1, pid=PROXY)]
    spots, connections, size = found(*events)
    assert ([1], 1, 100) == ([spot.connections for spot in spots], connections, size)


def test_each_tunnel_stands_for_one_connection() -> None:
    asked = accepted(b"CONNECT api.example:443 HTTP/1.1\r\n\r\n", "10.0.0.1:4001")
    events = [*asked, chunk(77, CLIENT), read_at("10.0.0.1:4001"), read_at("10.0.0.1:4001", handle=78)]
    spots, connections, _ = found(*events, tcp(1, pid=PROXY), tcp(2, pid=PROXY))
    assert ([1], 1) == ([spot.connections for spot in spots], connections)
