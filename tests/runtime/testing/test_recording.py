"""A recording in memory has what a recording in a file has."""

from __future__ import annotations

import pytest

from agentsight_rx.events import FileEvent, HttpRequest, NetEvent, Readline
from agentsight_rx.graphs import TraceOptions
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.testing import Scene, recorded
from tests.runtime.testing.test_scene import at_work


def test_the_events_of_a_recording_are_those_that_it_was_given() -> None:
    events = at_work().events
    kinds = [type(event) for event in read_events(recorded(events))]
    assert [type(event) for event in events] == kinds
    assert {FileEvent, NetEvent, Readline, HttpRequest} <= set(kinds)


def test_a_secret_is_no_secret_in_a_recording() -> None:
    scene = Scene()
    scene.process("bash").types("export API_KEY=sk-ant-api03-" + "a1B2" * 20)
    (typed,) = [event for event in read_events(recorded(scene.events, TraceOptions())) if isinstance(event, Readline)]
    assert "a1B2" not in typed.command


def test_a_bug_is_raised() -> None:
    scene = Scene()
    agent = scene.process("claude")
    scene.add(HttpRequest(agent.origin(agent.connection), 1, "GET", None, "HTTP/1.1", ()))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="NoneType"):
        recorded(scene.events)


def test_options_are_those_of_the_graph() -> None:
    events = at_work().events
    options = TraceOptions(http_filters=("request.method=POST",))
    assert HttpRequest not in {type(event) for event in read_events(recorded(events, options))}
