"""A recording that is judged afterwards has the alerts of a live run."""

from __future__ import annotations

from pathlib import Path

from agentsight_rx.events import Event
from agentsight_rx.policy.rules.guard.file import built_in_rules, read_rules
from agentsight_rx.runtime.recording.judged import judged
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries import Selection
from agentsight_rx.view.queries.alerts import read_alerts
from tests.guarded import KEY, Story, leaking, stored


def both(path: Path, events: list[Event]) -> tuple[list[object], list[object]]:
    kept = LmdbStore.open(stored(path, events, built_in_rules()), readonly=True)
    try:
        return list(read_alerts(kept, Selection())), list(judged(kept, built_in_rules()))
    finally:
        kept.close()


def test_the_same_alerts_as_live(tmp_path: Path) -> None:
    live, after = both(tmp_path / "run.lmdb", leaking().events)
    assert live == after != []


def test_an_alert_that_a_late_event_moves_is_there_once(tmp_path: Path) -> None:
    story = Story()
    story.does(story.agent, "open", "/home/ada/.netrc")
    story.does(story.agent, "open", KEY)
    story.does(story.agent, "open", KEY)
    story.events.insert(-1, story.events.pop(-3))
    live, after = both(tmp_path / "run.lmdb", story.events)
    assert live == after
    assert 2 == len(after)


def test_other_rules_give_other_alerts(tmp_path: Path) -> None:
    kept = LmdbStore.open(stored(tmp_path / "run.lmdb", leaking().events), readonly=True)
    try:
        rules = read_rules('[rule.new-host]\nallow.append = [{ host = "paste.*" }]', "guard.toml")
        assert "new-host" not in [row.rule for row in judged(kept, rules)]
    finally:
        kept.close()
