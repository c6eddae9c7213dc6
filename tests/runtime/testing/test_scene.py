"""A scene is read as the product reads a capture: calls, tools and their processes, files, losses."""

from __future__ import annotations

from agentsight_rx.events import FileEvent, ProcessExit, ProcessFork, time_of
from agentsight_rx.events.loss import Reason
from agentsight_rx.llm.prices import Prices
from agentsight_rx.testing import Scene, recorded
from agentsight_rx.view.queries.calls.call import read_calls
from agentsight_rx.view.queries.calls.mcp import read_tools
from agentsight_rx.view.queries.selection import Selection


def at_work() -> Scene:
    scene = Scene()
    agent = scene.process("claude", "fix it")
    agent.asks("fix it")
    agent.is_answered("I look", tools={"Bash": {"command": "make check"}})
    scene.wait(0.5)
    agent.starts("make", "check").ends(2)
    agent.opens("/src/a.py")
    agent.connects("10.0.0.9")
    agent.types("ls")
    agent.asks("fix it", {"role": "user", "content": "and now?"}, model="claude-5")
    agent.is_answered("done")
    agent.ends()
    return scene


def test_events_are_in_order_of_time() -> None:
    times = [time_of(event) for event in at_work().events]
    assert sorted(set(times)) == times


def test_a_wait_is_between_two_events() -> None:
    scene = Scene()
    one, other = scene.loses("tls", 1), scene.loses("tls", 2)
    scene.wait(3)
    third = scene.loses("tls", 3, Reason.QUEUE_FULL)
    step_ns = time_of(other) - time_of(one)
    assert 3 * 10**9 + step_ns == time_of(third) - time_of(other)


def test_calls_and_tools_are_those_of_the_scene() -> None:
    store = recorded(at_work().events)
    calls = [(call.model, call.prompt, call.text) for call in read_calls(store, Selection(), Prices())]
    assert [("claude-4", "fix it", "I look"), ("claude-5", "and now?", "done")] == calls
    (tool,) = read_tools(store, Selection())
    assert "Bash" == tool.tool_name


def test_all_that_a_process_does_is_of_one_process() -> None:
    scene = Scene()
    agent = scene.process("claude")
    agent.opens("/src/a.py")
    agent.ends()
    fork, opened, ended = scene.events[0], scene.events[2], scene.events[3]
    assert isinstance(fork, ProcessFork)
    assert isinstance(opened, FileEvent)
    assert isinstance(ended, ProcessExit)
    assert fork.start_ns == opened.start_ns == ended.start_ns == agent.connection.start_ns
