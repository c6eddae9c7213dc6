"""The command line -> docs/cli.md: python -m agentsight_rx.cli.program.reference > docs/cli.md"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import typer

from .. import app
from .help import SELECTIONS, groups_of, meaning_of, spec_of


def reference() -> str:
    """Every command with every flag, as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    program: Any = typer.main.get_command(app)
    yield "# The command line"
    yield ""
    yield (
        "`python -m agentsight_rx.cli.program.reference` generates this page, and a test compares it with the program. "
        "`--help` of a command shows the same; `-h` shows the flags that are used most."
    )
    yield from ("", "## Which processes are watched", "", "| given | a process is watched if | together with others |")
    yield "| --- | --- | --- |"
    for given, who, together in SELECTIONS:
        yield f"| `{given}` | {who} | {together} |"
    for command in described(program):
        yield from ("", f"## {command.name}", "", command.meaning)
        if command.within:
            yield from ("", f"It also has the flags of `{command.within}`.")
        yield from _flags(command)


class Described(NamedTuple):
    """A command in words. `groups` has its own flags and arguments; `within` is the command whose flags it has too, or ""."""

    name: str
    meaning: str
    within: str
    groups: list[tuple[str, list[Any]]]


def described(program: Any, name: str = "agentsight-rx", shared: Collection[str] = ()) -> Iterator[Described]:
    """Every command below `program`, and the commands below it."""
    for word, command in program.commands.items():
        whole = f"{name} {word}"
        own = [each for each in command.params if spec_of(each) not in shared]
        yield Described(whole, " ".join(str(command.help).split()), name if shared else "", groups_of(own))
        if hasattr(command, "commands"):
            yield from described(command, whole, {spec_of(each) for each in command.params})


def _flags(command: Described) -> Iterator[str]:
    for group, parameters in command.groups:
        yield from ("", f"| {group} | |", "| --- | --- |")
        for parameter in parameters:
            yield f"| `{_escaped(spec_of(parameter))}` | {_escaped(meaning_of(parameter))} |"


def _escaped(text: str) -> str:
    return text.replace("|", chr(92) + "|")


if __name__ == "__main__":
    print(reference(), end="")
