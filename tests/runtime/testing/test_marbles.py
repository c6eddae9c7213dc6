"""Diagrams say what RxPY's own parser reads in them, and each event of a graph has its time."""

from __future__ import annotations

import pytest
import reactivex
import reactivex.operators as rx
from reactivex import Observable

from agentsight_rx import op
from agentsight_rx.testing import Moment, cold, expected, observed


def test_a_diagram_is_events_with_their_times() -> None:
    assert [Moment(1, "event", "a"), Moment(3, "event", "b"), Moment(4, "end")] == expected("-a-b|")


@pytest.mark.parametrize("diagram", ["-a-b|", "a", "-(a,b)-c|", "--", "-a#", "|"])
@pytest.mark.parametrize("timespan", [0.02, 1.0, 2.5])
def test_a_cold_observable_follows_its_diagram(diagram: str, timespan: float) -> None:
    assert expected(diagram, timespan=timespan) == observed(cold(diagram, timespan=timespan))


@pytest.mark.parametrize("diagram", ["-a-b|", "-(a,b)-c|", "-a#"])
@pytest.mark.parametrize("timespan", [0.02, 0.13, 1.0])
def test_an_operator_changes_events_and_not_their_times(diagram: str, timespan: float) -> None:
    graph = cold(diagram, timespan=timespan).pipe(op.change(str.upper))
    assert expected(diagram.upper(), timespan=timespan) == observed(graph)


def test_characters_stand_for_other_events() -> None:
    lookup = {"a": 1, "b": 2}
    assert [1, 2] == [each.value for each in expected("-a-b", lookup=lookup)]
    assert expected("-a-b", lookup=lookup) == observed(cold("-a-b", lookup=lookup).pipe(op.change(int)))


def test_an_error_is_its_text() -> None:
    assert [Moment(0, "error", "broken")] == observed(reactivex.throw(ValueError("broken")))


def test_a_graph_is_observed_for_a_time() -> None:
    def graph() -> Observable[int]:
        return reactivex.interval(1.0).pipe(rx.map(lambda number: number))

    assert [0, 1, 2] == [each.value for each in observed(graph, seconds=3.5)]
