"""Whatever happens at once, and however its rows come, each span is sent once, in the trace of its parent."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.events import Event
from agentsight_rx.sinks.otel.spans import Planned
from agentsight_rx.sinks.otel.tree import Call, Tree
from agentsight_rx.store.rows.kinds import AnyRow
from agentsight_rx.view import Fold, Output, SessionRow
from property_tests.fold_strategies import SideBySide, fold_events, side_by_side
from tests.sinks.otel.recordings import everything, nested


def outputs(events: Iterable[Event]) -> list[Output]:
    fold = Fold()
    found: list[Output] = []
    for event in events:
        found += [event, *fold.add(event)]
    return found + fold.finish()


def spans_of(items: Iterable[Output]) -> list[Planned]:
    tree = Tree(capture_content=False)
    found = [each for item in items for each in tree.add(item)] + tree.close()
    return [each.span if isinstance(each, Call) else each for each in found]


@given(fold_events())
def test_a_replay_gives_equal_spans_and_each_is_sent_once(events: list[Event]) -> None:
    items = outputs(events)
    spans = spans_of(items)
    assert spans == spans_of(items)
    assert len(spans) == len({span.id for span in spans})
    assert all(0 <= span.start_ns <= span.end_ns for span in spans)


@given(side_by_side())
def test_every_parent_is_sent_and_in_the_same_trace(scene: SideBySide) -> None:
    spans = spans_of(outputs(scene.events))
    traces = {span.id: span.trace for span in spans}
    assert {call.number for call in scene.calls if call.answered} == {
        int(span.name.rpartition("-")[2]) for span in spans if span.kind == "client"
    }
    assert [] == [span.name for span in spans if span.parent and traces.get(span.parent) != span.trace]


def last_rows(events: list[Event]) -> list[Output]:
    """The newest row of each id; sessions come first and go on, as when they are in the capture from their first call on."""
    rows = {f"{type(row).__name__} {row.id}": row for row in outputs(events) if isinstance(row, AnyRow)}
    return [replace(row, status="live") if isinstance(row, SessionRow) else row for row in rows.values()]


RECORDED = [last_rows(events) for events in (everything(), nested())]


@pytest.mark.parametrize("recorded", range(len(RECORDED)))
@given(data=st.data())
def test_rows_of_known_sessions_in_any_order_and_twice_give_the_same_tree_but_for_the_nesting_of_processes(
    recorded: int, data: st.DataObject
) -> None:
    sessions = [row for row in RECORDED[recorded] if isinstance(row, SessionRow)]
    others = [row for row in RECORDED[recorded] if not isinstance(row, SessionRow)]
    order = data.draw(st.permutations(range(2 * len(others))))
    in_order = spans_of([*sessions, *others])
    mixed = spans_of([*sessions, *(others[place % len(others)] for place in order)])
    assert {(span.name, span.id, span.trace) for span in in_order} == {(span.name, span.id, span.trace) for span in mixed}
    above = {span.id: span.parent for span in in_order if "process.pid" not in span.attributes}
    assert above == {span.id: span.parent for span in mixed if "process.pid" not in span.attributes}
