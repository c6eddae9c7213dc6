"""The command line: turns flags into options, options into a graph and sinks, and errors into one sentence."""

from __future__ import annotations

import sys

import typer

from .debug import debug
from .demo import demo
from .doctor import doctor
from .errors import shown
from .filter import filter_command
from .record import record
from .replay import replay
from .report import report
from .trace import trace

__all__ = ["app", "main"]

app = typer.Typer(
    name="agentsight-rx",
    help="Shows what AI agents really do on this machine, from outside: no SDK, no proxy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(trace)
app.command(context_settings={"ignore_unknown_options": False})(record)
app.command()(replay)
app.command()(report)
app.command("filter")(filter_command)
app.command()(doctor)
app.command()(demo)
app.add_typer(debug, name="debug")


def main() -> None:
    """The program `agentsight-rx`."""
    argv = sys.argv[1:]
    sys.exit(shown(lambda: app(argv, prog_name="agentsight-rx", standalone_mode=False), argv))
