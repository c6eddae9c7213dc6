"""What belongs together is found however late a reader is: the rows in the end do not depend on the speed of the machine."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentsight_rx.events import Event
from agentsight_rx.view import Fold, Row
from agentsight_rx.view.fold import FoldState

from .fold_strategies import fold_events, side_by_side
from .lanes import delayed, final_rows, lane_of, schedules

SOME = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def moment_of(event: Event) -> int:
    return max(event.origin.time_ns, getattr(event, "end_ns", 0))


def apart(events: Sequence[Event]) -> list[Event]:
    """No two things happen in one nanosecond."""
    return [
        msgspec.structs.replace(
            event, origin=msgspec.structs.replace(event.origin, time_ns=event.origin.time_ns + place), **_end(event, place)
        )
        for place, event in enumerate(events)
    ]


def _end(event: Event, place: int) -> dict[str, int]:
    return {"end_ns": end_ns + place} if (end_ns := getattr(event, "end_ns", 0)) else {}


def folded(events: Sequence[Event]) -> list[Row]:
    fold = Fold()
    return [row for event in events for row in fold.add(event)] + fold.finish()


scenes = st.one_of(fold_events(), side_by_side().map(lambda scene: scene.events)).map(apart)


@SOME
@given(scenes, st.data())
def test_however_late_a_reader_is_the_rows_are_the_same_in_the_end(events: list[Event], data: st.DataObject) -> None:
    delays = data.draw(schedules(dict.fromkeys(map(lane_of, events))), "delays")
    arrivals = [event for _, event in delayed(events, delays, time=moment_of)]
    assert final_rows(folded(events)) == final_rows(folded(arrivals))


@settings(SOME, max_examples=60)
@given(scenes, st.data())
def test_a_restart_while_something_is_late_changes_nothing(events: list[Event], data: st.DataObject) -> None:
    delays = data.draw(schedules(dict.fromkeys(map(lane_of, events))), "delays")
    arrivals = [event for _, event in delayed(events, delays, time=moment_of)]
    fold, rows = Fold(), list[Row]()
    for event in arrivals:
        rows += fold.add(event)
        twin = Fold()
        twin.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(fold.snapshot()), type=FoldState))
        fold = twin
    assert folded(arrivals) == rows + fold.finish()
