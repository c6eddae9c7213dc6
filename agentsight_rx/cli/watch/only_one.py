"""The one recorder of a machine: a lock with its pid and its start, which the kernel gives up with the process."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ...core.errors import CaptureError, UnwritableError
from ...core.files import why

__all__ = ["lock_of_machine", "only_recorder"]

_MOST = 64  # bytes of the file


def lock_of_machine() -> Path:
    """Where the lock is: in the directory that a service was given, else where root or this user keep such files."""
    folder = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if not folder:
        folder = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp")
    return Path(folder, "agentsight-rx-watch.lock")


@contextmanager
def only_recorder(path: Path) -> Generator[None]:
    """
    Inside, no other process has this lock. Raises CaptureError where one has it, UnwritableError where it cannot be made. The
    file stays: who removes it while another one opens it gives two of them a lock each.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UnwritableError(f"{path}, which keeps a second recorder away, cannot be made: {why(error, path)}") from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, since = os.pread(fd, _MOST, 0).decode("ascii", "replace").partition(" ")
            raise CaptureError(
                f"process {pid} records this machine already, since {since.strip()}: end it first, or give --cgroup, "
                "--session, --uid or --pid for a part of the machine"
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()} {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode(), 0)
        yield
    finally:
        os.close(fd)
