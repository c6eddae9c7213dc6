"""What a workload of this folder begins with: it waits until its gate, a file, is there."""

from __future__ import annotations

import time
from pathlib import Path

__all__ = ["wait_for"]


def wait_for(gate: Path) -> None:
    while not gate.exists():
        time.sleep(0.005)
