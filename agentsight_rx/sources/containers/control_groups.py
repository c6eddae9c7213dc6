"""/proc -> the container that a process is in, by its control groups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from glob import glob
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ...core.start import regex


class Inside(NamedTuple):
    """The container of a process. `ns_pid` is the pid inside the container, `pod` the UID of a Kubernetes pod."""

    container_id: str
    ns_pid: int
    pod: str


# The name of a control group, or its part after a colon: docker-<id>.scope, libpod-<id>, cri-containerd:<id>, <id>.
# Groups of conmon, the monitor of a container, do not count: crio-conmon-<id>.scope.
_GROUP = regex(r"(?:(docker|cri-containerd|crio|libpod|nerdctl)-)?([0-9a-f]{64})(?:\.scope)?")
_SOME_ID = regex(r"[0-9a-f]{64}")
_POD = regex(r"pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?![0-9a-f])")
_RUNTIMES = {"docker": "docker", "nerdctl": "nerdctl", "cri-containerd": "containerd", "crio": "cri-o", "libpod": "podman"}


class Group(NamedTuple):
    """A container, as the control groups of a process name it."""

    id: str
    runtime: str
    pod: str


def _group(text: str) -> Group | None:
    """The innermost container in /proc/PID/cgroup; version 1 has many lines, not all of which name it."""
    if not _SOME_ID.search(text):
        return None
    for line in text.splitlines():
        path = line.split(":", 2)[-1]
        parts = path.replace(":", "/").split("/")
        for before, part in reversed(list(pairwise(parts))):
            if found := _GROUP.fullmatch(part):
                pod = _POD.search(path)
                runtime = _RUNTIMES.get(found[1] or before, "")
                return Group(found[2], runtime, pod[1].replace("_", "-") if pod else "")
    return None


def container_of(pid: int, proc: Path = Path("/proc")) -> Inside | None:
    """The container of a process, None for a process of the host (30 us). Raises OSError where the process is gone."""
    with open(f"{proc}/{pid}/cgroup", errors="replace") as file:
        group = _group(file.read())
    return Inside(group.id, _numbers(proc, pid)[-1], group.pod) if group else None


class Memory:
    """
    `container_of` for processes that may be gone already. Then the answer is the earlier one of the process, or the container
    of its parent, without `ns_pid`.
    """

    def __init__(self, proc: Path = Path("/proc"), *, most: int = 16_384) -> None:
        self._proc = proc
        self._most = most
        self._known: dict[int, tuple[int, Inside | None]] = {}  # by pid: the start of the process, and its container

    def of(self, pid: int, start_ns: int, ppid: int) -> Inside | None:
        try:
            found = container_of(pid, self._proc)
        except OSError:
            started, known = self._known.get(pid, (0, None))
            if started == start_ns:
                return known
            parents = self._of_parent(ppid)
            found = parents._replace(ns_pid=0) if parents else None
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[pid] = start_ns, found
        return found

    def _of_parent(self, ppid: int) -> Inside | None:
        try:
            return container_of(ppid, self._proc)
        except OSError:
            return self._known.get(ppid, (0, None))[1]


def pids(proc: Path) -> Iterator[int]:
    return (int(entry.name) for entry in proc.iterdir() if entry.name.isdigit())


def read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def matches(place: Path, pattern: str) -> Iterator[Path]:
    """As `Path.glob`, which raises before Python 3.13 where a directory goes away meanwhile, as those of containers do."""
    return (place / name for name in glob(pattern, root_dir=place, include_hidden=True))


def group_of(proc: Path, pid: int) -> Group | None:
    return _group(read(proc / str(pid) / "cgroup"))


def _numbers(proc: Path, pid: int) -> list[int]:
    """The pids of a process in each of its pid namespaces, outermost first."""
    found = re.search(r"^NSpid:((?:\s+\d+)+)$", read(proc / str(pid) / "status"), re.MULTILINE)
    return [int(number) for number in found[1].split()] if found else [pid]


def is_first(proc: Path, pid: int) -> bool:
    numbers = _numbers(proc, pid)
    return len(numbers) > 1 and numbers[-1] == 1


def started(proc: Path, pid: int) -> int:
    """Field 22 of stat: clock ticks after boot."""
    fields = read(proc / str(pid) / "stat").rpartition(")")[2].split()
    return int(fields[19]) if fields else 1 << 63
