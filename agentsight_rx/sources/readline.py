"""A user probe in bash's `readline` -> Readline: what a person types into an interactive shell."""

from __future__ import annotations

import math
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from struct import Struct as Layout
from typing import TypeAlias

from ..core.errors import CaptureError
from ..core.messages import detail, say
from ..core.options import Options
from ..core.stream import Stream
from ..events import Loss, Origin, Readline, Tick
from ..events.loss import Reason
from .kernel.features import takes_links
from .kernel.probes import Probes, Site
from .kernel.program import Program
from .kernel.reader import ProgramReader, text_of
from .kernel.shared_ring import RingSize
from .names import Names
from .running_agents.on_demand import captured
from .target import Target, seeds
from .tls.candidates import executables_of
from .tls.libraries import FileId
from .tls.stacks.elf import Image

_FUNCTION = "readline"
_SYSTEM = ("/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash")

# struct line_t of bpf/readline.c, up to its text
_RECORD = Layout("<QQB3xIII16sII")
_STARTED_KIND = 2
_LINE_MOST = 8192

_LOOK_S = 0.1
_LOAD_S = 2.0  # how long a new bash is inspected again, until its libraries are mapped

_Line: TypeAlias = Readline | Loss | Tick


class ReadlineOptions(Options, frozen=True, omit_defaults=True):
    """The processes whose lines are read. `ring_size` is in bytes, a power of two; `multi=False` attaches
    as kernels without uprobe_multi links need it."""

    target: Target = Target()
    ring_size: RingSize = 1 << 20
    multi: bool = True


def readline(options: ReadlineOptions = ReadlineOptions()) -> Stream[Readline | Loss | Tick]:  # noqa: B008 (frozen)
    """
    The lines typed into every bash of the target, without empty ones. Of a bash that waits for a line when the trace begins the
    first line is missed. Where no bash has the function there are no events, and a message says so.
    """
    return captured("readline", options, lambda: ReadlineReader(options, note=detail))


class ReadlineReader(ProgramReader["_Line | int"]):
    """A Reader. `note`, or without it `say`, gets a sentence for each file in which lines are read; `say` if there is none."""

    def __init__(
        self, options: ReadlineOptions, say: Callable[[str], None] = say, note: Callable[[str], None] | None = None
    ) -> None:
        self._options = options
        self.names = Names(options.target.comms)
        self._say = say
        self._note = note or say
        self._probes: Probes | None = None
        self._looked_at: set[FileId] = set()
        self._attached = 0
        self._young: dict[int, float] = {}  # pid of a new bash -> until when its libraries are looked for

    def open(self) -> None:
        self._load()
        for path in (*_SYSTEM, *_shared(_SYSTEM)):
            self._look_into(path)
        self.look_again()
        if not self._attached:
            self._say("no bash with a readline function found; lines typed into a shell are not seen")

    def look_again(self) -> None:
        if not self._options.target.everything:
            self._look_into_processes(seeds(self._options.target))
        super().look_again()

    def _load(self) -> None:
        multi = takes_links(wanted=self._options.multi)
        program: Program[_Line | int] = Program(
            "readline",
            self._options.target,
            ring_size=self._options.ring_size,
            decode=decode,
            names=self.names,
        )
        self._program, self._probes = program, Probes(program.bpf, multi=multi)

    def _look_into_processes(self, pids: Iterable[int]) -> bool:
        before = self._attached
        for path in executables_of(pid for pid in pids if _is_bash(pid)):
            if Path(path).name == "bash" or Path(path).name.startswith("libreadline.so"):
                self._look_into(path)
        return self._attached > before

    def _look_into(self, path: str) -> None:
        try:
            stat = os.stat(path)
            identity = (stat.st_dev, stat.st_ino, stat.st_mtime_ns)
            if identity in self._looked_at:
                return
            self._looked_at.add(identity)
            offset = function_offset(path, _FUNCTION)
        except OSError:
            return
        if offset is None:
            return
        assert self._probes is not None
        try:
            self._probes.attach(path, [Site("on_leave", offset, 1, at_return=True)])
        except CaptureError as error:
            self._say(f"{path}: lines typed into it are not seen: {error}")
            return
        self._attached += 1
        self._note(f"reading lines typed into {path}")

    def poll(self, timeout: float, /) -> Sequence[_Line] | None:
        assert self._program is not None
        over = self._program.over()
        ready = self._program.wait(min(timeout, self.due_s))
        lines = self._lines(self._program.read()) if ready else []
        for pid, until in list(self._young.items()):
            if self._look_into_processes([pid]) or time.monotonic() > until:
                del self._young[pid]
        return None if over and not ready else lines

    @property
    def due_s(self) -> float:
        return _LOOK_S if self._young else math.inf

    def _lines(self, read: Sequence[_Line | int]) -> list[_Line]:
        lines: list[_Line] = []
        for each in read:
            if isinstance(each, int):
                self._young[each] = time.monotonic() + _LOAD_S
                continue
            lines.append(each)
            if isinstance(each, Readline) and len(each.command.encode()) >= _LINE_MOST - 1:
                note = "a line of more than 8 KiB"
                lines.append(Loss(each.origin, "readline", Reason.TRUNCATED, 1, note=note))
        return lines

    def close(self) -> Sequence[_Line]:
        if self._program is None:
            return ()
        program, self._program = self._program, None
        if self._probes is not None:
            self._probes.close()
        rest = [*self._lines(program.rest()), *program.lost()]
        program.close()
        return rest


def decode(view: memoryview, at: int, size: int) -> Readline | int | None:
    """One record of ring `lines`; for a new bash its pid."""
    time_ns, _, kind, pid, tid, uid, comm, length, _ = _RECORD.unpack_from(view, at)
    if kind == _STARTED_KIND:
        return int(pid)
    body = at + _RECORD.size
    line = bytes(view[body : body + length]).partition(b"\0")[0]
    if not line:
        return None
    return Readline(Origin(time_ns, pid, tid=tid, uid=uid, comm=text_of(comm.partition(b"\0")[0])), text_of(line))


def _is_bash(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text() == "bash\n"
    except OSError:
        return False


def function_offset(path: str, name: str) -> int | None:
    """The offset in the file `path` of its function `name`; None if it has none or is not an ELF file."""
    try:
        with Path(path).open("rb") as file:
            image = Image(file, path)
            for symbols in image.symbols():
                for address, _ in symbols.named(name):
                    if (offset := image.offset_of(address)) is not None:
                        return offset
    except CaptureError:
        pass
    return None


def _shared(programs: Sequence[str]) -> list[str]:
    """The libreadline files that `programs` need as shared libraries."""
    wanted = {name for path in programs for name in _needed(path) if name.startswith("libreadline.so")}
    if not wanted:
        return []
    try:
        listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    pairs = [line.strip().partition(" (")[::2] for line in listing.splitlines()]
    return [rest.rpartition("=> ")[2] for name, rest in pairs if name in wanted]


def _needed(path: str) -> list[str]:
    try:
        with Path(path).open("rb") as file:
            return Image(file, path).needed()
    except (OSError, CaptureError):
        return []
