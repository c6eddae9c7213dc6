"""The processes to watch, chosen in the kernel: pid, comm, session, uid and children mean the same for every source."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from ..errors import CaptureError

__all__ = ["Target", "fits", "seeds"]

_PROC = Path("/proc")
_COMM_MOST = 15  # characters that the kernel keeps of a name
_TOP_GROUP = 1  # the inode of the root control group


class Target(Struct, frozen=True, omit_defaults=True):
    """
    A process is watched if it is `pid`, if it or its program has exactly one of the names `comms`, if its session is `session`,
    or, with `children`, if one of its ancestors is watched. Without any of these every process is watched. `uid` and `cgroup`
    are further conditions: the user of the process, and the directory of its control group (v2) or of one above that.
    """

    pid: int | None = None
    comms: tuple[str, ...] = ()
    session: int | None = None
    uid: int | None = None
    children: bool = True
    cgroup: str | None = None

    @property
    def everything(self) -> bool:
        return self.pid is None and not self.comms and self.session is None

    def flags(self) -> list[str]:
        """Definitions for bpf/track.h."""
        flags = ["-DALL"] if self.everything else []
        if self.children:
            flags.append("-DTREE")
        if self.session is not None:
            flags.append(f"-DBY_SESSION={self.session}")
        if self.uid is not None:
            flags.append(f"-DBY_UID={self.uid}")
        if self.cgroup is not None:
            group, level = _control_group(self.cgroup)
            flags += [f"-DBY_CGROUP={group}ULL", f"-DCGROUP_LEVEL={level}"]
        return flags

    def check(self) -> None:
        """Raises CaptureError where the chosen pid or control group does not exist."""
        if self.pid is not None and not (_PROC / str(self.pid)).exists():
            raise CaptureError(f"there is no process {self.pid}; look up its number again, for example with: pgrep -a NAME")
        if self.cgroup is not None:
            _control_group(self.cgroup)


def _control_group(path: str) -> tuple[int, int]:
    """(id, depth below the root) of a control group; the path may be relative to the mount of cgroup2."""
    mounts = _mounts_of_cgroup2()
    if not mounts:
        raise CaptureError(f"{path} is no control group: nothing of type cgroup2 is mounted here")
    directory = next((each for each in (path, *(mount + "/" + path for mount in mounts.values())) if Path(each).is_dir()), path)
    try:
        stat = os.stat(directory)
    except OSError as error:
        raise CaptureError(f"there is no control group {path}: {error.strerror}; look below {min(mounts.values())}") from error
    if stat.st_dev not in mounts or not Path(directory).is_dir():
        raise CaptureError(f"{path} is no control group of version 2; look below {min(mounts.values())}")
    group, level = stat.st_ino, 0
    while stat.st_ino != _TOP_GROUP:
        directory, level = directory + "/..", level + 1
        above = os.stat(directory)
        if above.st_dev != stat.st_dev or above.st_ino == stat.st_ino:
            raise CaptureError(f"{path} is seen from inside another control group, so its depth is unknown; trace from outside")
        stat = above
    return group, level


def _mounts_of_cgroup2() -> dict[int, str]:
    """Device number -> mount point (proc_pid_mountinfo(5))."""
    mounts: dict[int, str] = {}
    for line in (_PROC / "self" / "mountinfo").read_text().splitlines():
        mount, _, filesystem = line.partition(" - ")
        if filesystem.startswith("cgroup2 "):
            _, _, device, _, place, *_ = mount.split()
            major, minor = device.split(":")
            mounts[os.makedev(int(major), int(minor))] = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), place)
    return mounts


def seeds(target: Target) -> Iterator[int]:
    """The pids that match `target` now, in ascending order, from one pass over /proc."""
    parents: dict[int, int] = {}
    roots: set[int] = set()
    for pid, comm, parent, session in _processes():
        parents[pid] = parent
        named = bool(target.comms) and _is_called(pid, comm, target.comms)
        if target.everything or pid == target.pid or named or session == target.session:
            roots.add(pid)
    for pid in sorted(parents):
        if pid in roots or (target.children and _descends(pid, roots, parents)):
            yield pid


def fits(target: Target, pid: int, uid: int) -> bool:
    """The further conditions of `target`, for a process that runs: its user, its control group."""
    if target.uid is not None and uid != target.uid:
        return False
    return target.cgroup is None or _control_group(target.cgroup)[0] in _groups_of(pid)


def _groups_of(pid: int) -> set[int]:
    """The ids of the control group of a process and of those above it."""
    found: set[int] = set()
    try:
        path = (_PROC / str(pid) / "cgroup").read_text().rpartition("0::")[2].strip()
        for mount in _mounts_of_cgroup2().values():
            place = Path(mount + path)
            found |= {os.stat(each).st_ino for each in (place, *place.parents) if str(each).startswith(mount)}
    except OSError:
        pass  # it ended while we looked
    return found


def _is_called(pid: int, comm: str, names: tuple[str, ...]) -> bool:
    """By its own name, its program's name or the name it was started by: node renames itself to MainThread."""
    if comm in {name[:_COMM_MOST] for name in names}:
        return True
    try:
        program = os.readlink(_PROC / str(pid) / "exe")
        word = (_PROC / str(pid) / "cmdline").read_bytes().partition(b"\0")[0]
    except OSError:
        return False  # a kernel thread, or it ended while we looked
    return os.path.basename(program) in names or os.path.basename(os.fsdecode(word)) in names


def _descends(pid: int, roots: set[int], parents: dict[int, int]) -> bool:
    seen: set[int] = set()
    while pid in parents and pid not in seen:
        if pid in roots:
            return True
        seen.add(pid)
        pid = parents[pid]
    return False


def _processes() -> Iterator[tuple[int, str, int, int]]:
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text(errors="replace")
            except OSError:
                continue  # it ended while we looked
            # the name is in parentheses and may contain any character, a ")" too
            opened, closed = text.index("("), text.rindex(")")
            fields = text[closed + 2 :].split()
            yield int(entry.name), text[opened + 1 : closed], int(fields[1]), int(fields[3])
