"""A connection that was read is never named as one that was not, and as many are counted as were not read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from agentsight_rx.events import BlindSpot, Connection, Loss, Origin, TcpTraffic, TlsChunk, TlsClose, TlsEvent, TlsOpen
from agentsight_rx.operators import find_blind_spots
from tests.operators import run

START_NS = 7


class Real(Struct, frozen=True):
    """A TCP connection as it was: `read` by an object, from which it is `known` that it receives from there."""

    read: bool
    known: bool
    sure: bool
    size: int
    growing: bool


def story(number: int, real: Real) -> list[TlsEvent]:
    """Its events, in their order."""
    port, whose = 50_000 + number, Origin(1, 9, connection=Connection(9, START_NS, "/lib/libssl.so.3", number))
    carried = [
        TcpTraffic(
            Origin(2, 9),
            START_NS,
            number=number,
            peer=f"10.0.0.{number}",
            port=443,
            sent=real.size,
            received=0,
            ended=ended,
            local_port=port,
        )
        for ended in ((False, True) if real.growing else (True,))
    ]
    if not real.read:
        return [*carried]
    below = [TlsOpen(whose, first=False, local_port=port, port=443, sure=real.sure)] if real.known else []
    return [TlsOpen(whose), *below, TlsChunk(whose, b"GET", 0, 0), *carried, TlsClose(whose)]


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Real], list[TlsEvent]]:
    reals = draw(st.lists(st.builds(Real, *[st.booleans()] * 3, st.integers(1, 99), st.booleans()), max_size=6))
    left = {number: story(number, real) for number, real in enumerate(reals, 1)}
    events: list[TlsEvent] = []
    while left:
        number = draw(st.sampled_from(sorted(left)))
        events.append(left[number].pop(0))
        if not left[number]:
            del left[number]
    return reals, events


@given(stories(), st.sampled_from([0.0, 2.0]))
def test_as_many_as_were_not_read_and_no_other_is_named(made: tuple[list[Real], list[TlsEvent]], wait: float) -> None:
    reals, events = made
    unread = {f"10.0.0.{number}:443": real.size for number, real in enumerate(reals, 1) if not real.read}
    out = run(find_blind_spots(wait=wait), events)
    spots = [event for event in out if isinstance(event, BlindSpot)]
    for spot in spots:
        assert spot.connections <= len(unread)
        assert spot.among or set(spot.peers) <= set(unread)
    assert sum(event.count for event in out if isinstance(event, Loss)) == len(unread)
    assert (spots[-1].connections if spots else 0) == len(unread)
    if unread and not spots[-1].among:
        assert (set(spots[-1].peers), spots[-1].size) == (set(unread), sum(unread.values()))
