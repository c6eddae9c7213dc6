"""The steps of a start -> a table, or JSON lines: where the time went before a recorded command began."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec

from ...core.errors import CaptureError, SinkError
from ...core.files import create_private
from ...core.start import Step, so_far
from ..capturing.launch import invoking_user

STARTED = "the command, started"  # the last step
_DEADLINE_S = 120.0  # the first capture on a kernel compiles its programs


# What a descriptor is, as /proc/self/fd says it
_KINDS = {
    "anon_inode:bpf-prog": "programs",
    "anon_inode:bpf-map": "maps",
    "anon_inode:bpf_link": "attached",
    "anon_inode:[perf_event]": "attached",
}


class Held(NamedTuple):
    """Objects of a process in the kernel: BPF programs and maps, places where programs are attached; and its threads."""

    programs: int = 0
    maps: int = 0
    attached: int = 0
    threads: int = 0


def held() -> Held:
    """By this process, now."""
    found = Counter[str]()
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # that of the list itself
            found[_KINDS.get(os.readlink(f"/proc/self/fd/{fd}"), "")] += 1
    return Held(found["programs"], found["maps"], found["attached"], threads=len(os.listdir("/proc/self/task")))


class Start(NamedTuple):
    """The steps of a start, and the objects in the kernel behind the last step."""

    steps: Sequence[Step]
    held: Held


def write_steps(path: Path, then: Held = Held()) -> None:  # noqa: B008 (immutable)
    """The start of this process as JSON lines, with the objects that it held `then`. Raises SinkError."""
    try:
        with open(create_private(path, invoking_user()), "wb") as file:
            file.write("".join(f"{line}\n" for line in json_lines_of(Start(so_far(), then))).encode())
    except OSError as error:
        raise SinkError(f"--timing {path} cannot be written: {error.strerror}") from error


def measured() -> Start:
    """The start of a `record` of a program that does nothing, with all sources, without a page. Raises CaptureError."""
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
        *steps, last = map(msgspec.json.decode, found.read_bytes().splitlines())
        return Start([Step(**step) for step in steps], Held(**last))


def json_lines_of(start: Start) -> Iterator[str]:
    """The same as JSON, a step a line; the last line has the objects in the kernel."""
    values = (*(step._asdict() for step in start.steps), start.held._asdict())
    return (msgspec.json.encode(each).decode() for each in values)


def lines_of(start: Start) -> Iterator[str]:
    """A table. Steps beside the main thread stand behind an arrow: their time on the clock is not added to the rest."""
    steps, (programs, maps, attached, threads) = start
    yield f"{'ms':>7} {'took':>7} {'cpu':>7}  before the command"
    for each in steps:
        name = f"{'→ ' if each.beside else ''}{each.name}"
        yield f"{each.begin_ms:7.0f} {each.took_ms:7.0f} {each.processor_ms:7.0f}  {name}".rstrip()
    end = max((each.begin_ms + each.took_ms for each in steps if each.name == STARTED), default=None)
    if end is not None:
        yield f"the command began {end:.0f} ms after record"
    yield f"in the kernel: {programs} programs at {attached} places, {maps} maps; {threads} threads here"
