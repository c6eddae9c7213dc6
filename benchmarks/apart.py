"""A module of these benchmarks -> its command, to be run in a process of its own wherever this package is installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["command", "environment"]

_PACKAGE = __package__ or "benchmarks"  # within the wheel it is agentsight_rx.benchmarks
_ROOT = Path(__file__).parents[len(_PACKAGE.split("."))]


def command(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"{_PACKAGE}.{module}", *map(str, arguments)]


def environment() -> dict[str, str]:
    """In which `command` and `python -m agentsight_rx` find both packages, whatever the current directory is."""
    paths = [str(_ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
