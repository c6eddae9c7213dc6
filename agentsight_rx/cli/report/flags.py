"""The flags that every report has, and a decorator that gives them to a command."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_type_hints

import typer
from msgspec import Struct

from ...errors import UsageError
from .ask import Ask, Flags

__all__ = ["SHARED", "reported"]

WHICH, HOW = "what to show", "how to show it"
SHARED = (WHICH, HOW)


def _flag(group: str, names: str, help: str, value: str | None = None, **more: Any) -> Any:
    return typer.Option(*names.split(), help=help, metavar=value, rich_help_panel=group, **more)


class _Shared(Struct):
    """The flags, with the names of Flags."""

    db: Annotated[Path | None, _flag(WHICH, "--db", "The store; without it the newest recording.", "PATH")] = None
    since: Annotated[str | None, _flag(WHICH, "--since", "From then on: 2h, today, 14:30, 2026-11-27T18:00Z.", "TIME")] = None
    until: Annotated[str | None, _flag(WHICH, "--until", "Before then, written in the same ways.", "TIME")] = None
    session: Annotated[str | None, _flag(WHICH, "--session", "This session (begin of its id), or newest.", "ID")] = None
    agent: Annotated[str | None, _flag(WHICH, "--agent", "The sessions of this agent, such as claude.", "NAME")] = None
    pid: Annotated[int | None, _flag(WHICH, "-p --pid", "What this process did.", "PID", min=1)] = None
    limit: Annotated[int | None, _flag(WHICH, "-n --limit", "The newest so many.", "N", min=1)] = None
    show_all: Annotated[bool, _flag(WHICH, "--all", "All of it, not only the newest.")] = False
    json_lines: Annotated[bool, _flag(HOW, "--json", "JSON, a value a line; so it is without a terminal.")] = False
    text: Annotated[bool, _flag(HOW, "--text", "Text, also where there is no terminal.")] = False
    prices: Annotated[Path | None, _flag(HOW, "--prices", "Prices of models, before the published ones.", "FILE")] = None


Command: TypeAlias = Callable[..., None]


def reported(report: Callable[..., None]) -> Command:
    """
    A command that has the shared flags behind the flags of `report`, which gets them as its first argument, an open `Ask`.

    A flag of `agentsight-rx report` counts for the report behind it too.
    """

    def command(context: typer.Context, **given: Any) -> None:
        mine = Flags(**{name: given.pop(name) for name in _HINTS})
        flags = mine.over(context.obj) if isinstance(context.obj, Flags) else mine
        context.obj = flags
        if context.invoked_subcommand is not None:
            if any(given.values()):
                names = ", ".join(f"--{name.replace('_', '-')}" for name, value in given.items() if value)
                raise UsageError(f"{names} is of `report` alone; give it behind `{context.invoked_subcommand}`, if that has it")
            return
        with Ask(flags, name=context.command_path.partition(" ")[2]) as ask:
            report(ask, **given)

    own = list(inspect.signature(report, eval_str=True).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    first = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    mine = [each.replace(kind=keyword) for each in own]
    shared = [inspect.Parameter(name, keyword, default=getattr(_NONE, name), annotation=hint) for name, hint in _HINTS.items()]
    command.__name__, command.__doc__ = report.__name__, report.__doc__
    command.__signature__ = inspect.Signature([first, *mine, *shared])  # type: ignore[attr-defined]  # typer reads it
    command.__annotations__ = {each.name: each.annotation for each in (first, *mine, *shared)}
    return command


_HINTS = get_type_hints(_Shared, include_extras=True)
_NONE = _Shared()
