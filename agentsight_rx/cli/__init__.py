"""
The command line: turns flags into options, options into a graph and sinks, and errors into one sentence.

A command has a file, or a folder: `top`, `report`, `watch`, `service`, `guard`, `mcp` and `doctor`. `flags` has the flags that
they share; `values` turns their text into values.

`capturing`: what the commands that capture share, such as the start of a command and the destinations.
`program`: what all commands share: help, errors, the version, the pages that are made of the flags.
`places`: files of the user: configuration, recordings, session files of agents.
`text` has the lines that people read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from ..core.signals import stopped_in_order
from ..core.start import any_part
from .places.own_files import load_own_agents
from .program.errors import flushed, mend_streams, shown
from .program.lazy import importing, lazy_group

__all__ = ["app", "main"]

# name -> the module, what it has (a command, or a program with commands of its own), and the first sentence of its help, so
# that the help of all commands imports none of them
_COMMANDS = {
    "trace": (
        "trace",
        "trace",
        "Watch running processes, and print a line for each event: readable on a terminal, JSON elsewhere and with --json.",
    ),
    "record": ("record", "record", "Record a command, or running processes with --pid or --comm."),
    "watch": (
        "watch",
        "watch",
        "Record every agent of this machine until a signal: running agents, and each one that starts.",
    ),
    "service": (
        "service",
        "service",
        "The recorder of this machine as a service of systemd: install, status, logs, uninstall.",
    ),
    "replay": ("replay", "replay", "Run recorded events through the same graph; needs no privileges."),
    "top": ("top", "top", "Show what each agent does now: processor, memory, tokens, cost, tools, failures."),
    "serve": (
        "serve",
        "serve",
        "Serve a page that shows recordings, the newest first, also unfinished ones. It changes none of them.",
    ),
    "filter": (
        "filter",
        "filter_command",
        "Try a filter rule on a recording: prints the events that it would drop, the matching conditions, and the totals.",
    ),
    "guard": ("guard", "guard", "The rules of the guard: list them, try them on recordings, explain an alert."),
    "check": ("check", "check", "Judge recordings by rules, for a build: exits with 1 where one is broken."),
    "doctor": (
        "doctor.command",
        "doctor",
        "Show what can be captured here, what cannot, and what to do about it; exits with 1 if `record` would not start.",
    ),
    "bench": ("bench", "bench", "Measure what this program costs here, with targets. Each ratio is of one run."),
    "demo": ("demo", "demo", "Record a small real agent that talks to a fake model over TLS, all on this machine."),
    "report": ("report", "report", "What the newest session did, what it cost, and whether anything is missing."),
    "import": (
        "past",
        "import_command",
        "Read the session files that agents keep in your home into a store, which stays when they are deleted; without root.",
    ),
    "mcp": (
        "mcp",
        "mcp",
        "Let an agent ask about your recordings over MCP. It changes nothing, and answers about no other user.",
    ),
    "cluster": ("cluster", "cluster", "Analyse the spools of many hosts, on one machine or on many."),
    "ship": (
        "cluster",
        "ship",
        "Ship the segments of a spool to a shared folder or an object store, for `cluster run`, until Ctrl-C.",
    ),
    "debug": ("debug", "debug", "Watch one source alone, through its own chain."),
}
_GROUPS = ("watch", "service", "report", "mcp", "cluster", "guard", "debug")  # have commands of their own
_COMPLETE = "_AGENTSIGHT_RX_COMPLETE"  # set by the shell's completion, with the words of the line in one of these
_WORDS_OF_THE_LINE = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")


def _flattened(found: Any) -> Any:
    from .flags.group import flattened  # the help of all commands needs no groups

    return flattened(found)


def _without_help(argv: list[str]) -> list[str]:
    """`help COMMAND` and `GROUP help COMMAND` are `COMMAND --help`."""
    at = 1 if argv[:1] and argv[0] in _GROUPS else 0
    return [*argv[:at], *argv[at + 1 :], "--help"] if argv[at : at + 1] == ["help"] else argv


def _completed_words() -> list[str]:
    """The words that a shell asks to complete, without the program; one empty word is the first of a line."""
    line = next((os.environ[name] for name in _WORDS_OF_THE_LINE if name in os.environ), "")
    return line.split()[1:] or [""]


def _print_version(wanted: bool) -> None:
    if wanted:
        from .program.version import version_line

        print(version_line())
        raise typer.Exit


def _every_command(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version, and the commit where it is known.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """What holds for every command."""
    load_own_agents()
    if any_part():
        from ..runtime.plugins import load  # takes most of what a capture imports

        load("providers", "agents", "session_files")


app = typer.Typer(
    name="agentsight-rx",
    cls=lazy_group(
        __name__,
        {name: (module, attribute) for name, (module, attribute, _) in _COMMANDS.items()},
        wrapped=_flattened,
        meanings={name: meaning for name, (_, _, meaning) in _COMMANDS.items()},
    ),
    help="Shows what AI agents really do on this machine, from outside: no SDK, no proxy.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(_every_command)


def main() -> None:
    """The program `agentsight-rx`."""
    mend_streams()
    sys.argv[0] = os.environ.pop("AGENTSIGHT_TYPED", sys.argv[0])  # run.sh stands before us
    argv = _without_help(sys.argv[1:]) if _COMPLETE not in os.environ else _completed_words()
    with stopped_in_order():
        status = flushed(shown(lambda: _loaded(argv)(argv, prog_name="agentsight-rx", standalone_mode=False), argv))
    sys.exit(status)


def _loaded(argv: Sequence[str]) -> Callable[..., int | None]:
    """The program, with all that its command imports at once."""
    program: Any = typer.main.get_command(app)
    with importing("the command, imported"):
        program.commands.get(argv[0] if argv else "")
    made: Callable[..., int | None] = program
    return made
