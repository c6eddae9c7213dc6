"""The id of a container -> its name, as the files of its runtime have it; the tools of runtimes are not asked."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import ProcessExec, ProcessSeen
from .control_groups import Memory, container_of, matches, pids, read
from .references import HERE, Host, names_kept

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
