"""agentsight-rx debug SOURCE: one source through its own chain, with all the flags of trace."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from .trace import trace

__all__ = ["debug"]

debug = typer.Typer(help="Watch one source alone, through its own chain.", no_args_is_help=True)

_SOURCES = ("ssl", "process", "stdio", "system")


def _only(source: str) -> Callable[..., None]:
    @wraps(trace)
    def command(**flags: Any) -> None:
        flags.update({name: name == source for name in _SOURCES})
        trace(**flags)

    command.__doc__ = f"The {source} source alone; the flags are those of trace."
    return command


for _source in _SOURCES:
    debug.command(_source)(_only(_source))
