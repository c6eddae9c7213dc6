"""/proc -> which processes run now, with their names, parents and sessions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_STAT_MOST = 4096  # bytes of proc_pid_stat(5): 52 numbers and a name of at most 64
_DEAD = ("Z", "X")  # states of proc_pid_stat(5)
_EXITING = 0x4  # PF_EXITING of include/linux/sched.h: set before the tracepoint of its end


def is_childless(pid: int | None) -> bool:
    """
    Whether a process surely has no children, as a command that is yet to start: then it has no descendants either, and there is
    no need to read all of /proc. Not sure with several threads, since a child moves to another one when its own ends, nor where
    the kernel keeps no such list (CONFIG_PROC_CHILDREN; proc_pid_task(5)).
    """
    place = f"{_PROC}/{pid}/task"
    try:
        if len(os.listdir(place)) != 1:
            return False
        with open(f"{place}/{pid}/children", "rb") as children:
            return not children.read(1)
    except OSError:
        return False


def processes() -> Iterator[tuple[int, str, int, int]]:
    """Each with its name, parent and session."""
    for entry in os.listdir(_PROC):
        if entry.isdigit() and (process := process_now(entry)) is not None:
            yield process


def process_now(entry: str) -> tuple[int, str, int, int] | None:
    """The process of this pid, with its name, parent and session; None if it does not run."""
    found = read_stat(entry)
    if found is None:
        return None
    name, fields = found
    if fields[0] in _DEAD and not is_alive(int(entry)):
        return None
    return int(entry), name, int(fields[1]), int(fields[3])


def read_stat(pid: int | str) -> tuple[str, list[str]] | None:
    """
    The name of a process, and the fields behind it: state, parent, group, session, … (proc_pid_stat(5)). None where there is no
    such process. Every source reads all processes, twice: pathlib would take twice as long.
    """
    try:
        fd = os.open(f"{_PROC}/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(fd, _STAT_MOST).decode(errors="replace")
        finally:
            os.close(fd)
    except OSError:
        return None  # it ended while we looked
    # the name is in parentheses and may contain any character, a ")" too
    opened, closed = text.index("("), text.rindex(")")
    return text[opened + 1 : closed], text[closed + 2 :].split()


def is_copy(pid: int) -> bool:
    """Whether it was forked by this program and runs no other yet, as a command that is still held."""
    stat = read_stat(pid)
    try:
        same = (_PROC / str(pid) / "cmdline").read_bytes() == Path("/proc/self/cmdline").read_bytes()
    except OSError:
        return False
    return same and stat is not None and int(stat[1][1]) == os.getpid()


def is_alive(pid: int) -> bool:
    """
    Whether a thread of it runs: a process that ended stays in /proc until its parent has waited for it. A thread that is about
    to end runs no more: the kernel may have said so already, and says it once.
    """
    place = _PROC / str(pid) / "task"
    try:
        threads = os.listdir(place)
    except OSError:
        return False  # nothing is left of it
    for thread in threads:
        try:
            state, _, _, _, _, _, flags, *_ = (place / thread / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if state not in _DEAD and not int(flags) & _EXITING:
                return True
        except OSError:
            continue  # it ended while we looked
    return False
