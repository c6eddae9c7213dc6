"""agentsight-rx report: what a recording says, one file a report; each is a query of the store and its lines."""

from __future__ import annotations

import typer

from ..help import Command, Group
from .audit import audit
from .call import call
from .calls import calls
from .compare import compare
from .diff import diff
from .export import export
from .files import files
from .flags import reported
from .health import health
from .http import http
from .mcp import mcp
from .network import network
from .processes import processes
from .prompts import prompts
from .recordings import recordings
from .sessions import sessions
from .summary import summary
from .timeline import timeline
from .tokens import tokens
from .tools import tools
from .transcripts import transcripts

__all__ = ["report"]

report = typer.Typer(cls=Group, no_args_is_help=False)

# In the order of the help: what it did, then what it cost, then the store itself
for _name, _report in (
    ("summary", summary),
    ("calls", calls),
    ("call", call),
    ("prompts", prompts),
    ("tools", tools),
    ("files", files),
    ("network", network),
    ("mcp", mcp),
    ("processes", processes),
    ("http", http),
    ("timeline", timeline),
    ("audit", audit),
    ("sessions", sessions),
    ("tokens", tokens),
    ("transcripts", transcripts),
    ("compare", compare),
    ("health", health),
    ("diff", diff),
    ("export", export),
    ("list", recordings),
):
    report.command(_name, cls=Command)(reported(_report))
report.callback(invoke_without_command=True)(reported(summary))
