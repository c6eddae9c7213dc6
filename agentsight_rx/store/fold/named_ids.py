"""The head of a request -> the ids that an agent puts there: of its session, of the agent within it, of that one's parent."""

from __future__ import annotations

from msgspec import Struct

from ...events import Headers

__all__ = ["NamedIds", "named_ids"]

_LONGEST = 256  # characters; ids are mostly UUIDs

# Name of a field -> what it names. Claude Code, Codex, Gemini CLI, opencode, and what other clients use
_NAMES = {
    "x-claude-code-session-id": "session",
    "x-claude-code-agent-id": "agent",
    "x-claude-code-parent-agent-id": "parent_agent",
    "session-id": "session",  # Codex
    "session_id": "session",
    "x-session-id": "session",
    "x-opencode-session": "session",
    "x-session-affinity": "session",
    "conversation-id": "conversation",
    "conversation_id": "conversation",
    "thread-id": "conversation",
    "x-codex-parent-thread-id": "parent_agent",
}


class NamedIds(Struct, frozen=True):
    """Ids that a client named. None: it did not."""

    session: str | None = None
    agent: str | None = None
    parent_agent: str | None = None
    conversation: str | None = None


_NONE = NamedIds()


def named_ids(headers: Headers, /) -> NamedIds:
    """The ids in a head; the first of each kind."""
    found: dict[str, str] = {}
    for name, value in headers:
        kind = _NAMES.get(name)
        if kind is not None and value and kind not in found:
            found[kind] = value[:_LONGEST]
    return NamedIds(**found) if found else _NONE
