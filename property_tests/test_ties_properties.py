"""What belongs together is found however late a reader is: the rows in the end do not depend on the speed of the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.core.engine import Engine
from agentsight_rx.core.stream import origin
from agentsight_rx.events import Event, time_of
from agentsight_rx.graphs import TraceOptions, traced
from agentsight_rx.sinks.otel.tree import Call, Tree
from agentsight_rx.sources import PlainHttpOptions, TlsOptions
from agentsight_rx.sources.opened import Inputs
from agentsight_rx.store.fold.fold import FoldState
from agentsight_rx.view import AnyRow, Fold, Output, Row
from property_tests.agent_scene import Scene
from property_tests.agent_scene import scenes as agent_scenes
from property_tests.fold_strategies import fold_events, side_by_side
from property_tests.lanes import delayed, final_rows, lane_of, schedules

SOME = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def moment_of(event: Event) -> int:
    return max(event.origin.time_ns, getattr(event, "end_ns", 0))


def apart(events: Sequence[Event]) -> list[Event]:
    """No two things happen in one nanosecond."""
    return [
        replace(event, origin=replace(event.origin, time_ns=event.origin.time_ns + place), **_end(event, place))
        for place, event in enumerate(events)
    ]


def _end(event: Event, place: int) -> dict[str, int]:
    return {"end_ns": end_ns + place} if (end_ns := getattr(event, "end_ns", 0)) else {}


def folded(events: Sequence[Event]) -> list[Row]:
    fold = Fold()
    return [row for event in events for row in fold.add(event)] + fold.finish()


def differing(expected: dict[Any, Any], actual: dict[Any, Any]) -> dict[Any, Any]:
    """The fields that differ, by place."""
    found: dict[Any, Any] = {}
    for place in expected.keys() | actual.keys():
        one, other = expected.get(place), actual.get(place)
        if one is None or other is None:
            found[place] = one, other
        elif one != other:
            names = [name for name in one.__struct_fields__ if getattr(one, name) != getattr(other, name)]
            found[place] = {name: _apart(getattr(one, name), getattr(other, name)) for name in names}
    return found


def _apart(one: Any, other: Any) -> Any:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        before, after = cast("Mapping[str, Any]", one), cast("Mapping[str, Any]", other)
        return {key: (before.get(key), after.get(key)) for key in {**before, **after} if before.get(key) != after.get(key)}
    return one, other


scenes = st.one_of(fold_events(), side_by_side().map(lambda scene: scene.events)).map(apart)


@SOME
@given(scenes, st.data())
def test_however_late_a_reader_is_the_rows_are_the_same_in_the_end(events: list[Event], data: st.DataObject) -> None:
    delays = data.draw(schedules(dict.fromkeys(map(lane_of, events))), "delays")
    arrivals = [event for _, event in delayed(events, delays, time=moment_of)]
    assert differing(final_rows(folded(events)), final_rows(folded(arrivals))) == {}


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


# -- the whole graph, over raw records ---------------------------------------------------------------------------------

OPTIONS = TraceOptions(tls=TlsOptions(), plain_http=PlainHttpOptions(), redaction_key=b"k" * 32)


class Sourceless:
    """A reader of what is pushed."""

    def open(self) -> None: ...
    def poll(self, timeout: float, /) -> Sequence[Any] | None: ...
    def lost(self) -> Sequence[Any]:
        return ()

    def close(self) -> Sequence[Any]:
        return ()


class Taken:
    """The end of the graph."""

    singles = 0

    def __init__(self) -> None:
        self.outputs: list[Output] = []

    def on_batch(self, batch: Sequence[Output], /) -> None:
        self.outputs += batch

    def on_completed(self) -> None: ...
    def on_error(self, error: Exception, /) -> None:
        raise error


def outputs_of(scene: Scene, delays: dict[Any, list[int]]) -> list[Output]:
    """What the graph makes of it where each source is so late; while nothing comes, time goes on by the clock."""
    sources, engine, taken = scene.sources, Engine(strict=True), Taken()
    streams = {name: origin(name, Sourceless, time_of=time_of, live=True) for name in sources}
    with engine:
        traced(Inputs(**streams), OPTIONS).attach(engine, taken)
        hubs = {hub.name: hub for hub in engine.hubs}
        lane = {id(event): name for name, events in sources.items() for event in events}
        events = [event for own in sources.values() for event in own]
        for came_ns, event in delayed(events, delays, lane=lambda event: lane[id(event)]):
            engine.idle(came_ns)
            engine.push(hubs[lane[id(event)]], [event])
        for hub in hubs.values():
            engine.end(hub)
        engine.linger()
    return taken.outputs


def traced_rows(scene: Scene, delays: dict[Any, list[int]]) -> list[Row]:
    return [item for item in outputs_of(scene, delays) if isinstance(item, AnyRow)]


@settings(SOME, max_examples=150)
@given(agent_scenes(), st.data())
def test_however_late_a_source_is_the_graph_gives_the_same_rows_in_the_end(scene: Scene, data: st.DataObject) -> None:
    delays = data.draw(schedules(scene.sources), "delays")
    assert differing(final_rows(traced_rows(scene, {})), final_rows(traced_rows(scene, delays))) == {}


def spans_of(outputs: Sequence[Output]) -> dict[int, Any]:
    """By id: place, times, attributes, events."""
    tree = Tree(capture_content=True)
    ended = [each for item in outputs for each in tree.add(item)] + tree.close()
    spans = [each.span if isinstance(each, Call) else each for each in ended]
    assert len(spans) == len({span.id for span in spans})
    return {span.id: replace(span, events=tuple(sorted(span.events, key=str))) for span in spans}


@settings(SOME, max_examples=150)
@given(agent_scenes(), st.data())
def test_however_late_a_source_is_the_spans_are_the_same(scene: Scene, data: st.DataObject) -> None:
    delays = data.draw(schedules(scene.sources), "delays")
    expected, actual = spans_of(outputs_of(scene, {})), spans_of(outputs_of(scene, delays))
    assert differing(expected, actual) == {}
