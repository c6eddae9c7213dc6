"""Peers, hosts, and what could not be read."""

from __future__ import annotations

import errno
from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from agentsight_rx.view import AuditRow, BlindSpotRow, CallRow, HttpRow
from agentsight_rx.view.queries.effects import network
from agentsight_rx.view.queries.effects.network import Network, network_of
from tests.view.queries.rows import AGENT, BASE, SHELL, causes, did, http, reached

BLIND = BlindSpotRow("b", 1, 2, "sh", SHELL, connections=2, size=900, peers=("9.9.9.9:443",), looks_like=("rustls",))


def seen(*rows: AuditRow, exchanges: Iterable[HttpRow] = (), blind: Iterable[BlindSpotRow] = ()) -> Network:
    return network_of(rows, exchanges, blind, causes())


def test_the_operations_on_one_peer_add_up() -> None:
    found = seen(
        reached("connect", "1.1.1.1:53", 1, count=2),
        reached("send", "1.1.1.1:53", 2, bytes=40),
        reached("connect", "1.1.1.1:53", 3, errno=errno.ECONNREFUSED),
        reached("connect", "2.2.2.2:1", 4),
    )
    (peer, other) = found.peers
    assert (peer.peer, peer.actions, peer.count) == ("1.1.1.1:53", {"connect": 3, "send": 1}, 4)
    assert (peer.errors, peer.error, peer.sent_bytes) == (1, "Connection refused", 40)
    assert (peer.first_timestamp_ms, peer.last_timestamp_ms, other.peer) == (1, 3, "2.2.2.2:1")
    assert ([who.comm for who in peer.by], [cause.turn for cause in peer.causes]) == (["sh"], [3])


def test_what_connections_carried_adds_up_and_is_no_operation() -> None:
    (peer,) = seen(
        reached("connect", "1.1.1.1:443", 1, count=2),
        reached("carried", "1.1.1.1:443", 2, bytes=40, received_bytes=100),
        reached("carried", "1.1.1.1:443", 3, bytes=2, received_bytes=3),
    ).peers
    assert (peer.sent_bytes, peer.received_bytes, peer.actions, peer.count) == (42, 103, {"connect": 2}, 2)


def test_sockets_of_services_that_are_not_there_come_last() -> None:
    nscd = "/var/run/nscd/socket"
    found = seen(
        reached("connect", nscd, 1, count=9, errno=errno.ENOENT),
        reached("connect", "/run/there", 2, count=7),
        reached("connect", "/run/there", 3, errno=errno.EAGAIN),
        reached("connect", "1.1.1.1:443", 4, count=2, errno=errno.ECONNREFUSED),
    )
    assert [(peer.peer, peer.is_absent) for peer in found.peers] == [
        ("/run/there", False),
        ("1.1.1.1:443", False),
        (nscd, True),
    ]


def test_bytes_that_were_not_measured_are_not_known() -> None:
    found = seen(
        reached("connect", "1.1.1.1:443"), reached("send", "2.2.2.2:53", bytes=7), reached("carried", "3.3.3.3:1", bytes=0)
    )
    assert {peer.peer: (peer.sent_bytes, peer.received_bytes) for peer in found.peers} == {
        "1.1.1.1:443": (None, None),
        "2.2.2.2:53": (7, None),
        "3.3.3.3:1": (0, 0),
    }


@pytest.mark.parametrize(
    ("connects", "accepts", "refused", "carried", "unmeasured"),
    [(3, 0, 0, 3, 0), (3, 0, 2, 3, 0), (3, 0, 0, 2, 1), (2, 1, 0, 2, 1), (0, 2, 0, 0, 2), (1, 0, 0, 3, 0)],
)
def test_there_is_no_sum_with_a_connection_that_was_not_measured(
    connects: int, accepts: int, refused: int, carried: int, unmeasured: int
) -> None:
    where = "1.1.1.1:443"
    rows = [reached("connect", where, 1, count=connects, protocol="tcp")] if connects else []
    rows += [reached("accept", where, 2, count=accepts, protocol="tcp")] if accepts else []
    rows += [reached("connect", where, 3, count=refused, protocol="tcp", errno=errno.ECONNREFUSED)] if refused else []
    rows += [reached("connect", where, 4, count=9, protocol="udp")]
    rows += [reached("carried", where, 5 + each, bytes=10, received_bytes=0) for each in range(carried)]
    (peer,) = seen(*rows).peers
    assert (unmeasured, None if unmeasured else 10 * carried) == (peer.unmeasured, peer.sent_bytes)
    assert bool(unmeasured) == (f"{unmeasured} not measured" in peer.deeds)


