"""ToolRow -> how it ended, in a few words."""

from __future__ import annotations

from ...view import ToolRow
from .screen import Span

__all__ = ["tool_said"]


def tool_said(row: ToolRow) -> Span:
    """How it ended, in a few words: by the exit of its process, else by what the agent reported to the model."""
    if row.signal:
        return Span(f"killed by signal {row.signal}", "failed")
    if row.exit_code is not None:
        return Span(f"exit {row.exit_code}", "failed" if row.exit_code or row.status == "failed" else "")
    if row.status == "failed":
        return Span(f"failed: {row.output}" if row.output else "failed", "failed")
    return Span("done" if row.status == "completed" else "no result seen")
