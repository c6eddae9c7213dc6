"""docker://NAME, podman://NAME, k8s://POD -> the first process of that container; a pid -> the container that it is in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
from msgspec import Struct

from ..errors import CaptureError, UsageError

__all__ = [
    "Container",
    "Host",
    "Inside",
    "Memory",
    "container_of",
    "control_groups",
    "inside",
    "is_reference",
    "libraries_in",
    "members",
    "resolve_reference",
]


class Host(Struct, frozen=True):
    """Where a machine has its files and the tools of its container runtimes."""

    root: Path = Path("/")
    tools: str | None = None  # a search path; None: that of the environment

    @property
    def proc(self) -> Path:
        return self.root / "proc"


_HERE = Host()


class Container(Struct, frozen=True):
    """A container that runs. `path`, where the reference has one, is of a file in it."""

    reference: str
    id: str
    runtime: str
    init_pid: int
    path: str = ""


class Inside(NamedTuple):
    """What it means for a process to be in a container. `ns_pid` is its number in there, `pod` the UID of a Kubernetes pod."""

    container_id: str
    ns_pid: int
    pod: str


# -- a pid -> its container --------------------------------------------------------------------------------------------

# The name of a control group, or what stands behind a colon in it: docker-<id>.scope, libpod-<id>, cri-containerd:<id>, <id>.
# Those of conmon, the watchman of a container, are none: crio-conmon-<id>.scope.
_GROUP = re.compile(r"(?:(docker|cri-containerd|crio|libpod|nerdctl)-)?([0-9a-f]{64})(?:\.scope)?")
_SOME_ID = re.compile(r"[0-9a-f]{64}")
_POD = re.compile(r"pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?![0-9a-f])")
_RUNTIMES = {"docker": "docker", "nerdctl": "nerdctl", "cri-containerd": "containerd", "crio": "cri-o", "libpod": "podman"}


class _Group(NamedTuple):
    """What a process's control groups say."""

    id: str
    runtime: str
    pod: str


def _group(text: str) -> _Group | None:
    """The innermost container in /proc/PID/cgroup; with version 1 there are many lines, and not all need to name it."""
    if not _SOME_ID.search(text):
        return None
    for line in text.splitlines():
        path = line.split(":", 2)[-1]
        parts = path.replace(":", "/").split("/")
        for before, part in reversed(list(pairwise(parts))):
            if found := _GROUP.fullmatch(part):
                pod = _POD.search(path)
                runtime = _RUNTIMES.get(found[1] or before, "")
                return _Group(found[2], runtime, pod[1].replace("_", "-") if pod else "")
    return None


def container_of(pid: int, proc: Path = Path("/proc")) -> Inside | None:
    """The container that a process is in now, None for one of the machine itself (30 us). Raises OSError where it is gone."""
    with open(f"{proc}/{pid}/cgroup", errors="replace") as file:
        group = _group(file.read())
    return Inside(group.id, _numbers(proc, pid)[-1], group.pod) if group else None


class Memory:
    """
    `container_of` for processes that may be gone by the time they are asked about: then it is what was known of them, or of
    their parent, without the number in there.
    """

    def __init__(self, proc: Path = Path("/proc"), *, most: int = 16_384) -> None:
        self._proc = proc
        self._most = most
        self._known: dict[int, tuple[int, Inside | None]] = {}  # by pid: the start of the process, and where it was

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


# -- /proc; what is gone reads as nothing ------------------------------------------------------------------------------


def _pids(proc: Path) -> Iterator[int]:
    return (int(entry.name) for entry in proc.iterdir() if entry.name.isdigit())


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _group_of(proc: Path, pid: int) -> _Group | None:
    return _group(_read(proc / str(pid) / "cgroup"))


def _numbers(proc: Path, pid: int) -> list[int]:
    """The numbers of a process in each of its pid namespaces, outermost first."""
    found = re.search(r"^NSpid:((?:\s+\d+)+)$", _read(proc / str(pid) / "status"), re.MULTILINE)
    return [int(number) for number in found[1].split()] if found else [pid]


