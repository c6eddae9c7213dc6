"""
agentsight-rx watch: record every agent that starts on this machine; pause and resume it.

`watching` makes the graph, and `pausing` pauses it and locks out a second recorder of the machine.
`heartbeat` measures the recorder's memory, reads changed files, and says to systemd that it goes on.
`writer` is the process that writes the recording of one user.
"""

from __future__ import annotations

import typer

from ..flags.group import flattened
from ..program.lazy import lazy_group
from .watching import watch as watch_machine

__all__ = ["watch"]

_COMMANDS = {"pause": ("pausing", "pause"), "resume": ("pausing", "resume")}
watch = typer.Typer(cls=lazy_group(__name__, _COMMANDS, wrapped=flattened), no_args_is_help=False)
watch.callback(invoke_without_command=True)(flattened(watch_machine))
