"""agentsight-rx doctor: what this machine can capture, and why not; where the TLS of a program is read."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.console import Console

from ...core.errors import UsageError
from ...core.messages import passing
from ...runtime import plugins
from ..capturing.ways import probe_lines
from ..flags.filters import Form
from ..program.errors import write_line
from ..program.start_timing import json_lines_of, lines_of, measured
from . import can_record_at_all, can_try, machine_checks, render, try_sources, ways


def doctor(
    probe: Annotated[
        str | None,
        typer.Option(
            "--probe",
            metavar="FILE|PID|COMMAND",
            help="Show where its TLS is read, how the place was found, or why it is not read.",
        ),
    ] = None,
    timing: Annotated[bool, typer.Option("--timing", help="Show where the time before a recorded command goes.")] = False,
    *,
    form: Form,
) -> int:
    """
    Show what can be captured here, what cannot, and what to do about it; exits with 1 if `record` would not start.

    It loads what a capture loads, and captures a small program of its own.

    With --probe it looks into one program instead: exits with 1 if its TLS cannot be read. With --timing it records a program
    that does nothing, and prints the steps of the start, and what it then holds in the kernel.
    """
    if timing:
        if probe is not None:
            raise UsageError("--timing and --probe do not go together: give one of them")
        write_line("\n".join((json_lines_of if form.as_json else lines_of)(measured())))
        return 0
    if probe is not None:
        lines, readable = probe_lines(probe)
        if form.as_json:
            write_line(msgspec.json.encode({"target": probe, "readable": readable, "lines": lines}).decode())
        else:
            typer.echo("\n".join(lines))
        return 0 if readable else 1
    with passing() as show:
        show("looking at this machine …")
        machine = machine_checks()
        show("trying each source; the first time on a kernel its programs are compiled …")
        outcomes = try_sources() if can_try(machine) else []
    added, others = plugins.found(), ways(machine, outcomes)
    starts = can_record_at_all(others)
    if form.as_json:
        for value in (*machine, *outcomes, *added, {"ways": others, "can_record": starts}):
            write_line(msgspec.json.encode(value).decode())
    else:
        Console(highlight=False).print(render(machine, outcomes, added, others))
    return 0 if starts else 1
