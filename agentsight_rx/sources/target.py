"""The processes to watch, chosen in the kernel: every selection means the same for every source."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Annotated, NamedTuple

from ..core.errors import CaptureError
from ..core.options import Options, at_least
from .containers.contents import members
from .containers.references import Container
from .kernel.namespace import check_proc
from .proc import is_childless, process_now, processes
from .running_agents.choice import Roots

_PROC = Path("/proc")
_COMM_MOST = 15  # characters that the kernel keeps of a name
_TOP_GROUP = 1  # the inode of the root control group

# What a process fits, as bits; bpf/track.h has the same numbers
_PID, _NAME, _SESSION, MEMBER = 1, 2, 4, 8


class Target(Options, frozen=True, omit_defaults=True):
    """
    Of `pid`, `comms` and `session` all that are given must fit: it is this process, it or its program has exactly one of these
    names, it is in this session. With `children` each also fits where it fits an ancestor. The processes of `containers` are
    watched besides, and the agents in `roots`, which come and go. Without any of these every process is watched. `uid` and
    `cgroup` are further conditions at the time of each event: the user of the process, and the directory of its control group
    (v2) or of one above that.
    """

    pid: Annotated[int, at_least(1)] | None = None
    comms: tuple[str, ...] = ()
    session: Annotated[int, at_least(0)] | None = None  # 0: that of the first process, or one from outside
    uid: Annotated[int, at_least(0)] | None = None
    children: bool = True
    cgroup: str | None = None
    containers: tuple[Container, ...] = ()
    roots: Roots | None = None

    @property
    def everything(self) -> bool:
        return not self.needed and not self.containers and self.roots is None

    @property
    def needed(self) -> int:
        """The bits that a process must fit."""
        given = ((_PID, self.pid is not None), (_NAME, bool(self.comms)), (_SESSION, self.session is not None))
        return sum(bit for bit, is_given in given if is_given)

    @property
    def only_pid(self) -> bool:
        """It chooses one process, with its descendants or without."""
        return self.needed == _PID and not self.containers and self.roots is None

    @property
    def in_parts(self) -> bool:
        """A process may fit a part of what it must fit."""
        return self.needed & (self.needed - 1) != 0

    @property
    def ends(self) -> bool:
        """No process can be watched any more once none is left: others cannot come to be watched."""
        return self.roots is None and (self.pid is not None or (bool(self.containers) and not self.needed))

    def may_fit(self, met: int) -> bool:
        """Whether a process that fits these bits, or a descendant, may come to be watched: not outside the tree of `pid`."""
        return self.pid is None or bool(met & (_PID | MEMBER))

    def fits(self, met: int) -> bool:
        """Whether a process that fits these bits is watched."""
        return self.everything or bool(met & MEMBER) or (self.needed != 0 and met & self.needed == self.needed)

    def flags(self) -> list[str]:
        """Definitions for bpf/track.h; the numbers that belong to them are in its `settings`."""
        flags = ["-DALL"] if self.everything else [f"-DNEEDED={self.needed}"]
        if self.containers:
            flags.append("-DMEMBERS")
        if self.children:
            flags.append("-DTREE")
        if self.session is not None:
            flags.append("-DBY_SESSION")
        if self.uid is not None:
            flags.append("-DBY_UID")
        if self.cgroup is not None:
            flags.append("-DBY_CGROUP")
        return flags

    @property
    def control_group(self) -> tuple[int, int] | None:
        """(id, depth below the root) of `cgroup`."""
        return None if self.cgroup is None else _control_group(self.cgroup)

    def check(self) -> None:
        """Raises CaptureError where numbers in /proc are not those here, or the chosen pid or control group does not exist."""
        check_proc()
        if self.pid is not None and not (_PROC / str(self.pid)).exists():
            raise CaptureError(f"there is no process {self.pid}; look up its number again, for example with: pgrep -a NAME")
        if self.cgroup is not None:
            _control_group(self.cgroup)


def _control_group(path: str) -> tuple[int, int]:
    """(id, depth below the root) of a control group; the path may be relative to the mount of cgroup2."""
    mounts = mounts_of_cgroup2()
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


def mounts_of_cgroup2() -> dict[int, str]:
    """Device number -> mount point (proc_pid_mountinfo(5))."""
    mounts: dict[int, str] = {}
    for line in (_PROC / "self" / "mountinfo").read_text().splitlines():
        mount, _, filesystem = line.partition(" - ")
        if filesystem.startswith("cgroup2 "):
            _, _, device, _, place, *_ = mount.split()
            major, minor = device.split(":")
            mounts[os.makedev(int(major), int(minor))] = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), place)
    return mounts


class Found(NamedTuple):
    """A process that fits at least one selection: the bits that it fits, and which of the names it has itself."""

    pid: int
    parent: int
    met: int
    name: str


def found(target: Target, others: Set[int] = frozenset()) -> list[Found]:
    """
    The processes that fit some of `target` now, by pid, from one pass over /proc. `others` are watched besides. Where every
    process is watched, all of them.
    """
    if target.only_pid and not others and (not target.children or is_childless(target.pid)):
        alone = process_now(str(target.pid))
        return [] if alone is None else [Found(alone[0], alone[2], _PID, "")]
    parents: dict[int, int] = {}
    own: dict[int, int] = {}
    names: dict[int, str] = {}
    agents = frozenset[int]() if target.roots is None else target.roots.pids
    besides = members(target.containers) | others | agents
    for pid, comm, parent, session in processes():
        parents[pid] = parent
        name = _name_of(pid, comm, target.comms) if target.comms else ""
        fitting = (
            (_PID, pid == target.pid),
            (_NAME, bool(name)),
            (_SESSION, session == target.session),
            (MEMBER, pid in besides),
        )
        own[pid] = sum(bit for bit, is_met in fitting if is_met)
        names[pid] = name
    all_bits = {pid: _with_ancestors(pid, own, parents) for pid in own} if target.children else own
    everything = target.everything
    return [Found(pid, parents[pid], all_bits[pid], names[pid]) for pid in sorted(own) if all_bits[pid] or everything]


def _with_ancestors(pid: int, own: dict[int, int], parents: dict[int, int]) -> int:
    met, seen = 0, set[int]()
    while pid in own and pid not in seen:
        met |= own[pid]
        seen.add(pid)
        pid = parents[pid]
    return met


def seeds(target: Target, others: Set[int] = frozenset()) -> Iterator[int]:
    """The pids that are watched now, in ascending order; see `found`."""
    return (each.pid for each in found(target, others) if target.fits(each.met))


def roots(target: Target) -> Iterator[int]:
    """The watched processes of which the parent is not watched; without `children` each process stands for itself."""
    watched = {each.pid: each.parent for each in found(target) if target.fits(each.met) and fits_now(target, each.pid)}
    return (pid for pid, parent in watched.items() if not target.children or parent not in watched)


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
        for mount in mounts_of_cgroup2().values():
            place = Path(mount + path)
            found |= {os.stat(each).st_ino for each in (place, *place.parents) if str(each).startswith(mount)}
    except OSError:
        pass  # it ended while we looked
    return found


def fits_now(target: Target, pid: int) -> bool:
    """The further conditions of `target`, for a source without a program in the kernel."""
    if target.uid is None:
        return fits(target, pid, 0)
    user = user_of(pid)
    return user is not None and fits(target, pid, user)


def user_of(pid: int) -> int | None:
    """As whom a process runs; None: it ended while we looked."""
    try:
        status = (_PROC / str(pid) / "status").read_text(errors="replace")
    except OSError:
        return None
    user = re.search(r"^Uid:\s+(\d+)", status, re.MULTILINE)
    return None if user is None else int(user[1])


def _name_of(pid: int, comm: str, names: tuple[str, ...]) -> str:
    """
    Which of `names` it has, "" for none: as its own name, its program's name or the name it was started by. Node renames itself
    to MainThread.
    """
    for name in names:
        if comm == name[:_COMM_MOST]:
            return name
    try:
        program = os.readlink(_PROC / str(pid) / "exe")
        word = (_PROC / str(pid) / "cmdline").read_bytes().partition(b"\0")[0]
    except OSError:
        return ""  # a kernel thread, or it ended while we looked
    called = (os.path.basename(program), os.path.basename(os.fsdecode(word)))
    return next((name for name in called if name in names), "")
