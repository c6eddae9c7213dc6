"""The name of a tracepoint -> its number, which tracefs has; or why tracefs cannot be read, and what to do."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ...core.errors import Unavailable

__all__ = ["number_of"]

_TRACEPOINTS = (Path("/sys/kernel/tracing/events"), Path("/sys/kernel/debug/tracing/events"))
_MOUNTS = Path("/proc/self/mounts")
_KINDS = ("tracefs", "debugfs")


def number_of(tracepoint: str) -> int | None:
    """
    Of "category:name", for perf_event_open(2). None: this kernel has no such tracepoint. Raises Unavailable where no
    tracepoint can be looked up.
    """
    for place in _TRACEPOINTS:
        with suppress(OSError):
            return int((place / tracepoint.replace(":", "/") / "id").read_text())
    if not any(os.access(place, os.R_OK | os.X_OK, effective_ids=True) for place in _TRACEPOINTS):
        raise Unavailable(_why_no_tracefs())
    return None


def _why_no_tracefs() -> str:
    """
    It is a file system of its own, alone or inside of debugfs, which only root may read, or who may read everything. What is
    mounted and cannot be read is not to be mounted.
    """
    root = str(_TRACEPOINTS[0].parent)
    mounted = [line.split()[1] for line in _MOUNTS.read_text(errors="replace").splitlines() if line.split()[2] in _KINDS]
    closed = next((place for place in mounted if not os.access(place, os.R_OK | os.X_OK, effective_ids=True)), None)
    if closed is not None:
        return f"{closed} cannot be read by user {os.geteuid()}; start it as root, or with CAP_DAC_READ_SEARCH"
    if root in mounted:
        return f"{root} is mounted and has no events that can be read; a security module may forbid it: its log may name it"
    return (
        f"tracefs is not mounted; as root: mount -t tracefs tracefs {root}, or give a container the host's /sys/kernel/tracing"
    )
