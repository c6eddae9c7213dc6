from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.core.reading import STEP_NS
from agentsight_rx.core.stream import Operator
from agentsight_rx.events import Event, Origin, ProcessExit, Tick, TlsChunk
from agentsight_rx.operators import normalize
from agentsight_rx.operators.normalize import wall_offset
from tests.operators import CONNECTION, Running, run

S = 1_000_000_000
TENTH, MILLISECOND, DAY = S // 10, S // 1000, 86_400 * S
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


def test_the_offset_is_asked_each_tenth_of_a_second_so_that_a_step_is_followed_and_each_event_gets_that_of_its_time() -> None:
    offsets: Iterator[int] = iter([BOOT, BOOT + 5 * S, BOOT + 9 * S])
    running = Running(normalizing(lambda: next(offsets)))
    assert running.tick(S) == []  # nothing to convert yet, so nothing to ask
    made = running.feed(at(2 * S))
    running.tick(2 * S + TENTH - 1)
    made += running.feed(at(2 * S + TENTH - 1))
    running.tick(2 * S + TENTH)
    made += running.feed(at(3 * S), at(2 * S))
    assert walls(made) == [BOOT + 2 * S, BOOT + 2 * S + TENTH - 1, BOOT + 8 * S, BOOT + 2 * S]


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(-DAY, DAY)), max_size=8), st.integers(1, 400))
def test_behind_any_jumps_the_time_is_right_again_within_a_tenth_of_a_second(
    jumps: list[tuple[int, int]], steps_behind: int
) -> None:
    """A suspension is such a jump too: the time of the kernel stands still meanwhile."""
    wall, now_ns = [BOOT], S
    running = Running(normalizing(lambda: wall[0]))
    running.feed(at(now_ns))
    for steps, jump_ns in [*jumps, (steps_behind, 0)]:
        for step in range(steps):
            now_ns += STEP_NS
            running.tick(now_ns)
            [event] = running.feed(at(now_ns))
            if step * STEP_NS >= TENTH:
                assert abs(event.origin.wall_ns - (now_ns + wall[0])) <= MILLISECOND
        wall[0] += jump_ns


@given(st.integers(-500, 500), st.integers(20, 200))
def test_a_clock_that_is_hastened_fills_no_table(parts_of_a_million: int, seconds: int) -> None:
    """What a time service does to a clock: it moves by 500 millionths at most."""
    now_ns = [S]
    running = Running(normalizing(lambda: BOOT + now_ns[0] * parts_of_a_million // 1_000_000))
    running.feed(at(S))
    for _ in range(seconds * 10):
        now_ns[0] += TENTH
        running.tick(now_ns[0])
        [event] = running.feed(at(now_ns[0]))
        expected = now_ns[0] + BOOT + now_ns[0] * parts_of_a_million // 1_000_000
        assert abs(event.origin.wall_ns - expected) <= MILLISECOND
    offsets, _ = msgspec.msgpack.decode(running.snapshot())
    assert len(offsets) <= seconds + 1


def test_going_on_from_a_checkpoint_keeps_the_offset() -> None:
    before, after = Running(normalizing(fixed())), Running(normalizing(fixed(0)))
    before.feed(at(1))
    after.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(before.snapshot())))
    assert walls(after.feed(at(2))) == [BOOT + 2]


def test_the_offset_of_this_machine_is_that_of_its_clocks() -> None:
    assert abs(wall_offset() - wall_offset()) < S
    assert wall_offset() > BOOT