def test_a_connection_under_way_has_not_failed() -> None:
    (peer,) = seen(reached("connect", "1.1.1.1:80", errno=errno.EINPROGRESS)).peers
    assert (peer.errors, peer.error) == (0, None)


def test_hosts_have_their_paths_without_queries() -> None:
    found = seen(
        exchanges=[
            http(1, "a.test", "/x?key=1"),
            http(2, "a.test", "/x", status=404),
            http(3, "a.test", "/y", call="llm-1"),
            http(4, "b.test", "/"),
        ]
    )
    (one, other) = found.hosts
    assert (one.host, one.count, one.errors, one.calls) == ("a.test", 3, 1, 1)
    assert [(path.path, path.count, path.statuses) for path in one.paths] == [("/x", 2, (200, 404)), ("/y", 1, (200,))]
    assert (one.sent_bytes, one.received_bytes, other.host) == (30, 60, "b.test")


def test_the_end_of_a_server_in_the_tree_does_not_count_again() -> None:
    twin = CallRow("llm-9", 1, twin="llm-1")
    found = network_of(
        (), [http(1, "a.test", "/", call="llm-1"), http(2, "a.test", "/", call="llm-9")], (), causes(*BASE, twin)
    )
    assert [host.count for host in found.hosts] == [1]


def test_an_exchange_of_which_both_ends_were_seen_counts_once() -> None:
    server = replace(http(2, "a.test", "/"), server=True, twin="http-1")
    (host,) = seen(exchanges=[http(1, "a.test", "/"), server]).hosts
    assert host.count == 1


def test_an_accepted_connection_whose_other_end_was_seen_is_one_to_the_address_that_accepted_it() -> None:
    found = seen(
        reached("connect", "127.0.0.1:80", 1, local="127.0.0.1"),
        reached("accept", "127.0.0.1:5000", 2, local="127.0.0.1", local_port=80),
        reached("accept", "127.0.0.1:5001", 3, local="127.0.0.1", local_port=80),
        reached("accept", "127.0.0.1:5000", 4, local="127.0.0.1", local_port=81),
        reached("carried", "127.0.0.1:80", 5, bytes=7, received_bytes=9, local_port=5000),
    )
    assert {peer.peer: peer.actions for peer in found.peers} == {
        "127.0.0.1:80": {"connect": 1, "accept": 1},
        "127.0.0.1:5001": {"accept": 1},
        "127.0.0.1:5000": {"accept": 1},
    }
    assert (found.peers[0].sent_bytes, found.peers[0].received_bytes) == (7, 9)


def test_a_peer_has_the_name_of_the_only_host_that_its_process_asked_at_that_port() -> None:
    row = reached("connect", "1.1.1.1:443")
    assert seen(row, exchanges=[http(1, "a.test", "/")]).peers[0].names == ("a.test",)
    assert seen(row, exchanges=[http(1, "a.test:8443", "/")]).peers[0].names == ()
    assert seen(row, exchanges=[http(1, "a.test", "/"), http(2, "b.test", "/")]).peers[0].names == ()
    assert seen(row, exchanges=[http(1, "a.test", "/", process=AGENT)]).peers[0].names == ()


def test_a_process_that_could_not_be_read_gives_no_names() -> None:
    found = seen(reached("connect", "1.1.1.1:443"), exchanges=[http(1, "a.test", "/")], blind=[BLIND])
    assert found.peers[0].names == ()
    assert [(each.pid, each.connections, each.bytes, each.peers) for each in found.unread] == [(2, 2, 900, ("9.9.9.9:443",))]
    assert found.unread[0].sentence.startswith("sh (rustls), process 2")


def test_files_are_no_peers() -> None:
    assert seen(did("open", "/a")).peers == ()


def test_what_is_beyond_the_limits_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_PEERS_MOST", 1)
    monkeypatch.setattr(network, "_PATHS_MOST", 1)
    found = seen(reached("connect", "1"), reached("connect", "2"), exchanges=[http(1, "a", "/1"), http(2, "a", "/2")])
    assert (len(found.peers), len(found.hosts[0].paths), found.uncounted) == (1, 1, 2)
