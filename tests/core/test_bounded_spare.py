"""Memory of a burst is given back when it is over."""

from __future__ import annotations

from agentsight_rx.core.bounded import Spare, given_back

MEGA = 1 << 20


def times(*sizes: tuple[float, int]) -> list[int]:
    """At which seconds it is given back, when batches of these sizes come at these times."""
    given: list[int] = []
    now = 0
    spare = Spare(lambda: given.append(now))
    for now in range(60):
        for at, size in sizes:
            if int(at) == now:
                spare.took(size, at)
        spare.look(float(now))
    return given


def test_behind_a_burst_it_is_given_back_three_times() -> None:
    assert [11, 14, 26] == times(*((10.0, MEGA) for _ in range(40)))


def test_while_it_goes_on_it_waits() -> None:
    assert [21, 24, 36] == times(*((float(second), 8 * MEGA) for second in range(21)))


def test_little_content_gives_nothing_back() -> None:
    assert [] == times(*((float(second), MEGA) for second in range(30)))
    assert [] == times(*((float(second % 60), 1000) for second in range(60_000)))


def test_free_memory_can_be_given_back() -> None:
    given_back()
