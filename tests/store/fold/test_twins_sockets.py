"""Which connection is the other side of which, by their ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events import Connection, Origin, TlsOpen
from agentsight_rx.store.fold.twins import Sockets
from agentsight_rx.store.rows.ids import connection_id

CLIENT, SERVER = "127.0.0.1:50000", "127.0.0.1:443"


def opened(pid: int, local: str, peer: str, number: int = 1) -> TlsOpen:
    """Connection `number` of a process, whose ends are known."""
    return TlsOpen(
        Origin(number, pid, connection=Connection(pid, 1, "/usr/lib/libssl.so.3", number)), first=False, local=local, peer=peer
    )


def id_of(event: TlsOpen) -> str:
    return connection_id(event.origin)


def test_the_same_ends_the_other_way_round_are_the_other_side() -> None:
    sockets, client, server = Sockets(), opened(1, CLIENT, SERVER), opened(2, SERVER, CLIENT)
    assert sockets.opened(client) is None
    assert sockets.mirror(id_of(client)) is None
    assert sockets.opened(server) == id_of(client)
    assert (sockets.mirror(id_of(client)), sockets.mirror(id_of(server))) == (id_of(server), id_of(client))


def test_both_may_be_in_one_process() -> None:
    sockets, client, server = Sockets(), opened(1, CLIENT, SERVER, 1), opened(1, SERVER, CLIENT, 2)
    sockets.opened(client)
    assert sockets.opened(server) == id_of(client)


def test_a_socket_that_is_connected_to_itself_has_no_other_side() -> None:
    sockets = Sockets()
    assert sockets.opened(opened(1, CLIENT, CLIENT, 1)) is None
    assert sockets.opened(opened(1, CLIENT, CLIENT, 2)) is None


def test_ports_are_used_again_behind_the_end_of_a_connection_with_two_sides() -> None:
    sockets, client, server = Sockets(), opened(1, CLIENT, SERVER), opened(2, SERVER, CLIENT)
    sockets.opened(client)
    sockets.opened(server)
    sockets.closed(id_of(client))
    assert sockets.opened(opened(2, SERVER, CLIENT, 2)) is None


def test_a_client_that_ended_before_its_server_accepted_is_the_other_side_still() -> None:
    sockets, client = Sockets(), opened(1, CLIENT, SERVER)
    sockets.opened(client)
    sockets.closed(id_of(client))
    assert sockets.opened(opened(2, SERVER, CLIENT)) == id_of(client)


def test_what_is_not_known_after_all_has_no_other_side() -> None:
    sockets, client = Sockets(), opened(1, CLIENT, SERVER)
    sockets.opened(client)
    sockets.opened(opened(1, "", ""))
    assert sockets.opened(opened(2, SERVER, CLIENT)) is None


ends = st.sampled_from([(CLIENT, SERVER), (SERVER, CLIENT), ("127.0.0.1:50001", SERVER), (SERVER, "127.0.0.1:50001"), ("", "")])
steps = st.lists(st.tuples(st.booleans(), st.integers(1, 3), st.integers(1, 3), ends), max_size=12)


@given(steps, st.integers(0, 12))
def test_it_goes_on_from_its_snapshot(some: list[tuple[bool, int, int, tuple[str, str]]], cut: int) -> None:
    whole, parts = Sockets(), Sockets()
    for place, (opens, pid, number, (local, peer)) in enumerate(some):
        if place == cut:
            state, parts = parts.snapshot(), Sockets()
            parts.restore(state)
        event = opened(pid, local, peer, number)
        if opens:
            assert whole.opened(event) == parts.opened(event)
        else:
            whole.closed(id_of(event))
            parts.closed(id_of(event))
        assert whole.mirror(id_of(event)) == parts.mirror(id_of(event))
