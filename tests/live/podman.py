"""The words that start podman here: it needs neither systemd nor rights beyond those of root in a machine of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.live.capture import PATIENCE_S

__all__ = ["imported", "podman"]

_LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000")  # podman 4 raises its caller's, for which a right may lack
_GROUPS = Path("/sys/fs/cgroup")


def podman(command: str, *words: str) -> list[str]:
    runc = ["--runtime", "runc"] if shutil.which("runc") else []  # it also knows machines with both versions of control groups
    limits = _LIMITS if command == "run" else ()
    return ["podman", *runc, "--cgroup-manager=cgroupfs", command, *limits, *words]


@contextmanager
def imported(name: str, archive: bytes) -> Generator[str]:
    """The name of an image of these files. At the end it is removed, and the control groups that podman leaves empty."""
    words = podman("import", "-", name)
    subprocess.run(words, input=archive, capture_output=True, timeout=PATIENCE_S, check=True)
    try:
        yield name
    finally:
        subprocess.run(podman("rmi", "-f", name), capture_output=True, timeout=PATIENCE_S, check=True)
        for group in ("libpod_parent/conmon", "libpod_parent"):
            for left in (*_GROUPS.glob(group), *_GROUPS.glob(f"*/{group}")):
                with suppress(OSError):  # of a container that somebody else runs
                    left.rmdir()
