"""op.reload_rules: what a file of rules says now, between the events, in virtual time."""

from __future__ import annotations

from collections.abc import Sequence

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.stream import Operator
from agentsight_rx.events import Event, Origin, ProcessFork, RulesLoaded
from agentsight_rx.operators import reload_rules

SECOND = 1_000_000_000
WALL = 1_800_000_000 * SECOND


def fork(time_ns: int) -> Event:
    return ProcessFork(Origin(time_ns, 9, wall_ns=WALL + time_ns), 7, 2)


def reloaded(found: Sequence[RulesLoaded | None], *steps: Event | int) -> tuple[list[Event], int]:
    """What comes of events and, as numbers, ticks; and how often the file was looked at."""
    answers, looked = iter(found), 0

    def look() -> RulesLoaded | None:
        nonlocal looked
        looked += 1
        return next(answers, None)

    operator: Operator[Event, Event] = reload_rules(look)
    kernel = operator.kernel(Site(Engine(), "reload_rules"))
    out: list[Event] = []
    for step in steps:
        made: Sequence[Event] = kernel.tick(step) if isinstance(step, int) else kernel.feed([step])
        out += made
    return [*out, *kernel.finish()], looked


def test_the_file_is_looked_at_each_second_of_the_engines_time() -> None:
    events, looked = reloaded([], fork(1), 2, SECOND, SECOND + 1, SECOND + 2, 3 * SECOND, fork(3 * SECOND))
    assert ([fork(1), fork(3 * SECOND)], 3) == (events, looked)


def test_a_change_comes_between_the_events_with_its_time() -> None:
    changed = RulesLoaded(Origin(0, 0), "guard.toml", "{}", "ab")
    (first, found, last), _ = reloaded([None, changed], fork(1), 2, 2 * SECOND, fork(3 * SECOND))
    assert (fork(1), fork(3 * SECOND)) == (first, last)
    origin = Origin(2 * SECOND, 0, comm="guard", wall_ns=WALL + 2 * SECOND)
    assert RulesLoaded(origin, "guard.toml", "{}", "ab") == found


def test_before_the_first_event_the_time_of_day_is_not_known() -> None:
    assert ([], 0) == reloaded([RulesLoaded(Origin(0, 0), "guard.toml")], 2, SECOND)
