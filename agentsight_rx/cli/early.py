"""
`record … -- COMMAND` -> the command, forked and held, and programs of the kernel being loaded, before the rest is imported.

A fork wants a process without threads, and a thread can load programs while Python imports. So the fork comes first. A command
that is held does nothing, and never runs where `record` finds something wrong with its flags, or ends.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..errors import AgentsightError
from ..search_path import search_path
from ..timing import step
from .launch import Launch, adopt_orphans

__all__ = ["begin", "held", "launched"]

_END_OF_FLAGS = "--"
held: dict[tuple[str, ...], Launch] = {}  # at most one


def begin(arguments: Sequence[str]) -> None:
    """The arguments of `record`. Nothing happens where the command begins without `--`: only the flags could say where."""
    if _END_OF_FLAGS not in arguments:
        return
    at = arguments.index(_END_OF_FLAGS)
    command = tuple(arguments[at + 1 :])
    try:
        with step("the command, forked and held"):
            held[command] = _forked(command)
    except AgentsightError:
        return  # `record` tries again, and says it, once it has looked at its flags
    with step("the sources, imported"):
        from ..sources.kernel.ahead import AHEAD
    AHEAD.begin(" ".join(["record", *sorted(_names(arguments[:at]))]))


def _names(flags: Sequence[str]) -> set[str]:
    """The names of the flags. Their values, such as the place of the store, seldom change which programs are loaded."""
    return {flag.partition("=")[0] for flag in flags if flag.startswith("-")}


def launched(command: Sequence[str]) -> Launch:
    """The command, which `begin` may have forked. Raises as `Launch.fork`."""
    adopt_orphans()  # not earlier: the guard of our control group would be taken for what the command left running
    found = held.pop(tuple(command), None)
    return _forked(command) if found is None else found


def _forked(command: Sequence[str]) -> Launch:
    return Launch.fork(command, env={**os.environ, "PATH": search_path(os.environ)}, adopts=False)
