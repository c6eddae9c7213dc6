"""agentsight-rx debug SOURCE: one source through its own chain, with the flags of trace that concern it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, get_type_hints

import typer

from .flags import FILTERS, OUT, PAGE, STDIO, SYSTEM, TLS, WATCH
from .help import Command, Group
from .trace import trace

__all__ = ["debug"]

debug = typer.Typer(cls=Group, help="Watch one source alone, through its own chain.", no_args_is_help=True)

_SOURCES = ("ssl", "plain_http", "process", "stdio", "system", "files", "net")
_OF_ALL = (WATCH, OUT, PAGE)
_GROUPS = {"ssl": (TLS, FILTERS), "plain_http": (FILTERS,), "stdio": (STDIO,), "system": (SYSTEM,)}
# Flags of a group of all sources that concern one alone, and of a group that is not of the source
_OF_ONE = {
    "mode": ("process",),
    "duration": ("process",),
    "disable_auth_removal": ("ssl", "plain_http", "process", "stdio"),
    "ssl_http": ("ssl", "plain_http"),
    "ssl_raw_data": ("ssl", "plain_http"),
}


def _only(source: str) -> Callable[..., None]:
    @wraps(trace)
    def command(**flags: Any) -> None:
        flags[source] = True
        trace(**flags)

    command.__doc__ = f"The {source.replace('_', '-')} source alone."
    hints = get_type_hints(trace, include_extras=True)
    signature = inspect.signature(trace)
    flags = [each.replace(annotation=hints[each.name]) for each in signature.parameters.values()]
    kept = [each for each in flags if _concerns(source, each.name, each.annotation)]
    command.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]  # typer reads it
    return command


def _concerns(source: str, name: str, hint: Any) -> bool:
    if name in _SOURCES:
        return False
    if name in _OF_ONE:
        return source in _OF_ONE[name]
    (option,) = getattr(hint, "__metadata__", (None,))
    return option is None or option.rich_help_panel in (*_OF_ALL, *_GROUPS.get(source, ()))


for _source in _SOURCES:
    debug.command(_source.replace("_", "-"), cls=Command)(_only(_source))
