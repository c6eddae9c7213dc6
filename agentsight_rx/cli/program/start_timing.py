"""The steps of a start -> a table, or JSON lines: where the time went before a recorded command began."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from ...core.errors import CaptureError, SinkError
from ...core.files import create_private
from ...core.start import Step, so_far
from ..capturing.launch import invoking_user

STARTED = "the command, started"  # the last step
_DEADLINE_S = 120.0  # the first capture on a kernel compiles its programs


def write_steps(path: Path) -> None:
    """The steps of this process, as JSON lines. Raises SinkError."""
    try:
        with open(create_private(path, invoking_user()), "wb") as file:
            file.write("".join(f"{line}\n" for line in json_lines_of(so_far())).encode())
    except OSError as error:
        raise SinkError(f"--timing {path} cannot be written: {error.strerror}") from error


def measured() -> list[Step]:
    """The steps of a `record` of a program that does nothing, with all sources, without a page. Raises CaptureError."""
    with TemporaryDirectory() as name:
        found = Path(name) / "steps"
        command = ["record", "--no-server", "--db", str(Path(name) / "run.lmdb"), "--timing", str(found), "--", "/bin/true"]
        # Without the user that sudo names, who would own the files
        env = {name: value for name, value in os.environ.items() if not name.startswith("SUDO_")}
        done = subprocess.run(
            [sys.executable, "-m", "agentsight_rx", *command], env=env, capture_output=True, text=True, timeout=_DEADLINE_S
        )
        if done.returncode or not found.exists():
            raise CaptureError(f"record did not run: {done.stderr.strip() or f'it exited with {done.returncode}'}")
        return [Step(**msgspec.json.decode(line)) for line in found.read_bytes().splitlines()]


def json_lines_of(steps: Sequence[Step]) -> Iterator[str]:
    """The same as JSON, a step a line."""
    return (msgspec.json.encode(each._asdict()).decode() for each in steps)


def lines_of(steps: Sequence[Step]) -> Iterator[str]:
    """A table. Steps beside the main thread stand behind an arrow: their time on the clock is not added to the rest."""
    yield f"{'ms':>7} {'took':>7} {'cpu':>7}  before the command"
    for each in steps:
        name = f"{'→ ' if each.beside else ''}{each.name}"
        yield f"{each.begin_ms:7.0f} {each.took_ms:7.0f} {each.processor_ms:7.0f}  {name}".rstrip()
    end = max((each.begin_ms + each.took_ms for each in steps if each.name == STARTED), default=None)
    if end is not None:
        yield f"the command began {end:.0f} ms after record"
