"""Rules of a guard that nearly everything breaks, so that a law over alerts has many of them; and what a call costs there."""

from __future__ import annotations

from agentsight_rx.policy.rules.guard.file import read_rules
from agentsight_rx.policy.rules.guard.values import Rules
from agentsight_rx.view import CallRow

__all__ = ["BOTH", "LOUD", "QUIET", "priced"]

_TEXT = """
[rule.files]
when = "event=file"
[rule.hosts]
when = "event=net"
do = "stop"
[rule.new]
when = "net.new=true"
[rule.programs]
when = "event=process & agent ~= *"
[rule.tools]
when = "event=tool"
[rule.fails]
when = "tool.failures >= 1"
[rule.spent]
when = "session.tokens >= 1 | session.cost > 0.01 | day.cost > 0.02 | subagent.cost > 0"
[rule.typed]
when = "event=prompt"
[rule.away]
when = "left.file ~= *"
[rule.outside]
when = "file.outside=true & workspace ~= *"
do = "note"
"""
# Rules that few things break; nearly all that is done is then of no interest
_QUIET = """
[rule.some]
when = "file.path ~= */a* & file.op=read & agent ~= *"
[rule.some-hosts]
when = "net.host ~= *a* & net.sent > 10"
[rule.some-programs]
when = "process.danger=delete | process.program=rm"
[rule.some-cost]
when = "session.tokens >= 100"
[rule.some-tools]
when = "tool.failures >= 2 | tool.unsandboxed=true"
"""
LOUD: Rules = read_rules(_TEXT, "loud.toml")
QUIET: Rules = read_rules(_QUIET, "quiet.toml")
BOTH: Rules = read_rules(_TEXT, "loud.toml", over=QUIET)


def priced(row: CallRow) -> float | None:
    """One dollar for 1,000 tokens; one model has no price."""
    return None if row.model == "small" else row.total_tokens / 1000