def _is_first(proc: Path, pid: int) -> bool:
    numbers = _numbers(proc, pid)
    return len(numbers) > 1 and numbers[-1] == 1


def _started(proc: Path, pid: int) -> int:
    """Field 22 of stat: clock ticks after boot."""
    fields = _read(proc / str(pid) / "stat").rpartition(")")[2].split()
    return int(fields[19]) if fields else 1 << 63


# -- a reference -> its container --------------------------------------------------------------------------------------

_REFERENCE = re.compile(r"(docker|podman|k8s|kubernetes):(?://)?(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_POD_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_ID = re.compile(r"[0-9a-f]{12,64}")


def is_reference(text: str) -> bool:
    return _REFERENCE.match(text) is not None


def resolve_reference(text: str, host: Host = _HERE) -> Container:
    """
    The container that `text` means: docker://NAME_OR_ID[/PATH], podman://NAME_OR_ID[/PATH] or k8s://[NAMESPACE/]POD[/CONTAINER],
    also without the slashes, and kubernetes: for k8s:.

    The runtime's own tool is asked where there is one; else the files that it keeps, which are readable without its daemon.
    Raises UsageError for text that is no reference, CaptureError where the container does not run or is not the only one.
    """
    found = _REFERENCE.fullmatch(text)
    if not found:
        raise UsageError(f"{text!r} is no container: expected docker://NAME, podman://NAME or k8s://NAMESPACE/POD/CONTAINER")
    scheme, rest = found.groups()
    running, pid, path = _Running(host), 0, ""
    if scheme in _TOOLS:
        name, slash, path = rest.partition("/")
        _check(_NAME, name, text, "a name or id, for example docker://my-agent")
        id, pid = _named(scheme, name, text, running)
        path = slash + path
    else:
        scheme, id = "kubernetes", _of_pod(rest, text, running)
    init_pid = running.first_of(id) or pid
    if not init_pid:
        raise CaptureError(f"{text}: this container does not run here; start it, or run this on the machine where it runs")
    group = running.groups.get(id)
    return Container(text, id, (group.runtime if group else "") or scheme, init_pid, path)


def _check(pattern: re.Pattern[str], part: str, text: str, expected: str) -> None:
    """Before any tool sees it."""
    if not pattern.fullmatch(part):
        raise UsageError(f"{text!r} is no valid container reference: {part!r} was seen, expected {expected}")


class _Running:
    """The containers of a machine that have processes, from one pass over /proc."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.groups: dict[str, _Group] = {}
        self.pids: dict[str, list[int]] = {}
        for pid in _pids(host.proc):
            group = _group_of(host.proc, pid)
            if group:
                self.groups[group.id] = group
                self.pids.setdefault(group.id, []).append(pid)

    def first_of(self, id: str) -> int:
        """Its number 1, or the one that started first where it shares the numbers of the machine or of a pod; 0: none."""
        proc, pids = self.host.proc, self.pids.get(id, [])
        return min(pids, key=lambda pid: (not _is_first(proc, pid), _started(proc, pid), pid), default=0)


_TOOLS = {"docker": ("docker", "nerdctl"), "podman": ("podman",)}
_PATIENCE_S = 10  # for a tool that asks a daemon


def _named(scheme: str, name: str, text: str, running: _Running) -> tuple[str, int]:
    """(id, pid or 0) of a container by its name or the beginning of its id."""
    host = running.host
    for tool in _TOOLS[scheme]:
        answer = _ask(host, [tool, "inspect", "--type", "container", "--format", "{{.Id}} {{.State.Pid}}", "--", name])
        if found := re.fullmatch(r"([0-9a-f]{64}) (\d+)\s*", answer):
            pid = int(found[2])  # 0: it does not run; a runtime on another machine tells the number of somebody else here
            return found[1], pid if _is_first(host.proc, pid) else 0
    kept = dict(_STATES[scheme](host))
    ids = [id for id, names in kept.items() if name in names]
    if not ids and _ID.fullmatch(name):
        ids = [id for id in {*running.groups, *kept} if id.startswith(name)]
    if len(ids) > 1:
        raise CaptureError(f"{text}: several containers fit: {', '.join(sorted(id[:20] for id in ids))}; give more of the id")
    if not ids:
        there = sorted(name for id, names in kept.items() if id in running.pids for name in names[:1])
        raise CaptureError(f"{text}: there is no such container here" + (f"; running: {', '.join(there)}" if there else ""))
    return ids[0], _noted_pid(host, ids[0])


def _ask(host: Host, command: list[str]) -> str:
    """What a tool prints; nothing where it is not there or does not know."""
    program = shutil.which(command[0], path=host.tools)
    if program is None:
        return ""
    quiet = subprocess.DEVNULL
    try:
        return subprocess.run(
            [program, *command[1:]],
            stdin=quiet,
            stdout=subprocess.PIPE,
            stderr=quiet,
            text=True,
            timeout=_PATIENCE_S,
            check=True,
            cwd="/",
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _docker_state(host: Host) -> Iterator[tuple[str, list[str]]]:
    for file in host.root.glob("var/lib/docker/containers/*/config.v2.json"):
        yield file.parent.name, [str(_json(file, dict).get("Name", "")).lstrip("/")]


def _podman_state(host: Host) -> Iterator[tuple[str, list[str]]]:
    for place in ("var/lib/containers", "home/*/.local/share/containers", "root/.local/share/containers"):
        for file in host.root.glob(f"{place}/storage/*-containers/containers.json"):
            for entry in _json(file, list) or ():
                if isinstance(entry, dict):
                    known = cast("dict[str, Any]", entry)
                    yield str(known.get("id")), [str(name) for name in known.get("names") or ()]


_STATES: dict[str, Callable[[Host], Iterator[tuple[str, list[str]]]]] = {"docker": _docker_state, "podman": _podman_state}

# Where runtimes note the first process of a container: a file, and the key of the pid in it, "" where the pid is all of it.
_NOTES = (
    ("run/containers/storage/*-containers/{id}/userdata/pidfile", ""),
    ("run/user/*/containers/*-containers/{id}/userdata/pidfile", ""),
    ("run/containerd/io.containerd.runtime.v2.task/*/{id}/init.pid", ""),
    ("run/runc/{id}/state.json", "init_process_pid"),
    ("run/docker/runtime-runc/moby/{id}/state.json", "init_process_pid"),
    ("run/crun/{id}/status", "pid"),
)


def _noted_pid(host: Host, id: str) -> int:
    """For a container whose control groups do not tell its id. Not if the number was given to somebody else since; then 0."""
    for pattern, key in _NOTES:
        for file in host.root.glob(pattern.format(id=id)):
            noted = _json(file, dict if key else int)
            pid, start = (noted.get(key), noted.get("init_process_start")) if key else (noted, None)
            if isinstance(pid, int) and _is_first(host.proc, pid) and start in (None, _started(host.proc, pid)):
                return pid
    return 0


def _json(file: Path, kind: type) -> Any:
    """Of a file that another program keeps; an empty value where it cannot be read, or holds no such value."""
    try:
        value: object = msgspec.json.decode(file.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeError, RecursionError):
        return kind()
    return value if isinstance(value, kind) else kind()


def _of_pod(rest: str, text: str, running: _Running) -> str:
    parts = rest.split("/")
    for part in parts:
        _check(_POD_NAME, part, text, "k8s://POD, k8s://NAMESPACE/POD or k8s://NAMESPACE/POD/CONTAINER")
    if len(parts) > 3:
        raise UsageError(f"{text!r} has too many parts: expected k8s://NAMESPACE/POD/CONTAINER")
    namespace, pod, *chosen = parts if len(parts) > 1 else ["default", *parts]
    found = {name: id for name, id in _containers_of(namespace, pod, running) if not chosen or name == chosen[0]}
    if len(found) > 1:
        raise CaptureError(f"{text}: several containers: {', '.join(sorted(found))}; name one: k8s://{namespace}/{pod}/NAME")
    if not found:
        what = f"container {chosen[0]!r} of pod" if chosen else "pod"
        raise CaptureError(f"{text}: no {what} {pod!r} in namespace {namespace!r} runs here; run this on the pod's node")
    return next(iter(found.values()))


class _CrictlContainer(Struct):
    id: str
    metadata: dict[str, Any]


class _CrictlAnswer(Struct):
    containers: list[_CrictlContainer] = []


def _containers_of(namespace: str, pod: str, running: _Running) -> Iterator[tuple[str, str]]:
    """(name, id) of those that run. The pod's own one, that only holds its namespaces, has no name and no log."""
    labels = ["--label", f"io.kubernetes.pod.name={pod}", "--label", f"io.kubernetes.pod.namespace={namespace}"]
    answer = _ask(running.host, ["crictl", "ps", "--state", "Running", *labels, "-o", "json"])
    try:
        told = msgspec.json.decode(answer, type=_CrictlAnswer).containers
    except msgspec.DecodeError:
        told = []
    for entry in told:
        yield str(entry.metadata.get("name")), entry.id
    if told:
        return
    # kubelet's own list, without a tool: links POD_NAMESPACE_NAME-ID.log
    for log in (running.host.root / "var/log/containers").glob(f"{pod}_{namespace}_*.log"):
        name, _, id = log.stem.removeprefix(f"{pod}_{namespace}_").rpartition("-")
        if id in running.pids:
            yield name, id


# -- what is in a container --------------------------------------------------------------------------------------------


def members(containers: Iterable[Container], proc: Path = Path("/proc")) -> set[int]:
    """The processes of containers, also those that were put into one later and descend from nobody there."""
    first = {container.id: container.init_pid for container in containers}
    if not first:
        return set()
    groups = ((pid, _group_of(proc, pid)) for pid in _pids(proc))
    return {*first.values(), *(pid for pid, group in groups if group and group.id in first)}


_LINKS_MOST = 40  # as the kernel's MAXSYMLINKS


def inside(container: Container, path: str, proc: Path = Path("/proc")) -> Path:
    """
    The path from here of a file in a container. Its symbolic links mean places in there: followed from here an absolute one
    would end in a file of the machine. Raises CaptureError where they go in circles.
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
    """Where a symbolic link points; None for what is none, or not there: who opens it will say so."""
    try:
        return os.readlink(path)
    except OSError:
        return None


# Where the distributions that images are made of, and conda, keep their libraries
_LIBRARY_PLACES = (
    "/usr/lib/x86_64-linux-gnu",
    "/lib/x86_64-linux-gnu",
    "/usr/lib64",
    "/lib64",
    "/usr/lib",
    "/lib",
    "/usr/local/lib",
    "/opt/conda/lib",
)


def libraries_in(container: Container, proc: Path = Path("/proc")) -> list[Path]:
    """Every libssl of a container that lies where libraries lie, whether somebody uses it by now or not."""
    root = proc / str(container.init_pid) / "root"
    places = (inside(container, place, proc) for place in _LIBRARY_PLACES)
    files = (file for place in places for file in sorted(place.glob("libssl*.so*")))
    return list(dict.fromkeys(inside(container, str(file.relative_to(root)), proc) for file in files))


def control_groups(container: Container, host: Host = _HERE) -> list[int]:
    """
    The numbers by which the kernel knows the control groups (version 2) of a container. None where its processes are in no
    such group of their own: then who is put into the container later is not found by it.
    """
    path = re.search(r"^0::(.*)$", _read(host.proc / str(container.init_pid) / "cgroup"), re.MULTILINE)
    mounted = re.search(r"^\S+ (\S+) cgroup2 ", _read(host.proc / "self/mounts"), re.MULTILINE)
    found = re.match(rf"(.*{container.id}[^/]*)", path[1]) if path else None
    if not mounted or not found:
        return []
    return [os.stat(directory).st_ino for directory, _, _ in os.walk(mounted[1] + found[1])]
