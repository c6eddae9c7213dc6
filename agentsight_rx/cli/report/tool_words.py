"""ToolRow -> how it ended, in a few words."""

from __future__ import annotations

from ...store.rows.tool_outcome import outcome_of, outcome_said
from ...view import ToolRow
from .screen import Span

__all__ = ["tool_said"]


def tool_said(row: ToolRow) -> Span:
    """How it ended, with what the agent said of a failure that no process shows."""
    outcome, said = outcome_of(row), outcome_said(row)
    if outcome not in ("failed", "refused"):
        return Span(said)
    return Span(f"{said}: {row.output}" if said == outcome and row.output else said, "failed")
