"""Container -> its processes, the paths of its files on the host, its libraries and its control groups."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from ...core.bounded import Recent
from ...core.errors import CaptureError
from ...events import ProcessExec, ProcessSeen
from ..kernel.machine import MACHINE
from .control_groups import Memory, container_of, group_of, matches, pids, read
from .references import HERE, Container, Host, names_kept


def members(containers: Iterable[Container], proc: Path = Path("/proc")) -> set[int]:
    """The processes of containers, also processes that entered one later and do not descend from its first process."""
    first = {container.id: container.init_pid for container in containers}
    if not first:
        return set()
    groups = ((pid, group_of(proc, pid)) for pid in pids(proc))
    return {*first.values(), *(pid for pid, group in groups if group and group.id in first)}


_LINKS_MOST = 40  # as the kernel's MAXSYMLINKS


def inside(container: Container, path: str, proc: Path = Path("/proc")) -> Path:
    """
    The path on the host of a file in a container. Symbolic links are followed inside the container: an absolute one followed
    on the host would end in a file of the host. Raises CaptureError where they form a cycle.
    """
    root = proc / str(container.init_pid) / "root"
    todo, here, links = path.split("/")[::-1], list[str](), 0
    while todo:
        part = todo.pop()
        if part == "..":
            del here[-1:]
        elif part not in ("", "."):
            target = _link(root.joinpath(*here, part))
            if target is None:
                here.append(part)
                continue
            links += 1
            if links > _LINKS_MOST:
                raise CaptureError(f"{container.reference}: {path} goes through too many symbolic links")
            if target.startswith("/"):
                here.clear()
            todo += target.split("/")[::-1]
    return root.joinpath(*here)


def _link(path: Path) -> str | None:
    """The target of a symbolic link; None for other files and missing ones, which fail when they are opened."""
    try:
        return os.readlink(path)
    except OSError:
        return None


# Library directories of the distributions in images, and of conda
_LIBRARY_PLACES = (
    f"/usr/lib/{MACHINE.folder}",
    f"/lib/{MACHINE.folder}",
    "/usr/lib64",
    "/lib64",
    "/usr/lib",
    "/lib",
    "/usr/local/lib",
    "/opt/conda/lib",
)


def libraries_in(container: Container, proc: Path = Path("/proc")) -> list[Path]:
    """Every libssl in the library directories of a container, in use or not."""
    root = proc / str(container.init_pid) / "root"
    places = (inside(container, place, proc) for place in _LIBRARY_PLACES)
    files = (file for place in places for file in sorted(matches(place, "libssl*.so*")))
    return list(dict.fromkeys(inside(container, str(file.relative_to(root)), proc) for file in files))


def control_groups(container: Container, host: Host = HERE) -> list[int]:
    """
    The kernel's ids of the control groups (version 2) of a container; empty where it has none of its own. Then processes that
    enter the container later are not found by their control group.
    """
    path = re.search(r"^0::(.*)$", read(host.proc / str(container.init_pid) / "cgroup"), re.MULTILINE)
    mounted = re.search(r"^\S+ (\S+) cgroup2 ", read(host.proc / "self/mounts"), re.MULTILINE)
    found = re.match(rf"(.*{container.id}[^/]*)", path[1]) if path else None
    if not mounted or not found:
        return []
    return [os.stat(directory).st_ino for directory, _, _ in os.walk(mounted[1] + found[1])]


# -- container names -----------------------------------------------------------------------------------------------
# The id of a container -> its name, as the files of its runtime have it; the tools of runtimes are not asked.


_MOST = 1024  # containers whose names are remembered
_SHORT = 12  # digits of an id, as runtimes show it


class Placing:
    """A process -> the same with its container, which /proc has while the process is there."""

    def __init__(self, proc: Path = Path("/proc"), host: Host | None = None) -> None:
        self._proc = proc
        self._containers = Memory(proc)
        self._names = ContainerNames(host)

    def exec(self, event: ProcessExec) -> ProcessExec:
        found = self._containers.of(event.origin.pid, event.start_ns, event.ppid)
        if found is None:
            return event
        name = self._names.of(found.container_id)
        return replace(event, container_id=found.container_id, ns_pid=found.ns_pid, pod=found.pod, container=name)

    def seen(self, event: ProcessSeen) -> ProcessSeen:
        try:
            found = container_of(event.origin.pid, self._proc)
        except OSError:
            found = None
        return event if found is None else replace(event, container=self._names.of(found.container_id))


class ContainerNames:
    """A name is looked up once: it takes milliseconds, and a container has it before its first process starts."""

    def __init__(self, host: Host | None = None) -> None:
        self._host = host
        self._known: Recent[str, str] = Recent(_MOST)

    def of(self, id: str) -> str:
        """NAME, of a pod NAMESPACE/POD/NAME; the begin of the id where no runtime of this machine has a name for it."""
        name = self._known.use(id)
        if name is None:
            host = self._host or host_seen_from_here()
            name = _of_pod(host, id) or names_kept(host).get(id, "") or id[:_SHORT]
            self._known.put(id, name)
        return name


def host_seen_from_here(here: Path = Path("/")) -> Host:
    """
    A container that sees all processes of its machine reads the files of the machine through the first process that is in no
    container. Without the right to look into that one, which may have a user namespace of its own, through the next.
    """
    proc = here / "proc"
    for pid in sorted(pids(proc)) if proc.exists() else ():
        root = proc / str(pid) / "root"
        try:
            if not read(proc / str(pid) / "cmdline"):  # a thread of the kernel, or it is gone
                continue
            if os.path.samefile(root, here):
                return HERE
            if container_of(pid, proc) is None:
                return Host(root)
        except OSError:  # no right to look
            continue
    return HERE


def _of_pod(host: Host, id: str) -> str:
    """Of kubelet's links POD_NAMESPACE_NAME-ID.log."""
    log = next(matches(host.root, f"var/log/containers/*_*_*-{id}.log"), None)
    if log is None:
        return ""
    pod, namespace, name = log.name.removesuffix(f"-{id}.log").split("_", 2)
    return f"{namespace}/{pod}/{name}"
