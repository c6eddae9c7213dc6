"""This machine -> what it is, for a report: processor, cores, kernel, Python, and how busy it was."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct

__all__ = ["Machine", "this_machine"]


class Machine(Struct, frozen=True, kw_only=True):
    processor: str
    cores: int
    memory_gb: float
    kernel: str
    python: str
    packages: dict[str, str]
    virtual: bool  # on virtual machines a single-stepped probe costs ten times as much
    load: float  # processes that wanted to run in the minute before


def this_machine() -> Machine:
    cpu = Path("/proc/cpuinfo").read_text()
    names = [line.partition(":")[2].strip() for line in cpu.splitlines() if line.startswith(("model name", "Processor"))]
    return Machine(
        processor=names[0] if names else platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        packages={name: version(name) for name in ("reactivex", "msgspec", "lmdb", "h11")},
        virtual="hypervisor" in cpu,
        load=round(os.getloadavg()[0], 2),
    )
