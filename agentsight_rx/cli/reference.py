"""The command line -> docs/cli.md: python -m agentsight_rx.cli.reference > docs/cli.md"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from . import app

__all__ = ["reference"]


def reference() -> str:
    """Every command with every flag, as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    program: Any = typer.main.get_command(app)
    yield "# The command line"
    yield ""
    yield "Made from the program itself by `python -m agentsight_rx.cli.reference`; a test compares."
    for name, command in program.commands.items():
        yield from ("", f"## agentsight-rx {name}", "", " ".join(str(command.help).split()), "")
        yield from ("| flag | meaning |", "| --- | --- |")
        for parameter in command.params:
            flags = [*parameter.opts, *parameter.secondary_opts]
            shown = ", ".join(flags) if flags[0].startswith("-") else parameter.metavar or flags[0]
            meaning = " ".join((getattr(parameter, "help", None) or "").split())
            yield f"| `{shown}` | {meaning.replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    print(reference(), end="")
