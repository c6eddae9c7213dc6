"""A control group of its own for a command: its processes can be stopped for a moment, unnoticed, while a probe is attached."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from ..core.messages import say
from .containers.control_groups import started
from .target import mounts_of_cgroup2

_FROZEN_S = 0.1  # the longest wait for the kernel to say that every process stopped; it takes 0.3 ms where none is in a call
_STEP_S = 0.0005
_EMPTY_S = 2.0  # the longest wait for processes that are ending
_PROC = Path("/proc")
_FIRST = 1  # the pid of the first process of a PID namespace, as the command of a container is

_NAME = "agentsight-rx"
# Waits until we end, however that happens, lets the processes go on, and removes the group as `close` does, in 100 tries. The
# shell ends at once: what it leaves is no child of ours.
_GUARD = """
exec 3<&0
(
  read -r _ <&3
  echo 0 >"$1/cgroup.freeze"
  tries=0
  while [ -d "$1" ] && [ $tries -lt 100 ]; do
    while read -r pid; do echo "$pid" >"$1/../cgroup.procs"; done <"$1/cgroup.procs"
    rmdir "$1" || sleep 0.02
    tries=$((tries + 1))
  done
) 2>/dev/null &
"""


class Group:
    """The control group; `path` is its directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._end: int | None = None
        if os.getpid() == _FIRST:
            return  # all other processes of our PID namespace end with us; the guard would be a child of ours all the time
        alive, self._end = os.pipe()  # the guard reads `alive`; the other end closes when we end
        try:
            subprocess.run(["/bin/sh", "-c", _GUARD, "sh", str(path)], stdin=alive, check=True)
        except BaseException:
            os.close(self._end)
            raise
        finally:
            os.close(alive)

    def add(self, pid: int) -> bool:
        """Put a process, which has no children yet, into the group. False where the kernel refuses."""
        try:
            (self.path / "cgroup.procs").write_text(str(pid))
        except OSError:
            return False
        return True

    def begin_to_add(self, pid: int) -> Callable[[], bool]:
        """As `add`, in a thread: the kernel takes 10 ms to move a process. Returns a function that waits for the answer."""
        answers: list[bool] = []
        thread = threading.Thread(target=lambda: answers.append(self.add(pid)), name="add", daemon=True)
        thread.start()

        def answer() -> bool:
            thread.join()
            return answers == [True]

        return answer

    def close(self) -> None:
        """Give what still runs back to the group above."""
        _dissolve(self.path)
        if self._end is not None:
            os.close(self._end)


def _dissolve(path: Path) -> None:
    """Let the processes of a group go on, in the group above, and remove it."""
    with suppress(OSError):
        (path / "cgroup.freeze").write_text("0")
    above = path.parent / "cgroup.procs"
    until = time.monotonic() + _EMPTY_S
    while True:
        with suppress(OSError):
            for pid in (path / "cgroup.procs").read_text().split():
                with suppress(OSError):
                    above.write_text(pid)
        try:
            path.rmdir()
        except FileNotFoundError:
            return
        except OSError:  # a process forked meanwhile, or one that ends is not gone yet
            if time.monotonic() > until:
                say(f"the control group {path} is still in use; remove it later by: rmdir {path}")
                return
            time.sleep(_STEP_S)
        else:
            return


def _name(pid: int) -> str:
    """
    Of the group of a recorder. A pid means something in its PID namespace only, and with its start no other process has it.
    """
    return f"{_NAME}-{os.stat('/proc/self/ns/pid').st_ino}-{pid}-{started(_PROC, pid)}"


def _dissolve_left(top: Path) -> None:
    """What recorders left below `top` that were killed together with their guard: their processes may still be stopped."""
    ours = _name(0).split("-0-")[0]
    for place, folders, _ in os.walk(top):
        for folder in folders:
            pid = folder.removeprefix(f"{ours}-").partition("-")[0]
            if folder.startswith(f"{ours}-") and pid.isdecimal() and not folder.startswith(f"{_name(int(pid))}-"):
                _dissolve(Path(place, folder))


@contextmanager
def group() -> Generator[Group | None]:
    """
    A group below our own, None where there can be none. Made before a command is forked: once we adopt what the command leaves,
    the guard would be a child of ours, too.
    """
    made = _make()
    try:
        yield made
    finally:
        if made is not None:
            made.close()


def _make() -> Group | None:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        inside = next(line.removeprefix("0::/") for line in lines if line.startswith("0::"))
        if ".." in Path(inside).parts:
            return None  # our group is outside of what we see of the groups (cgroup_namespaces(7))
        top = next(iter(mounts_of_cgroup2().values()))
        _dissolve_left(Path(top))
        path = Path(top, inside, f"{_name(os.getpid())}-{token_hex(4)}")
        path.mkdir()
    except (OSError, StopIteration):
        return None
    try:
        return Group(path)
    except (OSError, subprocess.SubprocessError):
        path.rmdir()
        return None


@contextmanager
def held(path: str) -> Generator[None]:
    """Inside, no process of the group runs. Without a group, or where the kernel refuses, they run on. One that stood still
    before, since a guard stopped it, still does behind it."""
    freeze = Path(path, "cgroup.freeze")
    try:
        before = freeze.read_text().strip()
        freeze.write_text("1")
    except OSError:
        yield
        return
    try:
        _frozen(Path(path))
        yield
    finally:
        with suppress(OSError):
            freeze.write_text(before)


def _frozen(path: Path) -> bool:
    """Wait until every process of the group stands still."""
    until = time.monotonic() + _FROZEN_S
    while "frozen 1" not in (path / "cgroup.events").read_text():
        if time.monotonic() >= until:
            return False
        time.sleep(_STEP_S)
    return True


def halt(path: Path) -> bool:
    """Let no process of the group run until its `cgroup.freeze` is 0 again; our end, too, lets them go on (`Group`)."""
    try:
        (path / "cgroup.freeze").write_text("1")
        _frozen(path)
    except OSError:
        return False
    return True


def halted_group(pid: int) -> Path | None:
    """The group of ours that a process is in, where it is halted."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        inside = next(line.removeprefix("0::/") for line in lines if line.startswith("0::"))
        path = Path(next(iter(mounts_of_cgroup2().values())), inside)
        if path.name.startswith(_NAME) and (path / "cgroup.freeze").read_text().strip() == "1":
            return path
    except (OSError, StopIteration):
        pass
    return None
