"""Container -> its processes, the paths of its files on the host, its libraries and its control groups."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ...core.errors import CaptureError
from .control_groups import group_of, matches, pids, read
from .references import HERE, Container, Host


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
