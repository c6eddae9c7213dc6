"""Every workload of this folder waits for its gate, a file, before it begins."""

from __future__ import annotations

import time
from pathlib import Path

__all__ = ["wait_for"]


def wait_for(gate: Path) -> None:
    while not gate.exists():
        time.sleep(0.005)
