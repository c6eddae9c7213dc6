"""agentsight-rx guard continue, guard end: what becomes of an agent that a rule has stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from ...say import say
from ..stopping import end_halted, go_on

__all__ = ["continue_agent", "end_agent"]

Pid = Annotated[int, typer.Argument(metavar="PID", help="The process of the agent, as the alert says.", min=2)]


def continue_agent(*, pid: Pid) -> None:
    """Let an agent go on that a rule has stopped."""
    say(f"{go_on(pid)} processes go on")


def end_agent(*, pid: Pid) -> None:
    """End an agent that a rule has stopped, and all that it started: SIGTERM, and it goes on to handle it."""
    say(f"{end_halted(pid)} processes were asked to end")
