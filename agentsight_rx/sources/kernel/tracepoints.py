"""The name of a tracepoint -> its number, which tracefs has; or why tracefs cannot be read, and what to do."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ...errors import Unavailable

__all__ = ["number_of"]

_TRACEPOINTS = (Path("/sys/kernel/tracing/events"), Path("/sys/kernel/debug/tracing/events"))


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
    """It is a file system of its own, which is to be mounted, and which only root may read, or who may read everything."""
    root = str(_TRACEPOINTS[0].parent)
    mounted = any(line.split()[1:3] == [root, "tracefs"] for line in Path("/proc/self/mounts").read_text().splitlines())
    if mounted and os.geteuid() != 0:
        return f"{root} cannot be read by user {os.geteuid()}; start it as root, or with CAP_DAC_READ_SEARCH"
    if mounted:
        return f"{root} is mounted and has no events that can be read; a security module may forbid it: its log may name it"
    return (
        f"tracefs is not mounted; as root: mount -t tracefs tracefs {root}, or give a container the host's /sys/kernel/tracing"
    )
