"""The command line: turns flags into options, options into a graph and sinks, and errors into one sentence."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import flushed, shown
from .help import Command, Group

__all__ = ["app", "main"]

# name -> the module and what it has: a command, or a program with commands of its own
_COMMANDS = {
    "trace": ("trace", "trace"),
    "record": ("record", "record"),
    "replay": ("replay", "replay"),
    "top": ("top", "top"),
    "serve": ("serve", "serve"),
    "filter": ("filter", "filter_command"),
    "doctor": ("doctor", "doctor"),
    "demo": ("demo", "demo"),
    "report": ("report", "report"),
    "cluster": ("cluster", "cluster"),
    "debug": ("debug", "debug"),
}

if TYPE_CHECKING:
    app: typer.Typer


def __getattr__(name: str) -> typer.Typer:
    """`app`, with all commands, is made when it is asked for: they import a third of the program."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = whole = _program(_COMMANDS)
    return whole


def _program(names: Collection[str]) -> typer.Typer:
    made = typer.Typer(
        name="agentsight-rx",
        cls=Group,
        help="Shows what AI agents really do on this machine, from outside: no SDK, no proxy.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_every_command)
    for name in names:
        module, attribute = _COMMANDS[name]
        found = getattr(import_module(f".{module}", __name__), attribute)
        if isinstance(found, typer.Typer):
            made.add_typer(found, name=name)
        else:
            made.command(name, cls=Command)(found)
    return made


def _named(argv: Sequence[str]) -> Collection[str]:
    """The command that is asked for; all of them for help and for what is none."""
    return argv[:1] if argv[:1] and argv[0] in _COMMANDS else _COMMANDS


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"agentsight-rx {version('agentsight-rx')}")
        raise typer.Exit


def _every_command(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """What holds for every command."""


def main() -> None:
    """The program `agentsight-rx`."""
    argv = sys.argv[1:]
    sys.exit(flushed(shown(lambda: _program(_named(argv))(argv, prog_name="agentsight-rx", standalone_mode=False), argv)))
