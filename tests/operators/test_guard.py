"""op.guard: the events, and behind each its alerts; no other row."""

from __future__ import annotations

from agentsight_rx import op
from agentsight_rx.core.engine import Engine
from agentsight_rx.core.stream import of
from agentsight_rx.events import time_of
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.view import AlertRow, RowGone
from tests.guarded import KEY, Story


def test_an_alert_comes_behind_its_event() -> None:
    story = Story()
    opened = story.does(story.agent, "open", KEY)
    taken: list[object] = []
    graph = of(story.events, time_of=time_of, name="events").pipe(op.guard(built_in_rules()))
    engine = Engine(strict=True)
    graph.subscribe(taken.append, scheduler=engine)
    engine.run_inline()
    alerts = [item for item in taken if isinstance(item, AlertRow | RowGone)]
    assert [opened, *alerts] == taken[-2:]
    assert story.events == [item for item in taken if item not in alerts]
    assert "guard" == graph.node().name
