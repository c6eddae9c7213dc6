"""A sub-agent that no head of a request names is one in every view: strip, Context, prompts, costs, trajectory."""

from __future__ import annotations

from pathlib import Path

import pytest
from atif import Trajectory

from agentsight_rx.llm.prices import Prices
from agentsight_rx.view.exports.atif import atif
from agentsight_rx.view.page.alert_shapes import Turns
from agentsight_rx.view.page.context.context import ContextOverTime
from agentsight_rx.view.page.head import COMPACTED, SUB_AGENT, Head
from agentsight_rx.view.page.picture import Picture
from agentsight_rx.view.page.rail import answer
from agentsight_rx.view.queries.reading import newest_session
from tests.cli.report.asking import text, values
from tests.view.exports.stores import opened
from tests.view.page.story import recorded
from tests.view.talks import TASK, WORKER, Machine, delegated

LONG = "The parser reads a line at a time. " * 400


def story() -> Machine:
    """The main agent has read a long file before it hands a task on; the agent below hands a part of it on again."""
    machine, main = delegated(prompt="Make the parser right")
    main.turn("Look at it first", asks_for=[("t0", "read", {"path": "/src/parser.py"})])
    main.turn(("t0", LONG), asks_for=[("t1", "task", {"subagent_type": "reviewer", "prompt": TASK})])
    worker = machine.talk("worker", WORKER)
    worker.turn(TASK, asks_for=[("u1", "task", {"name": "counter", "prompt": "Count the lines of the parser"})])
    machine.talk("below", WORKER).turn("Count the lines of the parser")
    worker.turn(("u1", "12"))
    main.turn(("t1", "all is well"))
    return machine


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("threads") / "run.lmdb", story().events)


def test_the_context_of_the_main_agent_has_nothing_of_the_others(store: Path) -> None:
    turns = values(store, "context", "--over-time")
    assert [1, 2, 3, 4] == [turn["turn"] for turn in turns]
    assert {0} == {turn["dropped"] for turn in turns}
    (below,) = values(store, "context", "3.1")
    assert ("t1", 1) == (below["agent_id"], below["turn"])
    assert "2 agents besides: reviewer (turn 3.2), counter (turn 3.1);" in " ".join(text(store, "context"))


def test_its_task_is_no_prompt_and_its_calls_say_who_made_them(store: Path) -> None:
    assert ["Make the parser right", "Look at it first"] == [row["prompt"] for row in values(store, "prompts")]
    said = "\n".join(text(store, "calls"))
    assert "sub-agent reviewer: " in said
    assert "sub-agent counter: " in said


def test_costs_are_by_its_name(store: Path) -> None:
    rows = values(store, "tokens", "--group-by", "sub-agent")
    assert {"main agent": 4, "reviewer, t1": 2, "counter, u1": 1} == {row["group"]: row["calls"] for row in rows}


def test_the_page_shows_it_below_the_turn_that_began_it(store: Path) -> None:
    with opened(store) as held:
        session = newest_session(held)
        assert session is not None
        picture = Picture(held, Prices())
        head = answer(picture, "r", f"session/{session.id}", {})
        turns = answer(picture, "r", f"session/{session.id}/turns", {})
        over_time = answer(picture, "r", f"session/{session.id}/context", {})
    assert isinstance(head, Head)
    assert head.strip is not None
    assert (1, 2, 3, 4) == head.strip.n
    assert [SUB_AGENT * (turn == 3) for turn in head.strip.n] == [flags & (SUB_AGENT | COMPACTED) for flags in head.strip.flags]
    assert isinstance(turns, Turns)
    (sub,) = turns.cards[2].subs
    assert ("reviewer", 2, ["counter"]) == (sub.name, sub.turns, [each.name for each in sub.cards[0].subs])
    assert isinstance(over_time, ContextOverTime)
    assert [("", "main"), ("t1", "reviewer"), ("u1", "counter")] == [(each.id, each.name) for each in over_time.threads]


def test_the_result_of_the_tool_names_its_trajectory(store: Path) -> None:
    with opened(store) as held:
        session = newest_session(held)
        assert session is not None
        main = Trajectory.model_validate_json(b"".join(atif(held, session, Prices())))
    inside = named_by(main)
    assert [f"{main.session_id}/t1"] == [each.trajectory_id for each in inside]
    assert [f"{main.session_id}/u1"] == [each.trajectory_id for each in named_by(inside[0])]
    assert ["reviewer"] == [(each.extra or {})["agent_name"] for each in inside]


def named_by(trajectory: Trajectory) -> list[Trajectory]:
    """The trajectories that the results of its tools name; they are all that are inside."""
    results = [each for step in trajectory.steps if step.observation for each in step.observation.results]
    named = [ref.trajectory_id for result in results for ref in result.subagent_trajectory_ref or []]
    inside = {each.trajectory_id: each for each in trajectory.subagent_trajectories or []}
    assert sorted(named, key=str) == sorted(inside, key=str)
    return [inside[name] for name in named]


def test_a_trajectory_is_named_where_no_result_was_seen(tmp_path: Path) -> None:
    machine, _ = delegated({"prompt": TASK})
    machine.talk("worker", WORKER).turn(TASK)
    with opened(recorded(tmp_path / "run.lmdb", machine.events)) as held:
        session = newest_session(held)
        assert session is not None
        assert 1 == len(named_by(Trajectory.model_validate_json(b"".join(atif(held, session, Prices())))))
