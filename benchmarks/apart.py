"""A module of these benchmarks -> its command, to be run in a process of its own; a process -> its processor time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["command", "environment", "processor_ns"]

_PACKAGE = __package__ or "benchmarks"  # within the wheel it is agentsight_rx.benchmarks
_ROOT = Path(__file__).parents[len(_PACKAGE.split("."))]


def command(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"{_PACKAGE}.{module}", *map(str, arguments)]


def environment() -> dict[str, str]:
    """
    In which `command` and `python -m agentsight_rx` find both packages, whatever the current directory is. They keep their
    bytecode, as an installed program does: to compile it anew doubles the time of a start.
    """
    paths = [str(_ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**own, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}


def processor_ns(pid: int) -> int:
    """Processor time of all threads; /proc/PID/schedstat has only that of the first."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
