"""docker://NAME, podman://NAME, k8s://POD -> the running container of that name, and its first process."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias, cast

import msgspec
from msgspec import Struct

from ...core.errors import CaptureError, UsageError
from ...core.options import json_decoder
from ...core.start import regex
from .control_groups import Group, group_of, is_first, matches, pids, started


class Host(Struct, frozen=True):
    """The root directory of a machine, and the tools of its container runtimes."""

    root: Path = Path("/")
    tools: str | None = None  # a search path; None: that of the environment

    @property
    def proc(self) -> Path:
        return self.root / "proc"


HERE = Host()


class Container(Struct, frozen=True):
    """A running container. `path`, where the reference has one, is of a file in it."""

    reference: str
    id: str
    runtime: str
    init_pid: int
    path: str = ""


_REFERENCE = regex(r"(docker|podman|k8s|kubernetes):(?://)?(.*)", re.DOTALL)
_NAME = regex(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_POD_NAME = regex(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_ID = regex(r"[0-9a-f]{12,64}")


def is_reference(text: str) -> bool:
    return _REFERENCE.match(text) is not None


def resolve_reference(text: str, host: Host = HERE) -> Container:
    """
    The container that `text` means: docker://NAME_OR_ID[/PATH], podman://NAME_OR_ID[/PATH] or k8s://[NAMESPACE/]POD[/CONTAINER],
    also without the slashes, and kubernetes: for k8s:.

    It asks the runtime's own tool; without one it reads the runtime's state files, for which no daemon is needed. Raises
    UsageError for text that is not a reference, CaptureError where the container does not run or several fit.
    """
    found = _REFERENCE.fullmatch(text)
    if not found:
        raise UsageError(f"{text!r} is not a container: expected docker://NAME, podman://NAME or k8s://NAMESPACE/POD/CONTAINER")
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
    return Container(text, id, runtime=(group.runtime if group else "") or scheme, init_pid=init_pid, path=path)


def _check(pattern: re.Pattern[str], part: str, text: str, expected: str) -> None:
    """Raise UsageError for a name that must not be passed to a tool."""
    if not pattern.fullmatch(part):
        raise UsageError(f"{text!r} is not a valid container reference: {part!r} was seen, expected {expected}")


class _Running:
    """The containers of a machine that have processes, from one pass over /proc."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.groups: dict[str, Group] = {}
        self.pids: dict[str, list[int]] = {}
        for pid in pids(host.proc):
            group = group_of(host.proc, pid)
            if group:
                self.groups[group.id] = group
                self.pids.setdefault(group.id, []).append(pid)

    def first_of(self, id: str) -> int:
        """The process with pid 1 in it, or the oldest where it shares a pid namespace with the host or a pod; 0: none."""
        proc, members = self.host.proc, self.pids.get(id, [])
        return min(members, key=lambda pid: (not is_first(proc, pid), started(proc, pid), pid), default=0)


# Where there is no docker, podman is often called by its name
_TOOLS = {"docker": ("docker", "nerdctl", "podman"), "podman": ("podman",)}
_PATIENCE_S = 10  # for a tool that asks a daemon


def _named(scheme: str, name: str, text: str, running: _Running) -> tuple[str, int]:
    """(id, pid or 0) of a container by its name or the beginning of its id."""
    host = running.host
    for tool in _TOOLS[scheme]:
        answer = _ask(host, [tool, "inspect", "--type", "container", "--format", "{{.Id}} {{.State.Pid}}", "--", name])
        if found := re.fullmatch(r"([0-9a-f]{64}) (\d+)\s*", answer):
            pid = int(found[2])  # 0: it does not run; from a runtime on another machine it is an unrelated pid here
            return found[1], pid if is_first(host.proc, pid) else 0
    kept: dict[str, list[str]] = {}
    ids: list[str] = []
    for state in _STATES[scheme]:
        here = dict(state(host))
        ids = ids or [id for id, names in here.items() if name in names]
        kept |= here
    if not ids and _ID.fullmatch(name):
        ids = [id for id in {*running.groups, *kept} if id.startswith(name)]
    if len(ids) > 1:
        raise CaptureError(f"{text}: several containers fit: {', '.join(sorted(id[:20] for id in ids))}; give more of the id")
    if not ids:
        there = sorted(name for id, names in kept.items() if id in running.pids for name in names[:1])
        raise CaptureError(f"{text}: there is no such container here" + (f"; running: {', '.join(there)}" if there else ""))
    return ids[0], _noted_pid(host, ids[0])


