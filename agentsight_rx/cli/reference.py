"""The command line -> docs/cli.md: python -m agentsight_rx.cli.reference > docs/cli.md"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from . import app
from .help import groups_of, meaning_of, spec_of
from .selections import SELECTIONS

__all__ = ["reference"]


def reference() -> str:
    """Every command with every flag, as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    program: Any = typer.main.get_command(app)
    yield "# The command line"
    yield ""
    yield (
        "`python -m agentsight_rx.cli.reference` generates this page, and a test compares it with the program. "
        "`--help` of a command shows the same; `-h` shows the flags that are used most."
    )
    yield from ("", "## Which processes are watched", "", "| given | a process is watched if | together with others |")
    yield "| --- | --- | --- |"
    for given, who, together in SELECTIONS:
        yield f"| `{given}` | {who} | {together} |"
    for name, command in program.commands.items():
        yield from _command(f"agentsight-rx {name}", command)
        for inner, subcommand in getattr(command, "commands", {}).items():
            yield from _command(f"agentsight-rx {name} {inner}", subcommand, within=command)


def _command(name: str, command: Any, *, within: Any = None) -> Iterator[str]:
    """The flags that all commands of a group have are described with the group."""
    shared = [] if within is None else [spec_of(each) for each in within.params]
    yield from ("", f"## {name}", "", " ".join(str(command.help).split()))
    if shared:
        yield from ("", f"It also has the flags of `{name.rpartition(' ')[0]}`.")
    for group, parameters in groups_of(each for each in command.params if spec_of(each) not in shared):
        yield from ("", f"| {group} | |", "| --- | --- |")
        for parameter in parameters:
            yield f"| `{_escaped(spec_of(parameter))}` | {_escaped(meaning_of(parameter))} |"


def _escaped(text: str) -> str:
    return text.replace("|", chr(92) + "|")


if __name__ == "__main__":
    print(reference(), end="")
