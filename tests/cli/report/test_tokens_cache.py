"""report cache where nothing was lost, and of all sessions of a time."""

from __future__ import annotations

from pathlib import Path

from tests.cli.report.asking import text, values
from tests.view.page.story import recorded
from tests.view.queries.context_story import SESSION, begun, words


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


def test_what_was_meant_is_no_loss(tmp_path: Path) -> None:
    agent = begun()
    agent.more["context_management"] = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    agent.turn("Tool2", {"command": "ls"}, words(300, 21), "On.")
    agent.cleared = 2
    edit = {"type": "clear_tool_uses_20250919", "cleared_tool_uses": 2, "cleared_input_tokens": 1400}
    agent.says = {"context_management": {"applied_edits": [edit]}}
    agent.turn("Tool2", {"command": "make"}, words(3000, 22), "Make.")
    agent.turn("Tool2", {"command": "pwd"}, "/work", "Where.")
    agent.more.clear()
    agent.cleared, agent.says = 0, {}
    agent.messages = []
    agent.said("This session is being continued from a previous conversation. " + words(200, 8)).ask("Going on.")
    said = text(recorded(tmp_path / "run.lmdb", agent.events), "cache")
    at = said.index("No losses, as they were meant:")
    assert said[at + 1] == "  turn 7: the conversation is shorter (report context --over-time)"
    meant = "  turn 5: the provider cleared 2 tool results from the conversation, 1.4 k, as the request asked, which cost $"
    assert " ".join(" ".join(said[at + 2 :]).split()).startswith(meant.strip())
    over = text(tmp_path / "run.lmdb", "context", "--over-time")
    assert any("the provider cleared 2 tool results" in line for line in over)
