"""The words that start podman here: it needs neither systemd nor rights beyond those of root in a machine of its own."""

from __future__ import annotations

import shutil

__all__ = ["podman"]

_LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000")  # podman 4 raises its caller's, for which a right may lack


def podman(command: str, *words: str) -> list[str]:
    runc = ["--runtime", "runc"] if shutil.which("runc") else []  # it also knows machines with both versions of control groups
    limits = _LIMITS if command == "run" else ()
    return ["podman", *runc, "--cgroup-manager=cgroupfs", command, *limits, *words]
