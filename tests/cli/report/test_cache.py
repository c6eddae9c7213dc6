"""report cache where nothing was lost, and of all sessions of a time."""

from __future__ import annotations

from pathlib import Path

from ...view.page.story import recorded
from ...view.queries.context_story import SESSION, begun
from .asking import text, values


def test_nothing_lost_is_one_sentence(tmp_path: Path) -> None:
    agent = begun()
    agent.ask("Done.")
    store = recorded(tmp_path / "run.lmdb", agent.events)
    assert text(store, "cache") == ["The cache was not lost in 1 session."]
    assert values(store, "cache") == []


def test_the_selected_sessions_are_read(tmp_path: Path) -> None:
    agent = begun()
    agent.wait(400)
    agent.ask("Done.")
    store = recorded(tmp_path / "run.lmdb", agent.events)
    assert [each["session"] for each in values(store, "cache", "--since", "2026-01-01")] == [SESSION]
    assert "idle 6 min, the cache had expired after 5" in text(store, "cache", "--session", SESSION)[3]
