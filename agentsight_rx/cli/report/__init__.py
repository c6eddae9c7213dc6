"""
agentsight-rx report: what a recording says, one file a report; each is a query of the store and its lines.

`shown` has what all of them share: their flags, their answers, the layout of their lines. `lists` has the short ones.
"""

from __future__ import annotations

import typer

from ..program.lazy import lazy_group
from .shown.ask import reported
from .summary import summary

__all__ = ["report"]

# In the order of the help: what it did, then what it cost, then the store itself. The module, and what it has
_REPORTS = {
    "summary": ("summary", "summary"),
    "calls": ("calls", "calls"),
    "call": ("call", "call"),
    "prompts": ("lists", "prompts"),
    "find": ("find", "find"),
    "tools": ("tools", "tools"),
    "files": ("files", "files"),
    "network": ("network", "network"),
    "mcp": ("mcp", "mcp"),
    "processes": ("tools", "processes"),
    "http": ("lists", "http"),
    "timeline": ("timeline", "timeline"),
    "alerts": ("alerts", "alerts"),
    "audit": ("lists", "audit"),
    "sessions": ("lists", "sessions"),
    "tokens": ("tokens", "tokens"),
    "context": ("context", "context"),
    "cache": ("tokens", "cache"),
    "transcripts": ("transcripts", "transcripts"),
    "compare": ("compare", "compare"),
    "health": ("recordings", "health"),
    "diff": ("diff.runs", "diff"),
    "export": ("export", "export"),
    "list": ("recordings", "recordings"),
    "compact": ("shown.ask", "compact"),
}
report = typer.Typer(cls=lazy_group(__name__, _REPORTS, wrapped=reported), no_args_is_help=False)
report.callback(invoke_without_command=True)(reported(summary))
