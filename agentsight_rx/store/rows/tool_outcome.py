"""A tool that a model asked for -> what became of it: one definition of asked, ran, failed, refused and unknown."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ...llm.agents.said import says_refused
from .kinds import ToolRow
from .tool_words import is_command

__all__ = ["ToolOutcome", "has_failed", "has_process", "outcome_of", "outcome_said"]

ToolOutcome: TypeAlias = Literal["asked", "ran", "failed", "refused", "unknown"]


def outcome_of(row: ToolRow, /) -> ToolOutcome:
    """
    failed: its process says so, or the agent did to the model; an exit code that is an answer is no failure. refused: the agent
    says that it did not run. ran: a process was found, or it is a tool that an agent runs without one, and its result came.
    unknown: a command whose result came and of which no process was seen, so only the agent says that it ran. asked: no result
    has come.
    """
    if row.is_answer:  # even where the agent reports it as an error
        return "ran"
    if row.exit_code or row.signal:
        return "failed"
    seen = has_process(row)
    if row.status in ("failed", "completed") and not seen and says_refused(row.output):
        return "refused"
    if row.status == "failed":
        return "failed"
    if row.status != "completed":
        return "ran" if row.exit_code is not None else "asked"
    return "ran" if seen or not is_command(row) else "unknown"


def has_process(row: ToolRow, /) -> bool:
    """The kernel saw a process of it."""
    return row.related_pid is not None or row.exit_code is not None or row.signal is not None


def has_failed(row: ToolRow, /) -> bool:
    """It ran, and its process or the agent says that it failed."""
    return outcome_of(row) == "failed"


def outcome_said(row: ToolRow, /) -> str:
    """How it ended, in a few words: by the exit of its process, else by what the agent reported to the model."""
    if row.signal:
        return f"killed by signal {row.signal}"
    if row.exit_code is not None:
        return f"exit {row.exit_code}"
    return _WORDS[outcome_of(row)]


_WORDS: dict[ToolOutcome, str] = {
    "asked": "no result seen",
    "ran": "done",
    "failed": "failed",
    "refused": "refused",
    "unknown": "no process seen",
}
