from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from msgspec.structs import replace

from agentsight_rx.core.stream import Operator
from agentsight_rx.events import Event, Origin, ProcessExit, Tick, TlsChunk
from agentsight_rx.operators import normalize
from agentsight_rx.operators.normalize import wall_offset

from . import CONNECTION, Running, run

S = 1_000_000_000
BOOT = 1_700_000_000 * S


def fixed(offset_ns: int = BOOT) -> Callable[[], int]:
    return lambda: offset_ns


def normalizing(offset: Callable[[], int]) -> Operator[Event, Event]:
    return normalize(offset=offset)


def at(time_ns: int) -> Event:
    return Tick(Origin(time_ns, 7))


def walls(events: list[Event]) -> list[int]:
    return [event.origin.wall_ns for event in events]


def test_wall_time_is_the_kernel_s_time_plus_the_offset() -> None:
    events = [at(0), at(1_000_000_000_000), at(1_999_999)]
    assert walls(run(normalizing(fixed()), events)) == [BOOT, BOOT + 1_000 * S, BOOT + 1_999_999]


def test_nothing_but_the_wall_time_changes() -> None:
    origin = Origin(5, 7, 8, 1000, "agent", 0, CONNECTION, "out")
    events: list[Event] = [TlsChunk(origin, b"x", 1, 2, 3, 4, marked=True), ProcessExit(origin, 1, 2, 0)]
    made = run(normalizing(fixed()), events)
    assert [replace(event, origin=replace(event.origin, wall_ns=0)) for event in made] == events
    assert walls(made) == [BOOT + 5] * 2


def test_a_second_pass_changes_nothing() -> None:
    once = run(normalizing(fixed()), [at(1), at(2)])
    twice = run(normalizing(fixed(9 * BOOT)), once)
    assert all(after is before for before, after in zip(once, twice, strict=True))


def test_the_offset_is_asked_again_each_second_so_that_a_step_is_followed_and_each_event_gets_that_of_its_time() -> None:
    offsets: Iterator[int] = iter([BOOT, BOOT + 5 * S, BOOT + 9 * S])
    running = Running(normalizing(lambda: next(offsets)))
    assert running.tick(S) == []  # nothing to convert yet, so nothing to ask
    made = running.feed(at(2 * S))
    running.tick(3 * S - 1)
    made += running.feed(at(3 * S - 1))
    running.tick(3 * S)
    made += running.feed(at(3 * S), at(2 * S))
    assert walls(made) == [BOOT + 2 * S, BOOT + 3 * S - 1, BOOT + 8 * S, BOOT + 2 * S]


def test_going_on_from_a_checkpoint_keeps_the_offset() -> None:
    before, after = Running(normalizing(fixed())), Running(normalizing(fixed(0)))
    before.feed(at(1))
    after.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(before.snapshot())))
    assert walls(after.feed(at(2))) == [BOOT + 2]


def test_the_offset_of_this_machine_is_that_of_its_clocks() -> None:
    assert abs(wall_offset() - wall_offset()) < S
    assert wall_offset() > BOOT
