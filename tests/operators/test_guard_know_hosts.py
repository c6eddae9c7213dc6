"""op.know_hosts: the hosts of earlier recordings, before the first event."""

from __future__ import annotations

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.stream import Operator
from agentsight_rx.events import Event, HostsKnown, Origin, ProcessFork
from agentsight_rx.operators import know_hosts

SECOND = 1_000_000_000
PAIR = ("/home/ada/shop", "paste.example")


def fork(time_ns: int) -> Event:
    return ProcessFork(Origin(time_ns, 9, wall_ns=time_ns + SECOND), 7, 2)


def known(*events: Event) -> list[Event]:
    operator: Operator[Event, Event] = know_hosts(PAIR)
    return list(operator.kernel(Site(Engine(), "know_hosts")).feed(events))


def test_they_come_once_and_before_what_may_come_late() -> None:
    origin = Origin(4 * SECOND, 0, comm="guard", wall_ns=5 * SECOND)
    assert [HostsKnown(origin, (PAIR,)), fork(9 * SECOND), fork(10 * SECOND)] == known(fork(9 * SECOND), fork(10 * SECOND))


def test_time_does_not_begin_before_its_begin() -> None:
    assert 1 == known(fork(SECOND))[0].origin.time_ns
    assert [] == known()