def _ask(host: Host, command: list[str]) -> str:
    """The output of a tool; empty where the tool is missing or fails."""
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
    for file in matches(host.root, "var/lib/docker/containers/*/config.v2.json"):
        yield file.parent.name, [str(_json(file, dict).get("Name", "")).lstrip("/")]


def _podman_state(host: Host) -> Iterator[tuple[str, list[str]]]:
    for place in ("var/lib/containers", "home/*/.local/share/containers", "root/.local/share/containers"):
        for file in matches(host.root, f"{place}/storage/*-containers/*containers.json"):
            for entry in _json(file, list) or ():
                if isinstance(entry, dict):
                    known = cast("dict[str, Any]", entry)
                    yield str(known.get("id")), [str(name) for name in known.get("names") or ()]


_State: TypeAlias = Callable[[Host], Iterator[tuple[str, list[str]]]]
_STATES: dict[str, tuple[_State, ...]] = {"docker": (_docker_state, _podman_state), "podman": (_podman_state,)}


def names_kept(host: Host) -> dict[str, str]:
    """The first name of each container, by id, as the state files of docker and podman have it."""
    return {id: names[0] for state in _STATES["docker"] for id, names in state(host) if names}


# Files in which runtimes keep the first process of a container, and the key of the pid; "": the file is the pid.
_NOTES = (
    ("run/containers/storage/*-containers/{id}/userdata/pidfile", ""),
    ("run/user/*/containers/*-containers/{id}/userdata/pidfile", ""),
    ("run/containerd/io.containerd.runtime.v2.task/*/{id}/init.pid", ""),
    ("run/runc/{id}/state.json", "init_process_pid"),
    ("run/docker/runtime-runc/moby/{id}/state.json", "init_process_pid"),
    ("run/crun/{id}/status", "pid"),
)


def _noted_pid(host: Host, id: str) -> int:
    """The first process of a container whose control groups lack its id; 0 where unknown, or where the pid was reused."""
    for pattern, key in _NOTES:
        for file in matches(host.root, pattern.format(id=id)):
            noted = _json(file, dict if key else int)
            pid, start = (noted.get(key), noted.get("init_process_start")) if key else (noted, None)
            if isinstance(pid, int) and is_first(host.proc, pid) and start in (None, started(host.proc, pid)):
                return pid
    return 0


def _json(file: Path, kind: type) -> Any:
    """The value in a file of another program; an empty one where it cannot be read or has another type."""
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


_decode_crictl = json_decoder(_CrictlAnswer).decode


def _containers_of(namespace: str, pod: str, running: _Running) -> Iterator[tuple[str, str]]:
    """(name, id) of the running ones. The sandbox of the pod, which only holds its namespaces, has no name and no log."""
    labels = ["--label", f"io.kubernetes.pod.name={pod}", "--label", f"io.kubernetes.pod.namespace={namespace}"]
    answer = _ask(running.host, ["crictl", "ps", "--state", "Running", *labels, "-o", "json"])
    try:
        listed = _decode_crictl(answer).containers
    except msgspec.DecodeError:
        listed = []
    for entry in listed:
        yield str(entry.metadata.get("name")), entry.id
    if listed:
        return
    # kubelet's own list, without a tool: links POD_NAMESPACE_NAME-ID.log
    for log in matches(running.host.root / "var/log/containers", f"{pod}_{namespace}_*.log"):
        name, _, id = log.stem.removeprefix(f"{pod}_{namespace}_").rpartition("-")
        if id in running.pids:
            yield name, id
