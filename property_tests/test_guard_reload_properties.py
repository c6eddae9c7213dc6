"""Rules that change while a capture runs hold from that time on, however late a reader is, and over a restart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentsight_rx.events import Event, Origin, RulesLoaded
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.store.fold.fold import FoldState
from agentsight_rx.view import AlertRow, Fold, Row, RowGone
from property_tests.lanes import delayed, final_rows, lane_of, schedules
from property_tests.loud_rules import LOUD, QUIET, priced
from property_tests.test_ties_properties import differing, moment_of, scenes

SOME = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
WALL_NS = 1_800_000_000_000_000_000
TEXTS = [LOUD.text, QUIET.text, built_in_rules().text, "{", '{"rules":[{"name":"x","when":"a"}]}']  # the last two are wrong


@st.composite
def with_changes(draw: st.DrawFn) -> list[Event]:
    """A scene in which the rules change, also to wrong ones, between two events."""
    events: list[Event] = draw(scenes)
    times = sorted({moment_of(event) for event in events})
    gaps = [before for before, behind in itertools.pairwise(times) if behind - before > 1]
    for time_ns in draw(st.lists(st.sampled_from(gaps), max_size=3, unique=True)) if gaps else []:
        origin = Origin(time_ns + 1, 0, comm="guard", wall_ns=WALL_NS + time_ns)
        error = draw(st.sampled_from(["", "", "it is wrong"]))
        events.append(RulesLoaded(origin, "guard.toml", draw(st.sampled_from(TEXTS)), error=error))
    return sorted(events, key=moment_of)


def folded(events: Sequence[Event], *, follows: bool) -> list[Row]:
    fold = Fold(LOUD, priced=priced, follows=follows)
    return [row for event in events for row in fold.add(event)] + fold.finish()


def alerts_of(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if isinstance(row.row if isinstance(row, RowGone) else row, AlertRow)]


@SOME
@given(with_changes(), st.data())
def test_rules_that_change_hold_from_their_time_on_however_late_a_reader_is(events: list[Event], data: st.DataObject) -> None:
    delays = data.draw(schedules(dict.fromkeys(map(lane_of, events))), "delays")
    arrivals = [event for _, event in delayed(events, delays, time=moment_of)]
    assert differing(final_rows(folded(events, follows=True)), final_rows(folded(arrivals, follows=True))) == {}


@settings(SOME, max_examples=20)
@given(with_changes(), st.integers(0, 40))
def test_a_restart_keeps_the_rules_that_were_loaded(events: list[Event], place: int) -> None:
    fold, rows = Fold(LOUD, priced=priced, follows=True), list[Row]()
    for number, event in enumerate(events):
        rows += fold.add(event)
        if number == place:
            twin = Fold(LOUD, priced=priced, follows=True)
            twin.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(fold.snapshot()), type=FoldState))
            fold = twin
    assert folded(events, follows=True) == rows + fold.finish()


@SOME
@given(with_changes())
def test_rules_that_are_given_are_for_all_of_a_recording(events: list[Event]) -> None:
    unchanged = [event for event in events if not isinstance(event, RulesLoaded)]
    assert alerts_of(folded(unchanged, follows=False)) == alerts_of(folded(events, follows=False))
