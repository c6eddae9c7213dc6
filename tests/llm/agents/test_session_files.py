"""Which parser reads a file."""

from __future__ import annotations

import pytest

from agentsight_rx.llm.agents.session_files import parser_for


@pytest.mark.parametrize(
    ("agent", "path", "kind"),
    [
        ("claude", "/home/a/.claude/projects/x/1.jsonl", "ClaudeCode"),
        ("codex", "rollout-1.jsonl", "Codex"),
        ("gemini", "chats/session.json", "GeminiCli"),
        ("gemini", "chats/session.jsonl", "GeminiCli"),
        ("opencode", "/home/a/.local/share/opencode/opencode.db#ses_1", "Opencode"),
        ("hal", "1.jsonl", "NoneType"),
    ],
)
def test_an_agent_says_it(agent: str, path: str, kind: str) -> None:
    assert type(parser_for(agent, path)).__name__ == kind


def test_a_session_without_an_id_is_named_by_its_file() -> None:
    parser = parser_for("claude", "/home/a/1a2b.jsonl")
    assert parser is not None
    assert "1a2b" == parser.state.session


def test_a_session_of_a_database_is_named_behind_its_path() -> None:
    parser = parser_for("opencode", "/home/a/opencode.db#ses_1")
    assert parser is not None
    assert "ses_1" == parser.state.session
