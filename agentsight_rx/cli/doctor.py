"""agentsight-rx doctor: what this machine can capture, and why not; where the TLS of a program is read."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from ..doctor import checks, render
from .probing import probe_lines

__all__ = ["doctor"]


def doctor(
    probe: Annotated[
        str | None,
        typer.Option("--probe", metavar="FILE|PID|COMMAND", help="Show where its TLS is read, how that was found, or why not."),
    ] = None,
) -> int:
    """
    Show what can be captured here, what cannot, and what to do about it; exits with 1 if no capture is possible.

    With --probe it looks into one program instead: exits with 1 if its TLS cannot be read.
    """
    if probe is not None:
        lines, readable = probe_lines(probe)
        typer.echo("\n".join(lines))
        return 0 if readable else 1
    found = checks()
    Console(highlight=False).print(render(found))
    return 0 if all(check.ok for check in found if check.needed_for == "every capture") else 1
