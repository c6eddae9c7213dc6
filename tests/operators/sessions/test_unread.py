"""How many connections of a process were not read, whatever comes first: the object, or what its connection carried."""

from __future__ import annotations

import pytest

from agentsight_rx.events import BlindSpot, Loss, Origin, TcpTraffic, TlsOpen, UnreadTls
from agentsight_rx.operators.sessions.unread import Unread

HERE = Origin(1, 7)


def carried(number: int, local: int = 0, *, size: int = 10, ended: bool = True, peer: str = "10.0.0.7") -> TcpTraffic:
    return TcpTraffic(HERE, 1, number, peer, 443, sent=size, received=0, ended=ended, local_port=local)


def receives(local: int, *, sure: bool = True) -> TlsOpen:
    return TlsOpen(HERE, first=False, local_port=local, port=443, sure=sure)


def spot(facts: Unread) -> tuple[int, int, int] | None:
    spots = [each for each in facts.news() if isinstance(each, BlindSpot)]
    return (spots[-1].connections, spots[-1].size, spots[-1].among) if spots else None


def test_a_process_whose_connections_were_read_and_have_ended_is_settled() -> None:
    facts = Unread()
    assert facts.settled
    facts.used(1)
    facts.receives(1, receives(5000))
    assert not facts.settled
    facts.freed(1)
    assert not facts.settled  # what it carried is still to come
    facts.carried(carried(1, 5000))
    assert facts.settled


def test_an_object_of_an_unknown_connection_is_settled_with_what_it_carried_and_an_unread_one_never_is() -> None:
    facts = Unread()
    facts.used(1)
    facts.freed(1)
    assert not facts.settled
    facts.carried(carried(1))
    assert facts.settled
    facts.carried(carried(2))
    assert (spot(facts), facts.settled) == ((1, 20, 2), False)


@pytest.mark.parametrize("object_first", [True, False])
def test_a_connection_with_an_object_is_read_and_another_is_named(object_first: bool) -> None:
    facts = Unread()
    facts.used(1)
    if object_first:
        facts.receives(1, receives(5000))
    facts.carried(carried(1, 5000, ended=False))
    if not object_first:
        facts.receives(1, receives(5000))
    assert spot(facts) is None
    facts.carried(carried(1, 5000))
    facts.carried(carried(2, 5001, size=531, peer="::1"))
    facts.code(UnreadTls(HERE, 1, "/lib/x.so", "rustls"))
    news = facts.news()
    (found,) = [each for each in news if isinstance(each, BlindSpot)]
    (loss,) = [each for each in news if isinstance(each, Loss)]
    assert (found.connections, found.size, found.among, found.peers) == (1, 531, 0, ("[::1]:443",))
    assert (found.files, loss.count, loss.size) == (("/lib/x.so",), 1, 531)
    assert facts.news() == []


def test_loose_objects_say_how_many_and_not_which() -> None:
    facts = Unread()
    facts.used(1)
    for number in (1, 2):
        facts.carried(carried(number, 5000 + number))
    assert spot(facts) == (1, 20, 2)


def test_a_freed_object_was_one_and_ports_are_used_again_behind_the_end() -> None:
    facts = Unread()
    facts.used(1)
    facts.receives(1, receives(5000))
    facts.freed(1)
    facts.carried(carried(1, 5000))
    assert spot(facts) is None
    facts.carried(carried(2, 5000))
    assert spot(facts) == (1, 10, 0)


def test_a_doubtful_connection_of_two_objects_is_of_neither() -> None:
    facts = Unread()
    for handle in (1, 2):
        facts.used(handle)
        facts.receives(handle, receives(5000, sure=False))
    facts.carried(carried(1, 5000))
    facts.carried(carried(2, 5001))
    assert spot(facts) is None
    facts.carried(carried(3, 5002))
    assert spot(facts) == (1, 30, 3)


def test_a_connection_whose_ports_are_known_later_is_matched_then() -> None:
    facts = Unread()
    facts.used(1)
    facts.receives(1, receives(5000))
    facts.carried(carried(1, ended=False))
    facts.carried(carried(1, 5000))
    assert spot(facts) is None


def test_a_report_that_changes_nothing_but_the_doubt_is_no_loss() -> None:
    facts = Unread()
    facts.carried(carried(1, 5001))
    assert spot(facts) == (1, 10, 0)
    facts.used(1)
    facts.carried(carried(2, 5002))
    (found,) = facts.news()
    assert isinstance(found, BlindSpot)
    assert (found.connections, found.among) == (1, 2)


def test_of_very_many_connections_the_oldest_is_no_longer_known() -> None:
    facts = Unread()
    for handle in range(4097):
        facts.used(handle)
        facts.receives(handle, receives(1000 + handle))
    facts.carried(carried(1, 1000))
    assert spot(facts) is None  # its object is one of which it is not known what it receives
    assert (len(facts.below), facts.loose) == (4096, 1)
