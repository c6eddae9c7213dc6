"""agentsight-rx service status, service logs: what systemd says of the recorder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Annotated

import msgspec
import typer

from ...core.errors import CaptureError
from ...runtime.service.unit import UNIT
from ...store.words import data_size
from ..flags.form import Form
from ..flags.group import HOW, flag
from ..streams import write_line
from .systemd import systemctl

__all__ = ["logs", "status"]

_ASKED = ("LoadState", "ActiveState", "SubState", "StatusText", "MainPID", "NRestarts", "MemoryCurrent", "ActiveEnterTimestamp")
_RUNS = "active"
_NOT_RUNNING = 3  # the exit status of `systemctl status` and of LSB's scripts


def status(*, form: Form) -> int:
    """What the recorder does, and whether it runs: exits with 0 where it does, else with 3."""
    text = systemctl("show", UNIT, "--property", ",".join(_ASKED))
    found = {name: value for name, _, value in (line.partition("=") for line in text.splitlines())}
    if form.as_json:
        write_line(msgspec.json.encode({name: found.get(name, "") for name in _ASKED}).decode())
    else:
        typer.echo("\n".join(_lines(found)))
    return 0 if found.get("ActiveState") == _RUNS else _NOT_RUNNING


def _lines(found: Mapping[str, str]) -> Iterator[str]:
    if found.get("LoadState") == "not-found":
        yield "it is not installed; `agentsight-rx service install` installs it"
        return
    since = found.get("ActiveEnterTimestamp", "")
    runs = found.get("ActiveState") == _RUNS
    yield (
        f"recording since {since}, process {found.get('MainPID', '')}"
        if runs
        else f"it does not run: {found.get('SubState', '')}"
    )
    if found.get("StatusText"):
        yield f" {found['StatusText']}"
    if (restarts := found.get("NRestarts", "0")) != "0":
        yield f" started anew {restarts} times; `agentsight-rx service logs` says why"
    if found.get("MemoryCurrent", "").isdecimal():
        yield f" its control group takes {data_size(int(found['MemoryCurrent']))}"


def logs(
    *,
    follow: Annotated[bool, flag(HOW, "-f --follow", "Go on as lines come.")] = False,
    lines: Annotated[int, flag(HOW, "-n --lines", "The newest so many.", "N", min=1)] = 100,
    form: Form,
) -> None:
    """What the recorder said, from the journal."""
    words = ["journalctl", "--unit", UNIT, "--lines", str(lines), "--no-pager", *(["--follow"] if follow else [])]
    words += ["--output", "json"] if form.as_json else []
    try:
        os.execvp(words[0], words)
    except OSError as error:
        raise CaptureError(f"{words[0]} cannot be run: {error.strerror}") from error
