"""A decorator that gives a report the flags that every report has."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import typer

from ...core.errors import UsageError
from ..flags.group import flattened
from .ask import Ask, Flags

__all__ = ["reported"]

Command: TypeAlias = Callable[..., None]


def reported(report: Command) -> Command:
    """
    A command that has the shared flags behind the flags of `report`, which gets them as its first argument, an open `Ask`.

    A flag of `agentsight-rx report` counts for the report behind it too.
    """

    def command(context: typer.Context, flags: Flags, **given: Any) -> None:
        context.obj = flags = flags.over(context.obj) if isinstance(context.obj, Flags) else flags
        if context.invoked_subcommand is not None:
            if any(given.values()):
                names = ", ".join(f"--{name.replace('_', '-')}" for name, value in given.items() if value)
                raise UsageError(f"{names} is of `report` alone; give it behind `{context.invoked_subcommand}`, if that has it")
            return
        with Ask(flags, name=context.command_path.partition(" ")[2]) as ask:
            report(ask, **given)

    _, *own = inspect.signature(report, eval_str=True).parameters.values()
    context, flags, _ = inspect.signature(command, eval_str=True).parameters.values()
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [each.replace(kind=keyword) for each in (context, *own, flags)]
    command.__name__, command.__doc__ = report.__name__, report.__doc__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # `flattened` reads it
    return flattened(command)
