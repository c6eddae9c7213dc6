"""The command line -> its man page: python -m agentsight_rx.cli.program.manual VERSION > agentsight-rx.1"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer

from .. import app
from .help import SELECTIONS, groups_of, meaning_of, spec_of
from .reference import described

_FILES = (
    (
        "~/.local/share/agentsight-rx/",
        "The recordings, and the search index of `serve`. With sudo they are in the home of the user who called it.",
    ),
    ("~/.cache/agentsight-rx/", "Compiled programs of the kernel, and places of TLS functions. With sudo this is root's home."),
)


_SIGNS = str.maketrans({"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "~": r"\(ti", "^": r"\(ha"})


def manual(version: str) -> str:
    """Every command with every flag, for man(1), as man(7) of groff and mandoc reads it."""
    return "\n".join(_lines(version)) + "\n"


def _lines(version: str) -> Iterator[str]:
    program: Any = typer.main.get_command(app)
    yield f'.TH AGENTSIGHT-RX 1 "" "agentsight-rx {_escaped(version)}"'
    yield from (".SH NAME", rf"agentsight\-rx \- {_escaped(_lowered(program.help))}")
    yield from (".SH SYNOPSIS", ".B agentsight-rx", r"\fICOMMAND\fR [\fIFLAGS\fR]")
    yield from (".SH DESCRIPTION", "Each command has", r"\fB\-\-help\fR, and \fB\-h\fR for the most used flags.")
    for _, parameters in groups_of(program.params):
        yield from _parameters(parameters)
    yield ".SH COMMANDS"
    for command in described(program):
        yield from (f".SS {_escaped(command.name)}", _escaped(command.meaning))
        if command.within:
            yield from (".PP", f"It also has the flags of {_escaped(command.within)}.")
        for group, parameters in command.groups:
            yield from (".PP", rf"\fI{_escaped(group)}\fR")
            yield from _parameters(parameters)
    yield ".SH SELECTION OF PROCESSES"
    for given, who, together in SELECTIONS:
        yield from (
            ".TP",
            rf"\fB{_escaped(given)}\fR",
            _escaped(f"A process is watched if {who}." + (f" Together with others: {together}." if together else "")),
        )
    yield ".SH FILES"
    for path, meaning in _FILES:
        yield from (".TP", rf"\fI{_escaped(path)}\fR", _escaped(meaning))


def _parameters(parameters: list[Any]) -> Iterator[str]:
    for each in parameters:
        yield from (".TP", rf"\fB{_escaped(spec_of(each))}\fR", _escaped(meaning_of(each)))


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _escaped(text: str) -> str:
    """Roff makes typographic signs of these, and a line that begins with a dot is a request."""
    text = text.translate(_SIGNS)
    return rf"\&{text}" if text.startswith(".") else text


if __name__ == "__main__":
    print(manual(sys.argv[1]), end="")
