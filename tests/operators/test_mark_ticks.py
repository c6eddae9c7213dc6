from __future__ import annotations

from collections.abc import Sequence

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.stream import Operator
from agentsight_rx.events import Event, Origin, ProcessFork, Tick
from agentsight_rx.operators import mark_ticks


def fork(time_ns: int) -> Event:
    return ProcessFork(Origin(time_ns, 9), 7, 2)


def marked(*steps: Event | int) -> list[Event]:
    """What comes of events and, as numbers, ticks."""
    operator: Operator[Event, Event] = mark_ticks()
    kernel = operator.kernel(Site(Engine(), "mark_ticks"))
    out: list[Event] = []
    for step in steps:
        found: Sequence[Event] = kernel.tick(step) if isinstance(step, int) else kernel.feed([step])
        out += found
    return [*out, *kernel.finish()]


def tick(time_ns: int) -> Event:
    return Tick(Origin(time_ns, 0))


def test_an_event_that_time_has_passed_comes_behind_that_time() -> None:
    assert [fork(1), tick(8), fork(2)] == marked(fork(1), 4, 8, fork(2))


def test_before_a_newer_event_no_tick_is_needed() -> None:
    assert [fork(1), fork(9), fork(2)] == marked(fork(1), 8, fork(9), fork(2))


def test_each_time_is_marked_once() -> None:
    assert [fork(1), tick(8), fork(2), fork(3)] == marked(fork(1), 8, fork(2), fork(3))


def test_the_time_behind_the_last_event_is_marked_at_the_end() -> None:
    assert [fork(1), tick(8)] == marked(fork(1), 4, 8)
    assert [fork(9)] == marked(fork(9), 4, 8)


def test_ticks_before_the_first_event_say_where_a_replay_begins() -> None:
    assert [tick(7), fork(9), fork(10)] == marked(8, 9, fork(9), fork(10))
    assert [tick(7), tick(9), fork(2)] == marked(8, 9, fork(2))
