"""The command line: turns flags into options, options into a graph and sinks, and errors into one sentence."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from .debug import debug
from .demo import demo
from .doctor import doctor
from .errors import flushed, shown
from .filter import filter_command
from .help import Command, Group
from .record import record
from .replay import replay
from .report import report
from .trace import trace

__all__ = ["app", "main"]

app = typer.Typer(
    name="agentsight-rx",
    cls=Group,
    help="Shows what AI agents really do on this machine, from outside: no SDK, no proxy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _command in (
    ("trace", trace),
    ("record", record),
    ("replay", replay),
    ("filter", filter_command),
    ("doctor", doctor),
    ("demo", demo),
):
    app.command(_name, cls=Command)(_command)
app.add_typer(report, name="report")
app.add_typer(debug, name="debug")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"agentsight-rx {version('agentsight-rx')}")
        raise typer.Exit


@app.callback()
def program(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """What holds for every command."""


def main() -> None:
    """The program `agentsight-rx`."""
    argv = sys.argv[1:]
    sys.exit(flushed(shown(lambda: app(argv, prog_name="agentsight-rx", standalone_mode=False), argv)))
