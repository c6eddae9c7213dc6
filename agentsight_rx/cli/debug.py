"""agentsight-rx debug SOURCE: one source through its own chain, with the flags of trace that concern it."""

from __future__ import annotations

import typer

from .flags.group import flattened
from .program.help import Command, Group
from .trace import trace

debug = typer.Typer(cls=Group, help="Watch one source alone, through its own chain.", no_args_is_help=True)

for _source in ("ssl", "plain_http", "process", "stdio", "system", "files", "net"):
    _name = _source.replace("_", "-")
    debug.command(_name, cls=Command, help=f"The {_name} source alone.")(flattened(trace, source=_source))
