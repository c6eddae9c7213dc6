"""Every workload of this folder waits for its gate, a file, before it begins, and says by another file that it waits."""

from __future__ import annotations

import time
from pathlib import Path

__all__ = ["wait_for", "waits_at"]


def waits_at(gate: Path) -> Path:
    """This file is there once the workload has started and does nothing but wait."""
    return gate.with_name(f"{gate.name}.waits")


def wait_for(gate: Path) -> None:
    waits_at(gate).touch()
    while not gate.exists():
        time.sleep(0.005)
