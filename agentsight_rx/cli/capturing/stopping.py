"""An alert that says stop -> the processes of the agent stand still, until a person lets them go on or ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ...core.errors import CaptureError
from ...core.messages import program
from ...runtime.recording.deciding import Deciding
from ...runtime.recording.seen_file import SeenFile
from ...sources.hold import halt, halted_group
from ...store.words import plural
from ...view import AlertRow
from ..flags.guard import RULES_FILE, given_rules
from ..places.own_files import own_file
from ..places.stores import seen_path
from .launch import invoking_user

# -- deciding ------------------------------------------------------------------------------------------------------
# The invoking user -> the alerts that the user has seen, and the rules of now.


def deciding() -> Deciding:
    path = seen_path()
    seen = SeenFile(path, invoking_user()) if path is not None else None
    return Deciding(seen, rules=lambda: given_rules(None), place=own_file(RULES_FILE))


# ------------------------------------------------------------------------------------------------------------------------


_ROUNDS = 20  # in which processes that are forked meanwhile are found
_STEP_S = 0.002

# Lets processes go on once we are gone, however that happens: waits for the end of its standard input, and gets pids as words
# The shell ends at once: what it leaves is no child of ours
_GUARD = 'exec 3<&0; (read -r _ <&3; for pid in "$@"; do kill -CONT "$pid" 2>/dev/null; done) &'


class Stopper:
    """
    Halts what an alert is about: the control group of a recorded command, else the process of the agent and its descendants.
    Nothing is ended. If we end, a guard lets them go on.
    """

    def __init__(self, group: Path | None = None, write: Callable[[str], None] | None = None) -> None:
        self._group = group
        self._write = write or to_terminal
        self._ends: list[int] = []  # each is closed by our end

    def __call__(self, row: AlertRow) -> None:
        pid = row.agent_pid
        if pid is None:
            self._write(f"  it is not stopped: the process of {row.agent or 'the agent'} is not known")
            return
        count = self._halted(pid)
        name = row.agent or "the agent"
        if not count:
            self._write(f"  it is not stopped: {name} {pid} has ended, or the kernel refused")
            return
        others = f" and {plural(count - 1, 'process', 'processes')} are" if count > 1 else " is"
        self._write(alert_said(row.sentence, row.rule, row.name))
        commands = f"{program()} guard continue {pid} · {program()} guard end {pid}"
        self._write(f"  stopped: {name} {pid}{others} halted, nothing was ended · {commands}")

    def _halted(self, pid: int) -> int:
        if self._group is not None and halt(self._group):
            return len((self._group / "cgroup.procs").read_text().split())
        pids = _halted_tree(pid)
        if pids:
            words = ["/bin/sh", "-c", _GUARD, "sh", *map(str, pids)]
            alive, end = os.pipe()
            self._ends.append(end)
            try:
                subprocess.run(words, stdin=alive, check=True, start_new_session=True)
            finally:
                os.close(alive)
        return len(pids)


def _halted_tree(pid: int) -> list[int]:
    """SIGSTOP for a process and its descendants, again until no new one is found."""
    stopped: dict[int, None] = {}
    for _ in range(_ROUNDS):
        new = [each for each in _tree(pid) if each not in stopped]
        if not new:
            break
        for each in new:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(each, signal.SIGSTOP)
                stopped[each] = None
        time.sleep(_STEP_S)
    return list(stopped)


def _tree(pid: int) -> list[int]:
    """A process and its descendants, ours and ourselves left out."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with suppress(OSError, ValueError, IndexError):
                parent = int(Path(entry.path, "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, waiting = list[int](), [pid] if Path(f"/proc/{pid}").exists() else []
    while waiting:
        each = waiting.pop()
        if each != os.getpid():
            found.append(each)
            waiting += children.get(each, [])
    return found


def go_on(pid: int) -> int:
    """Let a halted agent go on; how many processes do. Raises CaptureError where there is none, or without the rights."""
    group = halted_group(pid)
    if group is not None:
        count = len((group / "cgroup.procs").read_text().split())  # before: some may end at once
        _set(group, "cgroup.freeze", "0")
        return count
    return _signalled(pid, signal.SIGCONT)


def end_halted(pid: int) -> int:
    """Ask a halted agent and all that it started to end, and let it do so; how many processes were asked."""
    group = halted_group(pid)
    pids = _tree(pid) if group is None else [int(each) for each in (group / "cgroup.procs").read_text().split()]
    for each in pids:
        with suppress(ProcessLookupError):
            _kill(each, signal.SIGTERM)
    if group is not None:
        _set(group, "cgroup.freeze", "0")
    elif pids:
        _signalled(pid, signal.SIGCONT)
    if not pids:
        raise CaptureError(f"there is no process {pid}: its alert says which one was halted (report alerts)")
    return len(pids)


def _signalled(pid: int, number: signal.Signals) -> int:
    pids = _tree(pid)
    if not pids:
        raise CaptureError(f"there is no process {pid}: its alert says which one was halted (report alerts)")
    for each in pids:
        with suppress(ProcessLookupError):
            _kill(each, number)
    return len(pids)


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except PermissionError:
        raise CaptureError(f"process {pid} is of another user: run it as the user that records, or as root") from None


def _set(group: Path, name: str, value: str) -> None:
    try:
        (group / name).write_text(value)
    except OSError as error:
        raise CaptureError(f"{group / name} cannot be written: {error.strerror}; run it as root") from error


def alert_said(sentence: object, rule: object, name: object) -> str:
    """The line of an alert that just came."""
    flag = "⚑" if "utf" in ((sys.__stderr__ or sys.stderr).encoding or "").lower() else "*"
    return f"{flag} {sentence} ({rule}, {name})"


def to_terminal(line: str) -> None:
    """At once, also while a command owns the terminal."""
    with suppress(OSError, ValueError):
        os.write((sys.__stderr__ or sys.stderr).fileno(), f"{line}\r\n".encode())
