"""Whom to watch: one meaning of pid, comm, session, uid and children for every source, decided in the kernel."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from ..errors import CaptureError

__all__ = ["Target", "seeds"]

_PROC = Path("/proc")
_COMM_MOST = 15  # characters that the kernel keeps of a name
_TOP_GROUP = 1  # the inode of the control group that all others are in


class Target(Struct, frozen=True, omit_defaults=True):
    """
    A process is watched if it is `pid`, it or its program is called exactly one of `comms`, its session is `session`, or, with
    `children`, one of its ancestors was. Nothing given: every process. `uid` and `cgroup`, where given, must fit besides:
    the user of the process, and the directory of a control group (v2) that it is in, or that a group above its own has.
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
        """The switches of bpf/track.h."""
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
        """Raises CaptureError where the pid or the control group that was asked for is not there."""
        if self.pid is not None and not (_PROC / str(self.pid)).exists():
            raise CaptureError(f"there is no process {self.pid}; look up its number again, for example with: pgrep -a NAME")
        if self.cgroup is not None:
            _control_group(self.cgroup)


def _control_group(path: str) -> tuple[int, int]:
    """(id, depth below the top) of a control group; a path that is not there is looked for below the mount of cgroup2."""
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
            raise CaptureError(
                f"{path} is seen from inside another control group: its place cannot be told; trace from outside"
            )
        stat = above
    return group, level


def _mounts_of_cgroup2() -> dict[int, str]:
    """Device number -> where it is mounted (proc_pid_mountinfo(5))."""
    mounts: dict[int, str] = {}
    for line in (_PROC / "self" / "mountinfo").read_text().splitlines():
        mount, _, filesystem = line.partition(" - ")
        if filesystem.startswith("cgroup2 "):
            _, _, device, _, place, *_ = mount.split()
            major, minor = device.split(":")
            mounts[os.makedev(int(major), int(minor))] = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), place)
    return mounts


def seeds(target: Target) -> Iterator[int]:
    """The pids that fit `target` now, parents before children, from one pass over /proc."""
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


def _is_called(pid: int, comm: str, names: tuple[str, ...]) -> bool:
    """By its name, or by that of its program or of the word that started it: node renames itself to MainThread."""
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
            # the name stands in parentheses and may contain any character, a ")" too
            opened, closed = text.index("("), text.rindex(")")
            fields = text[closed + 2 :].split()
            yield int(entry.name), text[opened + 1 : closed], int(fields[1]), int(fields[3])
